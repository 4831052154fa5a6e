/**
 * Messages that a conversation refers to and that are not here (PROTOCOL 4 and 8): on their way still, or lost with an older
 * home. Each message names those that nothing followed before it, so a gap shows in front of the first that came after it.
 */
import { toHex } from '../crypto/bytes.ts'

/** What a message says of those before it. */
export interface Placed {
  messageId: Uint8Array
  lamport: number
  /** Message IDs. */
  parents: readonly Uint8Array[]
}

/**
 * How many messages at least are missing in front of each, in the order of the history; 0 for none.
 * @param messages without holes between them, oldest first
 * @param isKnown of a message that is not among them
 * @param before count of the message in front of the first; 0 where none is
 */
export async function missingBefore(
  messages: readonly Placed[],
  isKnown: (id: Uint8Array) => Promise<boolean>,
  before: number,
): Promise<number[]> {
  const here = new Set(messages.map(({ messageId }) => toHex(messageId)))
  // what two messages refer to is missing once
  const told = new Set<string>()
  const missing: number[] = []
  for (const [i, { lamport, parents }] of messages.entries()) {
    let unknown = 0
    for (const parent of parents) {
      const name = toHex(parent)
      if (here.has(name) || told.has(name) || (await isKnown(parent))) continue
      told.add(name)
      unknown++
    }
    // each message counts one more than those that it knew
    const between = lamport - (messages[i - 1]?.lamport ?? before) - 1
    missing.push(unknown === 0 ? 0 : Math.max(unknown, between))
  }
  return missing
}
