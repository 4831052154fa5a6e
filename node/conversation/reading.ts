/**
 * What of a conversation is unread: everything of the friend's behind the read mark, and what came late, to a place in front
 * of it. Positions are those of the history (`history.ts`); how many lie between two of them is asked there.
 */
import { compare } from '../crypto/bytes.ts'
import { MAX_LATE_UNREAD } from '../limits.ts'

export interface Reading {
  /** Position of the last message that was read, what came late aside; empty when none was. */
  read: Uint8Array
  /** Positions in front of the mark that are unread, lowest first. */
  late: Uint8Array[]
  /** How many are unread, those that came late among them. */
  unread: number
}

/** With a message of the friend's that came to `position`. */
export function withArrived({ read, late, unread }: Reading, position: Uint8Array): Reading {
  if (compare(position, read) > 0) return { read, late, unread: unread + 1 }
  const all = [...late, position].toSorted(compare)
  const kept = all.slice(-MAX_LATE_UNREAD)
  return { read, late: kept, unread: unread + 1 - (all.length - kept.length) }
}

/**
 * With everything up to `to` read.
 * @param count how many messages of the friend's lie behind the first position, up to and with the second
 */
export async function withRead(
  { read, late, unread }: Reading,
  to: Uint8Array,
  count: (after: Uint8Array, upTo: Uint8Array) => Promise<number>,
): Promise<Reading> {
  const rest = late.filter((position) => compare(position, to) > 0)
  const isAhead = compare(to, read) > 0
  const passed = isAhead ? await count(read, to) : 0
  return {
    read: isAhead ? to : read,
    late: rest,
    unread: Math.max(0, unread - passed - (late.length - rest.length)),
  }
}
