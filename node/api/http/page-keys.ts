/** Keys that open the page in one browser each: made for this user, good once and for a minute. */
import { equal, utf8 } from '../../crypto/bytes.ts'
import { MAX_PAGE_KEYS, PAGE_KEY_SECONDS } from '../../limits.ts'
import { newSecret } from '../secret.ts'

export class PageKeys {
  readonly #now: () => number
  #keys: { bytes: Uint8Array; until: number }[] = []

  /** @param now milliseconds, for tests. @default the machine's monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** A fresh key; of too many the oldest gives way. */
  make(): string {
    const key = newSecret()
    this.#keys = [
      ...this.#alive().slice(1 - MAX_PAGE_KEYS),
      { bytes: utf8(key), until: this.#now() + PAGE_KEY_SECONDS * 1000 },
    ]
    return key
  }

  /** Whether `key` is one that was made; it is not any more after this. */
  use(key: string): boolean {
    const bytes = utf8(key)
    const alive = this.#alive()
    this.#keys = alive.filter((one) => !equal(one.bytes, bytes))
    return this.#keys.length < alive.length
  }

  #alive(): { bytes: Uint8Array; until: number }[] {
    const now = this.#now()
    return this.#keys.filter(({ until }) => until > now)
  }
}
