/**
 * Tags (PROTOCOL 4): how a reader finds its envelopes on gossip without anybody else seeing whose they are. The writer
 * counts, the reader knows the tags of the counters near the highest one it has seen. Durable counters are the caller's.
 *
 *   tag key = HKDF(salt none, direction's secret, L("tag-key"), 32)      tag = HMAC(tag key, u64 counter)[0..16]
 * The first counter of a direction is 0.
 */
import { toHex, u64 } from '../crypto/bytes.ts'
import { hkdfSha256, hmacSha256, NO_SALT } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { TAG_WINDOW } from '../limits.ts'
import { TAG_BYTES } from '../wire/envelope.ts'

/** Key of the tags of a direction's 32-byte secret; 32 bytes. */
export function tagKey(secret: Uint8Array): Uint8Array {
  return hkdfSha256(NO_SALT, secret, L('tagKey'), 32)
}

/** The 16-byte tag of a counter, which is used once. */
export function tag(key: Uint8Array, counter: number): Uint8Array {
  return hmacSha256(key, u64(counter)).slice(0, TAG_BYTES)
}

/**
 * The reader's window: the next 128 counters, and the 128 up to the highest seen. It moves only upwards, only when told
 * of an envelope that opened, and holds at most 256 tags however far it jumps.
 */
export class TagWindow {
  readonly #key: Uint8Array
  readonly #counters = new Map<string, number>()
  #highest: number

  /** @param highest highest counter seen, -1 for none: all that has to be stored of a window */
  constructor(key: Uint8Array, highest = -1) {
    this.#key = key
    this.#highest = highest
    this.#fill(this.#lowest(), this.#end())
  }

  /** Highest counter seen, -1 for none. */
  get highest(): number {
    return this.#highest
  }

  /** Tags that are known now; at most 256. */
  get size(): number {
    return this.#counters.size
  }

  /** The counter of a tag; undefined when it is none of this window. */
  lookup(bytes: Uint8Array): number | undefined {
    return this.#counters.get(toHex(bytes))
  }

  /**
   * Whether one of these tags is among the first `ahead` counters above the window: of a writer who left many out. Each
   * counter costs an HMAC, so this is for what must be known, and seldom.
   */
  isAnyAhead(tags: readonly Uint8Array[], ahead: number): boolean {
    const sought = new Set(tags.map(toHex))
    const end = Math.min(this.#end() + ahead, Number.MAX_SAFE_INTEGER)
    for (let counter = this.#end(); counter < end; counter++) {
      if (sought.has(toHex(tag(this.#key, counter)))) return true
    }
    return false
  }

  /** Tells that an authentic envelope with this counter was opened, whichever way it came. Lower ones change nothing. */
  seen(counter: number): void {
    if (!Number.isSafeInteger(counter)) throw new RangeError('expected a counter of at most 53 bits')
    if (counter <= this.#highest) return
    const known = this.#end()
    this.#highest = counter
    const lowest = this.#lowest()
    for (const [name, old] of this.#counters) {
      if (old >= lowest) break // in the order of insertion, which is the order of counters
      this.#counters.delete(name)
    }
    this.#fill(Math.max(known, lowest), this.#end())
  }

  #lowest(): number {
    return Math.max(0, this.#highest - TAG_WINDOW + 1)
  }

  /** First counter above the window. */
  #end(): number {
    return Math.min(this.#highest + TAG_WINDOW + 1, Number.MAX_SAFE_INTEGER)
  }

  #fill(from: number, to: number): void {
    for (let counter = from; counter < to; counter++) {
      this.#counters.set(toHex(tag(this.#key, counter)), counter)
    }
  }
}
