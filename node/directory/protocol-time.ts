/**
 * Protocol time (PROTOCOL 2): the local clock, put right by the median offset of at least two sources when that is over
 * ten minutes. Only windows and expiry use it, order never does. Whom to count as a source is the caller's: relays'
 * HELLO, by peer ID.
 */
import { MAX_TIME_SOURCES } from '../limits.ts'
import type { Clock } from '../ports.ts'

/** A smaller offset is left alone: it harms no window, and servers cannot pull a good clock about. */
const TOLERATED_SECONDS = 600
const MIN_SOURCES = 2
/** An observation of a clock that was put right since would pull it away again. */
const FORGET_MILLISECONDS = 24 * 3600 * 1000

export interface ProtocolTime {
  /** Seconds since 1970. */
  now(): number
  /** Seconds by which the local clock is corrected now; 0 when it is believed. */
  correction(): number
  /** Whether enough sources told the time lately to correct the local clock, or to leave it as it is. */
  isAgreed(): boolean
  /** Tells what a source believed at this moment, in seconds since 1970. A source has one vote: its last. */
  observe(source: string, seconds: number): void
}

export function createProtocolTime(clock: Pick<Clock, 'now'>): ProtocolTime {
  /** Least recently heard first. */
  const observations = new Map<string, { offset: number; at: number }>()

  const local = (): number => Math.floor(clock.now() / 1000)

  function offsetsNow(): number[] {
    const at = clock.now()
    const fresh = [...observations.values()].filter((seen) => Math.abs(at - seen.at) < FORGET_MILLISECONDS)
    return fresh.map(({ offset }) => offset)
  }

  function correction(): number {
    const offsets = offsetsNow()
    if (offsets.length < MIN_SOURCES) return 0
    const median = medianTowardsZero(offsets)
    return Math.abs(median) > TOLERATED_SECONDS ? median : 0
  }

  return {
    now: () => local() + correction(),
    correction,
    isAgreed: () => offsetsNow().length >= MIN_SOURCES,
    observe(source, seconds) {
      if (!Number.isSafeInteger(seconds) || seconds < 0) return
      observations.delete(source)
      if (observations.size >= MAX_TIME_SOURCES) observations.delete(observations.keys().next().value!)
      observations.set(source, { offset: seconds - local(), at: clock.now() })
    },
  }
}

/** The median; of the two middle ones of an even number the one that corrects less, so that one liar of two moves nothing. */
function medianTowardsZero(offsets: number[]): number {
  const sorted = offsets.toSorted((a, b) => a - b)
  const low = sorted[(sorted.length - 1) >> 1]!
  const high = sorted[sorted.length >> 1]!
  if (low <= 0 && high >= 0 && low !== high) return 0
  return Math.abs(low) < Math.abs(high) ? low : high
}
