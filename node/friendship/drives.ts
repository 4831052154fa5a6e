/**
 * Takes what is on its way to somebody one step further, again and again until it is done: one step at a time for each
 * contact, with a back-off after steps that led nowhere.
 */
import { Backoff } from '../delivery/backoff.ts'
import { describe } from '../errors.ts'
import type { Clock, Logger, Random, Timer } from '../ports.ts'
import { contactKey } from './contact.ts'

/** Often at first, for the person waits; hourly in the end. */
const RETRY = { baseMs: 1000, maxMs: 3_600_000 }

/** What a step led to: nothing is left to do, come back after `ms`, or try again after a back-off. */
export type StepResult = 'done' | 'again' | { ms: number }

export interface DrivesInit {
  clock: Clock
  random: Random
  logger: Logger
  step: (id: Uint8Array) => Promise<StepResult>
}

interface Drive {
  backoff: Backoff
  timer: Timer | undefined
  running: boolean
  /** There is news for it: the next step is due at once. */
  again: boolean
}

export class Drives {
  readonly #init: DrivesInit
  readonly #drives = new Map<string, Drive>()
  #stopped = false

  constructor(init: DrivesInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
    for (const drive of this.#drives.values()) drive.timer?.cancel()
  }

  /** Begins, or goes on at once: something has changed. */
  go(id: Uint8Array): void {
    const { clock, random, logger, step } = this.#init
    const key = contactKey(id)
    const drive = this.#drives.get(key) ?? {
      backoff: new Backoff({ random, ...RETRY }),
      timer: undefined,
      running: false,
      again: false,
    }
    this.#drives.set(key, drive)
    drive.timer?.cancel()
    drive.again = drive.running
    if (drive.running || this.#stopped) return
    drive.running = true
    const again = (ms: number): void => {
      drive.running = false
      if (this.#stopped) return
      if (drive.again) drive.backoff.reset()
      drive.timer = clock.after(drive.again ? 0 : ms, () => this.go(id))
    }
    step(id).then(
      (next) => {
        if (next === 'done' && !drive.again) this.#drives.delete(key)
        else if (typeof next === 'object') again(next.ms)
        else again(drive.backoff.next())
      },
      (error: unknown) => {
        logger.debug('a step led nowhere', { problem: describe(error) })
        again(drive.backoff.next())
      },
    )
  }
}
