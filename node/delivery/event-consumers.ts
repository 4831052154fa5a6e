/**
 * Consumers of the event log by name: up to where each has said that it is done, on the disk, so that a program goes on
 * where it was after its own restart or the node's. Reading moves nothing; only an acknowledgement does.
 */
import { utf8 } from '../crypto/bytes.ts'
import { UsageError } from '../errors.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { MAX_CONSUMER_NAME_BYTES, MAX_CONSUMERS } from '../limits.ts'
import { type Clock, type RowKey, type Store, TABLE } from '../ports.ts'
import { decode, encode, struct, text, uint } from '../wire/schema.ts'
import { type Journal, Transaction } from './journal.ts'

export interface EventConsumer {
  name: string
  /** Of the last event that it is done with; 0 before the first. */
  cursor: number
  /** Milliseconds: when it was made, or said so last. */
  at: number
}

const NO_SCOPE = new Uint8Array(0)
const consumerRow = struct({ name: [1, text(MAX_CONSUMER_NAME_BYTES)], cursor: [2, uint()], at: [3, uint()] })
const MAX_ROW_BYTES = MAX_CONSUMER_NAME_BYTES + 64

export class EventConsumers {
  readonly #store: Store
  readonly #clock: Clock
  readonly #journal: Journal
  /** One step at a time: what is read is what is changed. */
  readonly #steps = new KeyedQueue()

  constructor({ store, clock, journal }: { store: Store; clock: Clock; journal: Journal }) {
    this.#store = store
    this.#clock = clock
    this.#journal = journal
  }

  /**
   * Where a consumer goes on; one that is new is written down, at `from`, or at the end of the log.
   * @param name at most `MAX_CONSUMER_NAME_BYTES`
   * @throws UsageError `TOO_MANY`; StoreError `STORE_DAMAGED`
   */
  async open(name: string, from?: number): Promise<number> {
    return await this.#step(async () => {
      const known = await this.#find(name)
      if (known) return known.cursor
      if ((await this.list()).length >= MAX_CONSUMERS) {
        throw new UsageError('TOO_MANY', `there are ${MAX_CONSUMERS} consumers already`, {
          hint: '`events.forget` ends one that is not used any more',
        })
      }
      const end = this.#journal.lastCursor
      return await this.#put(name, Math.min(from ?? end, end))
    })
  }

  /**
   * Says that everything up to `cursor` is done; never goes back.
   * @returns up to where it is done now
   * @throws UsageError `UNKNOWN_CONSUMER`, `BAD_CURSOR` when there is no such event yet
   */
  async acknowledge(name: string, cursor: number): Promise<number> {
    return await this.#step(async () => {
      const known = await this.#find(name)
      if (!known)
        throw new UsageError('UNKNOWN_CONSUMER', 'no consumer has this name', { hint: 'subscribe by it first' })
      const end = this.#journal.lastCursor
      if (cursor > end) throw new UsageError('BAD_CURSOR', `the newest event is ${end}, got ${cursor}`)
      return cursor <= known.cursor ? known.cursor : await this.#put(name, cursor)
    })
  }

  /** By name. @throws StoreError `STORE_DAMAGED` */
  async list(): Promise<EventConsumer[]> {
    const rows = await this.#store.list({ table: TABLE.consumer, scope: NO_SCOPE, limit: MAX_CONSUMERS })
    return rows
      .map(({ value }) => decode(consumerRow, value, MAX_ROW_BYTES))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** As the API tells them. @throws StoreError `STORE_DAMAGED` */
  async view(): Promise<{ consumer: string; cursor: number; behind: number; at: number }[]> {
    const end = this.#journal.lastCursor
    return (await this.list()).map(({ name, cursor, at }) => ({ consumer: name, cursor, behind: end - cursor, at }))
  }

  /** @returns false when there is none of this name */
  async forget(name: string): Promise<boolean> {
    return await this.#step(async () => {
      const { table, scope, position } = this.#keyOf(name)
      if ((await this.#store.get({ table, scope, position })) === undefined) return false
      const tx = new Transaction()
      tx.delete(table, scope, position)
      await this.#journal.commit(tx)
      return true
    })
  }

  async #find(name: string): Promise<EventConsumer | undefined> {
    const row = await this.#store.get(this.#keyOf(name))
    return row && decode(consumerRow, row, MAX_ROW_BYTES)
  }

  async #put(name: string, cursor: number): Promise<number> {
    const { table, scope, position } = this.#keyOf(name)
    const tx = new Transaction()
    tx.put(table, scope, position, encode(consumerRow, { name, cursor, at: Math.floor(this.#clock.now()) }))
    await this.#journal.commit(tx)
    return cursor
  }

  #keyOf(name: string): RowKey {
    return { table: TABLE.consumer, scope: NO_SCOPE, position: this.#store.blind(utf8(name)) }
  }

  async #step<T>(work: () => Promise<T>): Promise<T> {
    return await this.#steps.run('', work)
  }
}
