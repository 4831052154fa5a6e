/**
 * RECORD (PROTOCOL 2 and 6): DHT records of those who use this relay, kept and republished until they expire. What is
 * valid and which of two records wins is decided by the caller's rules; a lower record never replaces a higher one. When
 * there are too many, no source keeps the others out; who reads mail here is not asked, it would join people and mailboxes.
 */
import { equal, toHex, utf8 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { type RowChange, type Store, TABLE } from '../ports.ts'
import { identityRecord, prekeyRecord, signed } from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { FairShares, UNKNOWN_SOURCE } from './fair-shares.ts'
import { NO_SCOPE, pages, readRow, type ServedRecord, servedRecordRow } from './rows.ts'

const IDENTITY_PREFIX = utf8('/kith-id/')
const PREKEY_PREFIX = utf8('/kith-pk/')
/** Records are written one after the other, so that their number is right when it is looked at. */
const ONE_AFTER_THE_OTHER = 'records'

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
  /** What is held, by key in hexadecimal. */
  readonly #shares = new FairShares<{ key: Uint8Array; expires: number }>()

  constructor(store: Store, rules: RecordRules, maxRecords: number) {
    this.#store = store
    this.#rules = rules
    this.#maxRecords = maxRecords
  }

  async load(): Promise<void> {
    for await (const records of this.#pages()) for (const row of records) this.#hold(row, UNKNOWN_SOURCE)
  }

  get count(): number {
    return this.#shares.size
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
   * @param source prefix of whoever hands it in
   * @throws PeerError when it is not valid
   */
  async put(key: Uint8Array, record: Uint8Array, now: number, source: string): Promise<ServedRecord | 'full'> {
    const { seq, expires } = this.#read(key, record)
    if (expires <= now) throw new PeerError('EXPIRED', 'record is expired')
    return this.#queue.run(ONE_AFTER_THE_OTHER, async () => {
      const held = await this.get(key, now)
      if (held && this.#rules.compareRecords(key, record, held.record) <= 0) return held
      const row = { key, record, seq, expires }
      const changes: RowChange[] = [{ key: this.#rowKey(key), value: encode(servedRecordRow, row) }]
      const isFull = this.#shares.sourceOf(toHex(key)) === undefined && this.#shares.size >= this.#maxRecords
      const victim = isFull ? this.#victim(source) : undefined
      if (isFull && !victim) return 'full'
      if (victim) changes.push({ key: this.#rowKey(victim), value: undefined })
      await this.#store.write(changes)
      if (victim) this.#shares.delete(toHex(victim))
      this.#hold(row, source)
      return row
    })
  }

  #hold({ key, expires }: ServedRecord, source: string): void {
    this.#shares.set(toHex(key), { key, expires }, source)
  }

  /** Key of the record that gives way: of the best supplied source the one that would end first. */
  #victim(source: string): Uint8Array | undefined {
    return this.#shares.largestFor(source).toSorted((a, b) => a.expires - b.expires)[0]?.key
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
        await this.#queue.run(ONE_AFTER_THE_OTHER, async () => {
          if (await this.get(key, now)) return
          await this.#store.write([{ key: this.#rowKey(key), value: undefined }])
          this.#shares.delete(toHex(key))
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
