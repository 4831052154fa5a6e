/** How much one caller may ask: so many calls in a burst and again each second, and so many that are answered at once. */
import { UsageError } from '../../errors.ts'
import { HTTP_CALL_BURST, HTTP_CALLS_PER_SECOND, MAX_API_PENDING } from '../../limits.ts'

export interface BucketInit {
  burst: number
  perSecond: number
}

/** A bucket that fills by itself and is taken from. */
export class Bucket {
  readonly #init: BucketInit
  #level: number
  #at = performance.now()

  constructor(init: BucketInit) {
    this.#init = init
    this.#level = init.burst
  }

  /** Takes `count`, or nothing when there is less. */
  take(count: number): boolean {
    const { burst, perSecond } = this.#init
    const now = performance.now()
    this.#level = Math.min(burst, this.#level + ((now - this.#at) / 1000) * perSecond)
    this.#at = now
    if (this.#level < count) return false
    this.#level -= count
    return true
  }
}

/** What one caller asks. */
export class Allowance {
  readonly #calls = new Bucket({ burst: HTTP_CALL_BURST, perSecond: HTTP_CALLS_PER_SECOND })
  #pending = 0

  /**
   * @returns called when the calls are answered
   * @throws UsageError `TOO_FAST`, `TOO_MANY`
   */
  enter(count: number): () => void {
    if (this.#pending + count > MAX_API_PENDING) {
      throw new UsageError('TOO_MANY', `a caller has at most ${MAX_API_PENDING} calls that wait for an answer`)
    }
    if (!this.#calls.take(count)) {
      throw new UsageError('TOO_FAST', `a caller makes at most ${HTTP_CALLS_PER_SECOND} calls a second`)
    }
    this.#pending += count
    return () => (this.#pending -= count)
  }
}
