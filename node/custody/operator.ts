/**
 * What the operator of a mailbox server laid down while it ran (ours): when it stops to take mail, who is turned away, and
 * other limits than the configuration has. One row, so that a restart forgets none of it.
 */
import { utf8 } from '../crypto/bytes.ts'
import { UsageError } from '../errors.ts'
import { MAX_BANNED_SOURCES, MAX_PAID_BITS, MAX_POLICY_DAYS } from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import { seconds } from '../wire/records.ts'
import { decode, encode, list, optional, struct, text, uint } from '../wire/schema.ts'
import { NO_SCOPE } from './rows.ts'

/** A limit that was changed while the server ran; absent: what the configuration says. */
export interface OperatorLimits {
  maxClaims?: number
  maxBytes?: number
  maxDays?: number
  claimBits?: number
}

export interface OperatorSettings extends OperatorLimits {
  /** Seconds since 1970 from which on nothing new is taken; no mailbox is opened from the announcement on. */
  drain?: number
  /** Source prefixes, as streams name them, in the order in which they were banned. */
  banned: string[]
}

const KEY = { table: TABLE.meta, scope: NO_SCOPE, position: utf8('operator') }
const MAX_SOURCE_BYTES = 64
const operatorRow = struct({
  drain: [1, optional(seconds)],
  banned: [2, list(text(MAX_SOURCE_BYTES), MAX_BANNED_SOURCES)],
  maxClaims: [3, optional(uint())],
  maxBytes: [4, optional(uint())],
  maxDays: [5, optional(uint(MAX_POLICY_DAYS))],
  claimBits: [6, optional(uint(MAX_PAID_BITS))],
})
/** Room for every ban at its greatest length. */
const MAX_ROW_BYTES = MAX_BANNED_SOURCES * (MAX_SOURCE_BYTES + 2) + 256

export class Operator {
  readonly #store: Store
  #settings: OperatorSettings
  #last: Promise<void> = Promise.resolve()

  private constructor(store: Store, settings: OperatorSettings) {
    this.#store = store
    this.#settings = settings
  }

  /** @throws StoreError */
  static async open(store: Store): Promise<Operator> {
    const value = await store.get(KEY)
    return new Operator(store, value ? decode(operatorRow, value, MAX_ROW_BYTES) : { banned: [] })
  }

  get settings(): Readonly<OperatorSettings> {
    return this.#settings
  }

  isBanned(source: string): boolean {
    return this.#settings.banned.includes(source)
  }

  /**
   * Writes what `change` makes of the settings; they hold once they are on the disk. Changes are made one after another.
   * @throws UsageError `TOO_MANY` above `MAX_BANNED_SOURCES` bans; StoreError, and then nothing changed
   */
  change(change: (settings: Readonly<OperatorSettings>) => OperatorSettings): Promise<void> {
    const work = this.#last.then(async () => {
      const settings = change(this.#settings)
      if (settings.banned.length > MAX_BANNED_SOURCES) {
        throw new UsageError('TOO_MANY', `at most ${MAX_BANNED_SOURCES} sources can be banned`, {
          hint: 'unban some, or turn them away by a firewall',
        })
      }
      await this.#store.write([{ key: KEY, value: encode(operatorRow, settings) }])
      this.#settings = settings
    })
    this.#last = work.catch(() => undefined)
    return work
  }
}
