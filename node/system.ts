/** The ports that are the machine itself: its clock and its randomness. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers'
import type { Clock, Random } from './ports.ts'

/** The longest delay of a timer of Node.js, in milliseconds; a longer one waits several times. */
const MAX_DELAY_MS = 2 ** 31 - 1

/** The system's clock. Its timers keep the process alive: what sets them also cancels them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, run) {
    let handle: NodeJS.Timeout
    const wait = (rest: number): void => {
      const step = Math.min(rest, MAX_DELAY_MS)
      handle = setTimeout(() => (rest > step ? wait(rest - step) : run()), step)
    }
    wait(Math.max(0, milliseconds))
    return { cancel: () => clearTimeout(handle) }
  },
  yield: async () => {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  },
}

/** The system's randomness. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
