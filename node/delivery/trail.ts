/**
 * The way of one message, step by step, as its author's node saw it: kept with its row in the outbox, handed on when it
 * leaves. A step holds times, servers and plain words, never a key, a name or a text.
 */
import { equal } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import { peerIdBytes } from '../wire/records.ts'
import type { RouteStatus } from './courier.ts'
import { bytesBetween, decode, encode, type Infer, list, optional, struct, text, uint } from '../wire/schema.ts'

/**
 * Steps by the number that stands on the disk; a number never changes its meaning.
 *
 * | step | what happened |
 * |-|-|
 * | queued | it is on this disk |
 * | sealed | it was sealed for the friend, or sealed again |
 * | published | handed to neighbours on gossip |
 * | receipt | a relay signed for it |
 * | refused | a relay did not take it now |
 * | held | a relay was asked and still holds it |
 * | fetched | a relay showed the friend's signature: the friend has read it there |
 * | released | the friend gave the mailbox up, as the friend's signature shows |
 * | lost | a relay holds it no more and breaks no promise: it is put again |
 * | missing | a relay holds it no more, which is no proof yet: it is asked again |
 * | caught | a relay holds it no more although it had signed: there is a proof |
 * | delivered, expired, failed | how it ended |
 */
export const TRAIL_STEPS = [
  'queued',
  'sealed',
  'published',
  'receipt',
  'refused',
  'held',
  'fetched',
  'released',
  'lost',
  'missing',
  'caught',
  'delivered',
  'expired',
  'failed',
] as const
export type TrailStep = (typeof TRAIL_STEPS)[number]

export const trailStep = struct({
  step: [1, uint(TRAIL_STEPS.length - 1)],
  /** Milliseconds. */
  at: [2, uint()],
  /** The server, for what happened there. */
  server: [3, optional(peerIdBytes)],
  detail: [4, optional(text(200))],
  /** How often in a row, when more than once. */
  times: [5, optional(uint())],
  /** Milliseconds: until when it waits because of this. */
  until: [6, optional(uint())],
  /** Milliseconds: the hour that a receipt names. */
  stored: [7, optional(uint())],
})
export type TrailRow = Infer<typeof trailStep>
export const trailRows = list(trailStep, limits.MAX_TRAIL_STEPS)

/** The longest encoding of a trail. */
export const MAX_TRAIL_BYTES = limits.MAX_TRAIL_STEPS * 300

const trailShape = struct({ steps: [1, trailRows] })

export function encodeTrail(steps: TrailRow[]): Uint8Array {
  return encode(trailShape, { steps })
}

/** @throws PeerError `MALFORMED` */
export function decodeTrail(bytes: Uint8Array): TrailRow[] {
  return decode(trailShape, bytes, MAX_TRAIL_BYTES).steps
}

/** A step as it is told. */
export interface ToldStep {
  step: TrailStep | 'waiting'
  /** Milliseconds. */
  at: number
  by: string
  detail: string
  until?: number
  storedAt?: number
}

/** The steps as they are told. @param names who is who */
export function tellTrail(
  rows: readonly TrailRow[],
  names: { friend: string; nameOf: (server: Uint8Array) => string },
): ToldStep[] {
  return rows.map(({ step: code, at, server, detail, times, until, stored }) => {
    const step = TRAIL_STEPS[code]!
    const actor = step === 'published' ? 'gossip' : step === 'delivered' ? names.friend : 'me'
    const often = times === undefined ? '' : `${times} times`
    return {
      step,
      at,
      by: server ? names.nameOf(server) : actor,
      detail: [detail ?? '', often].filter((part) => part !== '').join(', '),
      ...(until !== undefined && { until }),
      ...(stored !== undefined && { storedAt: stored }),
    }
  })
}

/** What a message waits for now. @param init `routes` to the friend's relays, undefined while there is no session */
export function waitsFor(init: {
  at: number
  /** ID. */
  friend: string
  routes: readonly RouteStatus[] | undefined
  /** Whether the relay at this address has signed for it. */
  isSigned: (address: string) => boolean
}): ToldStep[] {
  const { at, friend, routes, isSigned } = init
  const waiting = (by: string, detail: string, until?: number): ToldStep => {
    return { step: 'waiting', at, by, detail, ...(until !== undefined && { until }) }
  }
  if (!routes) return [waiting('me', 'for a session with the friend')]
  if (routes.length === 0) return [waiting('me', 'the friend names no relay')]
  const open = routes.filter(({ address }) => !isSigned(address))
  if (open.length === 0) return [waiting(friend, 'for the friend to come and read it')]
  return open.map(({ address, connected, problem, until }) =>
    waiting(address, problem ?? (connected ? 'it is on its way there' : 'the relay is not reached'), until),
  )
}

/** A trail as part of another row. */
export const trailBytes = bytesBetween(1, MAX_TRAIL_BYTES)

/**
 * The trail with one more step. The same step at the same server again moves its time and is counted; of a trail that is
 * full the beginning and the end stay.
 */
export function follow(
  trail: readonly TrailRow[],
  step: TrailStep,
  what: Omit<TrailRow, 'step' | 'times'>,
): TrailRow[] {
  const code = TRAIL_STEPS.indexOf(step)
  const { server } = what
  const place = trail.findLastIndex((one) => isAt(one, server))
  const last = trail[place]
  if (last?.step === code && server !== undefined) {
    return [...trail.slice(0, place), ...trail.slice(place + 1), { ...what, step: code, times: (last.times ?? 1) + 1 }]
  }
  const kept =
    trail.length < limits.MAX_TRAIL_STEPS
      ? trail
      : [...trail.slice(0, KEPT_FIRST), ...trail.slice(trail.length - limits.MAX_TRAIL_STEPS + KEPT_FIRST + 1)]
  return [...kept, { ...what, step: code }]
}

const KEPT_FIRST = 4

function isAt(row: TrailRow, server: Uint8Array | undefined): boolean {
  if (row.server === undefined || server === undefined) return row.server === server
  return equal(row.server, server)
}
