/** Exponential back-off with jitter: each wait is drawn between half and all of a bound that doubles up to a maximum. */
import { readUint } from '../crypto/bytes.ts'
import type { Random } from '../ports.ts'

export interface BackoffInit {
  random: Random
  /** First bound in milliseconds. */
  baseMs: number
  maxMs: number
}

export class Backoff {
  readonly #init: BackoffInit
  #failures = 0

  constructor(init: BackoffInit) {
    this.#init = init
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    const bound = Math.min(this.#init.maxMs, this.#init.baseMs * 2 ** Math.min(this.#failures++, 30))
    return Math.round(bound / 2 + (bound / 2) * randomFraction(this.#init.random))
  }

  reset(): void {
    this.#failures = 0
  }
}

/** A number in [0, 1) of 48 random bits. */
export function randomFraction(random: Random): number {
  return readUint(random.bytes(6), 0, 6) / 2 ** 48
}
