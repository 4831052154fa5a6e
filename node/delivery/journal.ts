/**
 * Transactions and the durable event log (PROTOCOL 9: one synced batch an event). A transaction collects the rows of one
 * event of the node, what the faces are told about it, and what changes in memory; the journal writes it whole, and only
 * then does memory change and anybody hear of it.
 */
import { u64, readUint } from '../crypto/bytes.ts'
import { StoreError } from '../errors.ts'
import { MAX_EVENTS } from '../limits.ts'
import { type Clock, type RowChange, type Store, TABLE, type Table } from '../ports.ts'

export type EventDetail = Record<string, string | number | boolean>

/** One row of the event log; the same shape as the API's. */
export interface LoggedEvent {
  cursor: number
  event: string
  /** Milliseconds since 1970. */
  at: number
  detail: EventDetail
}

const NO_SCOPE = new Uint8Array(0)
const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** The rows, events and memory changes of one event of the node. */
export class Transaction {
  readonly changes: RowChange[] = []
  readonly events: { event: string; detail: EventDetail }[] = []
  readonly #hooks: (() => void)[] = []
  readonly #undos: (() => void)[] = []

  put(table: Table, scope: Uint8Array, position: Uint8Array, value: Uint8Array): void {
    this.changes.push({ key: { table, scope, position }, value })
  }

  delete(table: Table, scope: Uint8Array, position: Uint8Array): void {
    this.changes.push({ key: { table, scope, position }, value: undefined })
  }

  /** Tells every face, now and later, in the order of commits. */
  event(event: string, detail: EventDetail): void {
    this.events.push({ event, detail })
  }

  /** Runs after the rows are on the disk; must not throw. */
  afterCommit(hook: () => void): void {
    this.#hooks.push(hook)
  }

  /** Undoes a change of memory that had to be made before the commit; last change first. */
  onRollback(undo: () => void): void {
    this.#undos.push(undo)
  }

  /** For the journal alone. */
  committed(): void {
    for (const hook of this.#hooks) hook()
  }

  /** For the journal alone. */
  rolledBack(): void {
    for (const undo of this.#undos.toReversed()) undo()
  }
}

export class Journal {
  readonly #store: Store
  readonly #clock: Clock
  readonly #listeners = new Set<(event: LoggedEvent) => void>()
  /** Of the newest event, on the disk or on its way there. */
  #cursor: number
  #written: number
  #writing = 0

  private constructor(store: Store, clock: Clock, cursor: number) {
    this.#store = store
    this.#clock = clock
    this.#cursor = cursor
    this.#written = cursor
  }

  static async open(store: Store, clock: Clock): Promise<Journal> {
    const [last] = await store.list({ table: TABLE.event, scope: NO_SCOPE, limit: 1, reverse: true })
    return new Journal(store, clock, last ? readUint(last.position, 0, 8) : 0)
  }

  /** Writes the transaction; resolves when it is on the disk and memory has followed. @throws StoreError, and then nothing changed */
  async commit(tx: Transaction): Promise<void> {
    const at = this.#clock.now()
    const logged = tx.events.map(({ event, detail }) => ({ cursor: ++this.#cursor, event, at, detail }))
    for (const { cursor, ...row } of logged) {
      tx.put(TABLE.event, NO_SCOPE, u64(cursor), encoder.encode(JSON.stringify(row)))
      if (cursor > MAX_EVENTS) tx.delete(TABLE.event, NO_SCOPE, u64(cursor - MAX_EVENTS))
    }
    this.#writing++
    try {
      if (tx.changes.length > 0) await this.#store.write(tx.changes)
      this.#written = Math.max(this.#written, logged.at(-1)?.cursor ?? 0)
    } catch (error) {
      tx.rolledBack()
      throw error
    } finally {
      // what was not written leaves no gap
      if (--this.#writing === 0) this.#cursor = this.#written
    }
    tx.committed()
    for (const event of logged) for (const listener of this.#listeners) listener(event)
  }

  /** Of the newest event on the disk; 0 before the first. */
  get lastCursor(): number {
    return this.#written
  }

  /** @throws StoreError `STORE_DAMAGED` */
  async eventsSince(since: number, limit: number): Promise<LoggedEvent[]> {
    const rows = await this.#store.list({ table: TABLE.event, scope: NO_SCOPE, from: u64(since + 1), limit })
    return rows.map(({ position, value }) => ({
      cursor: readUint(position, 0, 8),
      ...readEvent(value),
    }))
  }

  onEvent(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function readEvent(value: Uint8Array): Omit<LoggedEvent, 'cursor'> {
  try {
    return JSON.parse(decoder.decode(value)) as Omit<LoggedEvent, 'cursor'>
  } catch {
    // the parser's error quotes the row
    throw new StoreError('STORE_DAMAGED', 'a row of the event log does not read')
  }
}
