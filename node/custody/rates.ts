/** Token buckets for each source prefix and for all together, in memory alone and bounded (PROTOCOL 6). */
import type { Clock } from '../ports.ts'

export interface Rate {
  /** Tokens at once. */
  burst: number
  perSecond: number
}

/** Sources that are remembered; the one that was heard longest ago is forgotten first, and begins anew. */
const MAX_SOURCES = 4096

interface Bucket {
  tokens: number
  /** Milliseconds. */
  at: number
}

export class RateLimit {
  readonly #clock: Clock
  readonly #source: Rate
  readonly #total: Rate
  readonly #all: Bucket
  readonly #sources = new Map<string, Bucket>()

  constructor(clock: Clock, source: Rate, total: Rate) {
    this.#clock = clock
    this.#source = source
    this.#total = total
    this.#all = { tokens: total.burst, at: clock.now() }
  }

  /** Takes one token, or as many as the work is worth. @returns 0, or the seconds after which there will be one */
  take(source: string, tokens = 1): number {
    const own = this.#sources.get(source) ?? { tokens: this.#source.burst, at: this.#clock.now() }
    this.#sources.delete(source)
    this.#sources.set(source, own)
    if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!)
    const wait = Math.max(this.#wait(own, this.#source), this.#wait(this.#all, this.#total))
    if (wait > 0) return wait
    // work that was begun with the last token is paid for by waiting longer
    own.tokens -= tokens
    this.#all.tokens -= tokens
    return 0
  }

  #wait(bucket: Bucket, rate: Rate): number {
    const now = this.#clock.now()
    // A clock that was set back gives nothing and takes nothing.
    const passed = Math.max(0, now - bucket.at) / 1000
    bucket.tokens = Math.min(rate.burst, bucket.tokens + passed * rate.perSecond)
    bucket.at = now
    return bucket.tokens >= 1 ? 0 : Math.ceil((1 - bucket.tokens) / rate.perSecond)
  }
}
