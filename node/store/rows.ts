/**
 * Rows at rest (PROTOCOL 9): the Store port over any abstract-level database. On disk
 *   key   = table (1) || HMAC(index key, table || scope)[0..16] || position (0..24)
 *   value = version (1) || key epoch (4) || nonce (24) || XChaCha20-Poly1305(record key, row; AD = L(row) || key)
 * A value moved to another key does not open; an older value of the same key does (nothing local can tell, the peers'
 * echoes do). What the rows mean is left to their owners.
 */
import { open, seal, SEAL_OVERHEAD_BYTES, NONCE_BYTES } from '../crypto/aead.ts'
import { concat, toHex, u8, u32 } from '../crypto/bytes.ts'
import { hkdfSha256, hmacSha256, NO_SALT } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { InternalError, type KithError } from '../errors.ts'
import { MAX_POSITION_BYTES, MAX_VALUE_BYTES } from '../limits.ts'
import {
  type Random,
  type Row,
  type RowChange,
  type RowKey,
  type RowRange,
  type Store,
  TABLE,
  type Table,
} from '../ports.ts'
import { type ByteLevel, type ByteOperation, storeClosed, storeDamaged, toStoreError } from './byte-level.ts'
import { GroupCommit } from './group-commit.ts'

export { MAX_POSITION_BYTES, MAX_VALUE_BYTES }
export const MASTER_KEY_BYTES = 32

const ROW_VERSION = 1
const KEY_EPOCH = 0
const HEADER = concat(u8(ROW_VERSION), u32(KEY_EPOCH))
const SCOPE_BYTES = 16
const PREFIX_BYTES = 1 + SCOPE_BYTES
const BLIND_BYTES = 8
const DEFAULT_LIMIT = 1000
/** No table has this number: what is blinded is never a scope. */
const BLIND_DOMAIN = u8(0)

/**
 * Tables whose damaged rows count as absent. What is lost there is a message, a copy, or a session, which is then not sent in
 * any more. In the others a row that is missing would undo what protects the person: a block, a pin, a replay mark, the own
 * keys; they fail until somebody has agreed to the loss (`kith doctor --repair`).
 */
const EXPENDABLE: ReadonlySet<number> = new Set([
  TABLE.session,
  TABLE.outbox,
  TABLE.history,
  TABLE.historyIndex,
  TABLE.seen,
  TABLE.event,
  TABLE.invite,
  TABLE.receiptDue,
  TABLE.draft,
  TABLE.claim,
  TABLE.copy,
  TABLE.tombstone,
  TABLE.servedRecord,
  TABLE.proof,
  TABLE.datastore,
])
/** Damaged rows that are remembered, so that each is counted once. */
const MAX_DAMAGED = 10_000
const EXAMINED_AT_ONCE = 256

export interface StoreKeys {
  /** 32 bytes: blinds scopes and what stands in positions. */
  index: Uint8Array
  /** 32 bytes: encrypts the rows of key epoch 0. */
  record: Uint8Array
}

/** A Store that owns its database. */
export interface RowStore extends Store {
  /** Every row as it lies there: its key on the disk, and whether it authenticates. @throws StoreError `STORE_DAMAGED` */
  examine(): AsyncIterable<{ place: Uint8Array; isSound: boolean }>
  /** Takes a row out by its key on the disk. */
  discard(places: readonly Uint8Array[]): Promise<void>
  /** Rows that did not authenticate and were passed over, by table. */
  damaged(): ReadonlyMap<Table, number>
  /** Why nothing is written any more until the database is opened again; undefined while all is well. */
  failure(): KithError | undefined
  /** Resolves with it when it comes. */
  readonly failed: Promise<KithError>
  /** Waits for the writes under way, then closes the database; every later call fails with `STORE_CLOSED`. */
  close(): Promise<void>
}

/** Both keys of a 32-byte master key. */
export function deriveStoreKeys(masterKey: Uint8Array): StoreKeys {
  return {
    index: hkdfSha256(NO_SALT, masterKey, L('storeIndex'), 32),
    record: hkdfSha256(NO_SALT, masterKey, concat(L('storeRecord'), u32(KEY_EPOCH)), 32),
  }
}

/**
 * The Store port over an open database of byte arrays, which from now on belongs to the store.
 * Values are encrypted before `write` returns its promise, so their buffers may be used again at once.
 * A position above 24 bytes or a value above 1 MiB is an InternalError `BAD_ROW`.
 */
export function createRowStore(level: ByteLevel, keys: StoreKeys, random: Random): RowStore {
  const commits = new GroupCommit(level)
  const damaged = new DamagedRows()
  let closing: Promise<void> | undefined

  function checkOpen(): void {
    if (closing !== undefined) throw storeClosed()
  }

  /** Undefined for a row that is damaged and expendable. */
  function openOrPass(place: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    try {
      return openRow(keys, place, value)
    } catch (error) {
      if (!EXPENDABLE.has(place[0] as Table)) throw error
      damaged.note(place)
      return undefined
    }
  }

  async function listIntact(range: RowRange, limit: number): Promise<Row[]> {
    const { gte, lt } = bounds(keys, range)
    const reverse = range.reverse ?? false
    const rows: Row[] = []
    for (let from = gte, to = lt; ; ) {
      const wanted = limit - rows.length
      const found = await level.iterator({ gte: from, lt: to, limit: wanted, reverse }).all().catch(fail)
      for (const [key, value] of found) {
        const place = new Uint8Array(key) // a copy: databases hand out views of larger buffers
        const opened = openOrPass(place, value)
        if (opened !== undefined) rows.push({ position: place.slice(PREFIX_BYTES), value: opened })
        if (reverse) to = place
        else from = concat(place, u8(0))
      }
      if (rows.length === limit || found.length < wanted) return rows
    }
  }

  return {
    async get(key) {
      checkOpen()
      const place = diskKey(keys, key)
      const value = await level.get(place).catch(fail)
      return value === undefined ? undefined : openOrPass(place, value)
    },
    async list(range) {
      checkOpen()
      const limit = range.limit ?? DEFAULT_LIMIT
      if (!Number.isSafeInteger(limit) || limit < 0) throw badRow(`expected a limit of 0 or more, got ${limit}`)
      if (limit === 0) return []
      return listIntact(range, limit)
    },
    async write(changes) {
      checkOpen()
      if (changes.length === 0) return
      await commits.write(changes.map((change) => toOperation(keys, random, change)))
    },
    async shred(key, value) {
      checkOpen()
      const place = diskKey(keys, key)
      // a file of LevelDB's that was written from memory may hold a row twice: only a merge with a newer one leaves the old out
      for (let round = 0; round < 2; round++) {
        await commits.write([toOperation(keys, random, { key, value })])
        await level.compactRange?.(place, concat(place, u8(0))).catch(fail)
      }
    },
    async shredTable(table) {
      checkOpen()
      const [first, last] = edges(table)
      for (let round = 0; round < 2; round++) {
        // what is deleted here was never there: it makes the newest file reach over the whole table, and merge with all of it
        await commits.write([first, last].map((key) => ({ type: 'del', key })))
        await level.compactRange?.(first, last).catch(fail)
      }
    },
    blind: (bytes) => hmacSha256(keys.index, BLIND_DOMAIN, bytes).slice(0, BLIND_BYTES),
    examine: () => examineRows(level, keys),
    async discard(places) {
      await commits.write(places.map((key) => ({ type: 'del', key })))
    },
    damaged: () => damaged.tables,
    failure: () => commits.failure,
    failed: commits.failed,
    close() {
      closing ??= commits.idle().then(() => level.close().catch(fail))
      return closing
    },
  }
}

/** Rows that could not be opened and are expendable: each counted once. */
class DamagedRows {
  readonly tables = new Map<Table, number>()
  readonly #places = new Set<string>()

  note(place: Uint8Array): void {
    const name = toHex(place)
    if (this.#places.has(name) || this.#places.size >= MAX_DAMAGED) return
    this.#places.add(name)
    const table = place[0] as Table
    this.tables.set(table, (this.tables.get(table) ?? 0) + 1)
  }
}

async function* examineRows(
  level: ByteLevel,
  keys: StoreKeys,
): AsyncGenerator<{ place: Uint8Array; isSound: boolean }> {
  for (let from: Uint8Array = Uint8Array.of(0); ; ) {
    const range = { gte: from, lt: Uint8Array.of(255), limit: EXAMINED_AT_ONCE, reverse: false }
    const found = await level.iterator(range).all().catch(fail)
    for (const [key, value] of found) {
      const place = new Uint8Array(key)
      yield { place, isSound: isSound(keys, place, value) }
      from = concat(place, u8(0))
    }
    if (found.length < EXAMINED_AT_ONCE) return
  }
}

function isSound(keys: StoreKeys, place: Uint8Array, value: Uint8Array): boolean {
  try {
    openRow(keys, place, value)
    return true
  } catch {
    return false
  }
}

function fail(cause: unknown): never {
  throw toStoreError(cause)
}

function badRow(message: string): InternalError {
  return new InternalError('BAD_ROW', message)
}

function prefix(keys: StoreKeys, table: number, scope: Uint8Array): Uint8Array {
  const blinded = hmacSha256(keys.index, u8(table), scope)
  return concat(u8(table), blinded.subarray(0, SCOPE_BYTES))
}

/** Keys in front of and behind all rows of a table. */
function edges(table: Table): [Uint8Array, Uint8Array] {
  return [u8(table), concat(u8(table), new Uint8Array(PREFIX_BYTES + MAX_POSITION_BYTES).fill(0xff))]
}

function diskKey(keys: StoreKeys, { table, scope, position }: RowKey): Uint8Array {
  return concat(prefix(keys, table, scope), checkedPosition(position))
}

function checkedPosition(position: Uint8Array): Uint8Array {
  if (position.length <= MAX_POSITION_BYTES) return position
  throw badRow(`expected a position of at most ${MAX_POSITION_BYTES} bytes, got ${position.length}`)
}

function bounds(keys: StoreKeys, { table, scope, from, to }: RowRange): { gte: Uint8Array; lt: Uint8Array } {
  const start = prefix(keys, table, scope)
  return {
    gte: from === undefined ? start : concat(start, checkedPosition(from)),
    lt: to === undefined ? after(start) : concat(start, checkedPosition(to)),
  }
}

/** The first key behind all that begin with `start`; the table byte is far from 255, so the carry always ends. */
function after(start: Uint8Array): Uint8Array {
  const next = start.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i]! + 1) & 0xff
    if (next[i] !== 0) break
  }
  return next
}

function toOperation(keys: StoreKeys, random: Random, { key, value }: RowChange): ByteOperation {
  const place = diskKey(keys, key)
  if (value === undefined) return { type: 'del', key: place }
  if (value.length > MAX_VALUE_BYTES) {
    throw badRow(`expected a value of at most ${MAX_VALUE_BYTES} bytes, got ${value.length}`)
  }
  const sealed = seal(keys.record, random.bytes(NONCE_BYTES), value, associated(place))
  return { type: 'put', key: place, value: concat(HEADER, sealed) }
}

function associated(place: Uint8Array): Uint8Array {
  return concat(L('row'), place)
}

function openRow(keys: StoreKeys, place: Uint8Array, value: Uint8Array): Uint8Array {
  const known = value.length >= HEADER.length + SEAL_OVERHEAD_BYTES && HEADER.every((byte, i) => value[i] === byte)
  if (!known) throw storeDamaged(`a row of table ${place[0]} has no known form`)
  try {
    return open(keys.record, value.subarray(HEADER.length), associated(place))
  } catch (cause) {
    throw storeDamaged(`a row of table ${place[0]} does not authenticate`, cause)
  }
}
