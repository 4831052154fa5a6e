/** A Clock that stands still until a test moves it. Timers fire in the order of their time, inside `advance`. */
import type { Clock } from '../../node/ports.ts'

export interface ManualClock extends Clock {
  /** Moves time forward and fires what is due, letting promises run between two timers. */
  advance(milliseconds: number): Promise<void>
  /** Timers that wait. */
  readonly pending: number
}

interface Waiting {
  at: number
  order: number
  run: () => void
}

/** @param start milliseconds since 1970 */
export function createManualClock(start = 1_800_000_000_000): ManualClock {
  let now = start
  let order = 0
  const waiting = new Set<Waiting>()

  const next = (until: number): Waiting | undefined => {
    let first: Waiting | undefined
    for (const timer of waiting) {
      if (timer.at > until) continue
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    }
    return first
  }

  return {
    get pending() {
      return waiting.size
    },
    now: () => now,
    after(milliseconds, run) {
      const timer: Waiting = { at: now + Math.max(0, milliseconds), order: order++, run }
      waiting.add(timer)
      return { cancel: () => void waiting.delete(timer) }
    },
    async yield() {
      await Promise.resolve()
    },
    async advance(milliseconds) {
      const until = now + milliseconds
      for (let timer = next(until); timer; timer = next(until)) {
        waiting.delete(timer)
        now = Math.max(now, timer.at)
        timer.run()
        await settle()
      }
      now = until
      await settle()
    },
  }
}

/** Lets every promise run that only waits for other promises. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}
