/**
 * What one run has seen of a request on its way (PROTOCOL 7, rule 8): which relays do not take it and for how long that
 * stands, since when the answer is looked for, and the records of whoever is asked by ID.
 */
import { equal } from '../crypto/bytes.ts'
import type { Found } from '../directory/directory.ts'
import { type Door, needsInvite } from './request-door.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
/** The one refusal that stands for ever. */
const RELEASED = 'released'
/** Its reader may not have reached that relay yet. */
const UNCLAIMED = 'unclaimed'

export interface Attempt {
  /** The encoded invite. */
  invite: Uint8Array | undefined
  /** Milliseconds: since when the reply mailbox is read. */
  readSince: number | undefined
  /** Address of the mailbox at which the relays below were asked. */
  door: Uint8Array | undefined
  /** What relays said that do not take the request, by address, and when (milliseconds). */
  refused: Map<string, { status: string; at: number }>
  /** Milliseconds: when a newer record of theirs was looked for last. */
  lookedAt: number | undefined
  /** Of a request by ID: their records as they were found last, and when (milliseconds). */
  found: { records: Found; at: number } | undefined
}

export function newAttempt(invite: Uint8Array | undefined): Attempt {
  return { invite, readSince: undefined, door: undefined, refused: new Map(), lookedAt: undefined, found: undefined }
}

/** The request is to be left here: what relays said of another mailbox says nothing of this one. */
export function standBefore(attempt: Attempt, { address }: Door): void {
  if (attempt.door && equal(attempt.door, address)) return
  attempt.door = address
  attempt.refused.clear()
}

/** Whether a relay need not be asked at `now` (milliseconds): each time costs postage. */
export function isRefused({ refused }: Attempt, address: string, now: number): boolean {
  const said = refused.get(address)
  if (!said) return false
  return said.status === RELEASED || now - said.at < (said.status === UNCLAIMED ? HOUR_MS : DAY_MS)
}

/** Whether a relay does not know the mailbox: maybe not yet. */
export function isUnclaimed({ relays }: Door, { refused }: Attempt): boolean {
  return relays.some((address) => refused.get(address)?.status === UNCLAIMED)
}

/** Whether every relay says that the mailbox was given up. */
export function isGone({ relays }: Door, { refused }: Attempt): boolean {
  return relays.every((address) => refused.get(address)?.status === RELEASED)
}

/** Whether somebody who is asked by ID takes requests by invite alone. */
export function isClosed({ found }: Attempt): boolean {
  return found !== undefined && needsInvite(found.records.identity)
}
