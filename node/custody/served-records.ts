/**
 * RECORD (PROTOCOL 2 and 6): DHT records of those who use this relay, kept and republished until they expire. What is
 * valid and which of two records wins is decided by the caller's rules; a lower record never replaces a higher one.
 */
import { equal, toHex, utf8 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import { identityRecord, prekeyRecord, signed } from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { NO_SCOPE, pages, readRow, type ServedRecord, servedRecordRow } from './rows.ts'

const IDENTITY_PREFIX = utf8('/kith-id/')
const PREKEY_PREFIX = utf8('/kith-pk/')

export interface RecordRules {
  /** @throws PeerError when `value` may not stand at `key` */
  validateRecord(key: Uint8Array, value: Uint8Array): void
  /** Positive when `a` wins over `b`. */
  compareRecords(key: Uint8Array, a: Uint8Array, b: Uint8Array): number
}

export class ServedRecords {
  readonly #store: Store
  readonly #rules: RecordRules
  readonly #maxRecords: number
  readonly #queue = new KeyedQueue()
  #count = 0

  constructor(store: Store, rules: RecordRules, maxRecords: number) {
    this.#store = store
    this.#rules = rules
    this.#maxRecords = maxRecords
  }

  async load(): Promise<void> {
    for await (const records of this.#pages()) this.#count += records.length
  }

  get count(): number {
    return this.#count
  }

  /** @param now seconds */
  async get(key: Uint8Array, now: number): Promise<ServedRecord | undefined> {
    const value = await this.#store.get(this.#rowKey(key))
    if (!value) return undefined
    const row = readRow(servedRecordRow, value)
    return equal(row.key, key) && row.expires > now ? row : undefined
  }

  /**
   * Takes a record in. @returns what is known of its key afterwards, maybe a higher one
   * @throws PeerError when it is not valid
   */
  async put(key: Uint8Array, record: Uint8Array, now: number): Promise<ServedRecord | 'full'> {
    const { seq, expires } = this.#read(key, record)
    if (expires <= now) throw new PeerError('EXPIRED', 'record is expired')
    return this.#queue.run(toHex(key), async () => {
      const value = await this.#store.get(this.#rowKey(key))
      const held = value && readRow(servedRecordRow, value)
      if (held && equal(held.key, key) && held.expires > now) {
        if (this.#rules.compareRecords(key, record, held.record) <= 0) return held
      }
      if (!held && this.#count >= this.#maxRecords) return 'full'
      const row = { key, record, seq, expires }
      this.#count += held ? 0 : 1
      try {
        await this.#store.write([{ key: this.#rowKey(key), value: encode(servedRecordRow, row) }])
      } catch (error) {
        this.#count -= held ? 0 : 1
        throw error
      }
      return row
    })
  }

  async *all(now: number): AsyncGenerator<{ key: Uint8Array; value: Uint8Array }> {
    for await (const records of this.#pages()) {
      for (const { key, record, expires } of records) if (expires > now) yield { key, value: record }
    }
  }

  async sweep(now: number): Promise<void> {
    for await (const records of this.#pages()) {
      for (const { key, expires } of records) {
        if (expires > now) continue
        await this.#queue.run(toHex(key), async () => {
          if (await this.get(key, now)) return
          await this.#store.write([{ key: this.#rowKey(key), value: undefined }])
          this.#count--
        })
      }
    }
  }

  #read(key: Uint8Array, record: Uint8Array): { seq: number; expires: number } {
    this.#rules.validateRecord(key, record)
    const { body } = decode(signed, record, limits.MAX_RECORD_BYTES)
    if (startsWith(key, IDENTITY_PREFIX)) return decode(identityRecord, body, limits.MAX_RECORD_BYTES)
    if (startsWith(key, PREKEY_PREFIX)) return decode(prekeyRecord, body, limits.MAX_RECORD_BYTES)
    throw new PeerError('MALFORMED', 'unknown kind of record')
  }

  async *#pages(): AsyncGenerator<ServedRecord[]> {
    for await (const page of pages(this.#store, { table: TABLE.servedRecord, scope: NO_SCOPE }, 64)) {
      yield page.map(({ value }) => readRow(servedRecordRow, value))
    }
  }

  #rowKey(key: Uint8Array) {
    return { table: TABLE.servedRecord, scope: NO_SCOPE, position: this.#store.blind(key) }
  }
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return equal(bytes.subarray(0, prefix.length), prefix)
}
