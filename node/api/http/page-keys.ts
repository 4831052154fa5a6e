/** Keys that open the page in one browser each: made for this user, good once and for a minute. */
import { equal, utf8 } from '../../crypto/bytes.ts'
import { MAX_PAGE_KEYS, PAGE_KEY_SECONDS } from '../../limits.ts'
import { newSecret } from '../secret.ts'

interface PageKey {
  bytes: Uint8Array
  /** On the clock of the keys. */
  until: number
  /** Only a process of this user may use it: others can have seen it. */
  isOwn: boolean
}

export class PageKeys {
  readonly #now: () => number
  #keys: PageKey[] = []

  /** @param now milliseconds, for tests. @default the machine's monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** A fresh key; of too many the oldest gives way. @param isOwn only a process of this user may use it */
  make(isOwn: boolean): string {
    const key = newSecret()
    this.#keys = [
      ...this.#alive().slice(1 - MAX_PAGE_KEYS),
      { bytes: utf8(key), until: this.#now() + PAGE_KEY_SECONDS * 1000, isOwn },
    ]
    return key
  }

  /**
   * Whether `key` is one that was made; it is not any more after this, unless somebody else tried it.
   * @param isOwnUser whether a process of this user shows it; undefined where the system does not tell
   */
  use(key: string, isOwnUser: boolean | undefined): boolean {
    const bytes = utf8(key)
    const alive = this.#alive()
    const rest = alive.filter((one) => !equal(one.bytes, bytes) || (one.isOwn && isOwnUser === false))
    this.#keys = rest
    return rest.length < alive.length
  }

  #alive(): PageKey[] {
    const now = this.#now()
    return this.#keys.filter(({ until }) => until > now)
  }
}
