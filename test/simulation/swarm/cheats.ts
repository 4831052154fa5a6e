/** What a relay that cheats makes of an answer. It has its own keys alone: what others signed it can withhold, repeat and spoil. */
import { toHex } from '../../../node/crypto/bytes.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode, type Infer } from '../../../node/wire/schema.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Cheat } from './plan.ts'

const { STATUS, VERB } = wire
/** Copies that a relay keeps in mind to hand them out again. */
const MAX_SERVED = 32

type Item = Infer<typeof wire.mailItem>

export interface CheatMemory {
  /** Copies that are signed for and not handed out, in hex. */
  hidden: Set<string>
  /** Copies handed out lately. */
  served: Item[]
}

/** The answer that goes back in place of the true one. */
export async function cheatOn(
  cheat: Cheat,
  random: SeededRandom,
  memory: CheatMemory,
  frame: Uint8Array,
  answer: Uint8Array,
): Promise<Uint8Array> {
  if (cheat === 'silent' && random.chance(0.5)) return new Promise<Uint8Array>(() => {})
  if (cheat === 'refuses' && random.chance(0.5)) return encode(wire.answer, refusal(random))
  if (cheat === 'forges' && random.chance(0.3)) return forged(random, answer)
  const [request, said] = [decodeOr(wire.request, frame), decodeOr(wire.answer, answer)]
  if (!request || said?.status !== STATUS.ok) return answer
  if (request.verb === VERB.put && cheat === 'drops' && random.chance(0.7)) {
    const { body } = decode(wire.signedBody, said.body, MAX_FRAME_BYTES)
    memory.hidden.add(toHex(decode(wire.putReceipt, body, MAX_FRAME_BYTES).cid))
  }
  if (request.verb !== VERB.pull && request.verb !== VERB.fetch) return answer
  const window = decode(wire.readAnswer, said.body, MAX_FRAME_BYTES)
  const items = handedOut(cheat, random, memory, window.items)
  return encode(wire.answer, { ...said, body: encode(wire.readAnswer, { ...window, items }) })
}

function handedOut(cheat: Cheat, random: SeededRandom, memory: CheatMemory, items: Item[]): Item[] {
  const kept = items.filter(({ copy }) => !memory.hidden.has(toHex(wire.copyId(copy))))
  const mailboxes = new Set(items.map(({ address }) => toHex(address)))
  const old = memory.served.filter(({ address }) => mailboxes.has(toHex(address)))
  memory.served = [...memory.served, ...kept].slice(-MAX_SERVED)
  if (cheat === 'replays') return [...kept, ...old, ...kept.slice(0, 1)]
  return cheat === 'reorders' ? random.shuffle(kept) : kept
}

function refusal(random: SeededRandom): wire.Answer {
  const statuses = [STATUS.full, STATUS.busy, STATUS.unclaimed, STATUS.refused, STATUS.challenge, STATUS.malformed]
  const status = statuses[random.int(0, statuses.length - 1)]!
  return { status, body: new Uint8Array(0), retryAfter: random.int(1, 60) }
}

/** One byte is another, somewhere: in a signature, a copy, a policy, or where it makes nonsense of the whole. */
function forged(random: SeededRandom, answer: Uint8Array): Uint8Array {
  const bytes = answer.slice()
  const place = random.int(0, bytes.length - 1)
  bytes[place] = bytes[place]! ^ random.int(1, 255)
  return bytes
}

function decodeOr<T>(shape: Parameters<typeof decode<T>>[0], bytes: Uint8Array): T | undefined {
  try {
    return decode(shape, bytes, MAX_FRAME_BYTES)
  } catch {
    return undefined
  }
}
