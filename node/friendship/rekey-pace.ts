/** How often a rekey may be begun (PROTOCOL 8): an hour after the last, doubling to a day, until two days pass without one. */
import type { Rekeying } from './contact.ts'

const HOUR = 3600
const DAY = 24 * HOUR
/** After so long without a rekey the next is the first again. */
const FORGIVEN_SECONDS = 2 * DAY

/** How many were begun in a row, as it counts for the next one. @param now seconds */
export function timesInRow(rekeying: Rekeying | undefined, now: number): number {
  return !rekeying || rekeying.started + FORGIVEN_SECONDS <= now ? 0 : rekeying.times
}

/** Seconds until the next one may be begun. @param now seconds */
export function pauseBefore(rekeying: Rekeying | undefined, now: number): number {
  const times = timesInRow(rekeying, now)
  if (!rekeying || times === 0) return 0
  const pause = Math.min(HOUR * 2 ** (times - 1), DAY)
  // a clock that was put back must not make it longer
  return Math.min(pause, Math.max(0, rekeying.started + pause - now))
}
