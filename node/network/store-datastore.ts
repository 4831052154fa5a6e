/**
 * libp2p's datastore over the Store port: peers and DHT records, encrypted at rest like everything else (ARCHITECTURE).
 * Writes are gathered for a second into one batch, since the peer store writes several times for each connection and a
 * batch is synced; what a crash loses is a cache. Bounds and order of records are GuardedDatastore's.
 */
import { BaseDatastore } from 'datastore-core'
import { NotFoundError } from '@libp2p/interface'
import { type KeyQuery, type Pair, type Query, Key } from 'interface-datastore'
import { concat, readUint, u16, utf8 } from '../crypto/bytes.ts'
import { type Logger, type RowChange, type RowKey, type Store, TABLE } from '../ports.ts'

const GATHER_MS = 1000
/** Rows that may wait; more are written at once, and the writer waits. */
const MAX_GATHERED = 512
const PAGE_ROWS = 256

/** Prefixes with a scope of their own, so that a query over one of them reads no other rows. */
const SCOPES = ['/peers/', '/dht/record/', ''] as const

export class StoreDatastore extends BaseDatastore {
  readonly #store: Store
  readonly #logger: Logger
  /** What is not written yet, by key; undefined: to be deleted. */
  #gathered = new Map<string, Uint8Array | undefined>()
  /** What is being written. */
  #writing = new Map<string, Uint8Array | undefined>()
  #flushing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(store: Store, logger: Logger) {
    super()
    this.#store = store
    this.#logger = logger
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await this.#change(key.toString(), value)
    return key
  }

  override async delete(key: Key): Promise<void> {
    await this.#change(key.toString(), undefined)
  }

  override async get(key: Key): Promise<Uint8Array> {
    const value = await this.#read(key.toString())
    if (value === undefined) throw new NotFoundError('no such key')
    return value
  }

  override async has(key: Key): Promise<boolean> {
    return (await this.#read(key.toString())) !== undefined
  }

  // oxlint-disable-next-line no-underscore-dangle -- the base class's name
  override async *_all(query: Query): AsyncGenerator<Pair> {
    await this.flush()
    for (const scope of scopesOf(query.prefix)) {
      let from: Uint8Array | undefined
      for (;;) {
        const rows = await this.#store.list({ table: TABLE.datastore, scope: utf8(scope), from, limit: PAGE_ROWS })
        for (const row of rows) {
          const { key, value } = decodeRow(row.value)
          yield { key: new Key(key, false), value }
        }
        if (rows.length < PAGE_ROWS) break
        from = concat(rows.at(-1)!.position, new Uint8Array(1))
      }
    }
  }

  // oxlint-disable-next-line no-underscore-dangle -- the base class's name
  override async *_allKeys(query: KeyQuery): AsyncGenerator<Key> {
    // oxlint-disable-next-line no-underscore-dangle -- the base class's name
    for await (const { key } of this._all({ prefix: query.prefix })) yield key
  }

  /** Writes what waits. An error of the store is logged and the rows are given up: they are a cache. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing = this.#flushing.then(() => this.#flush())
    return this.#flushing
  }

  /** Flushes; what is written later is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  async #flush(): Promise<void> {
    if (this.#gathered.size === 0) return
    this.#writing = this.#gathered
    this.#gathered = new Map()
    const changes: RowChange[] = [...this.#writing].map(([key, value]) => ({
      key: this.#rowKey(key),
      value: value === undefined ? undefined : encodeRow(key, value),
    }))
    try {
      await this.#store.write(changes)
    } catch (error) {
      this.#logger.warn('the cache of peers and records was not written', { rows: changes.length, error })
    }
    this.#writing = new Map()
  }

  async #change(key: string, value: Uint8Array | undefined): Promise<void> {
    if (this.#isClosed) return
    this.#gathered.set(key, value)
    if (this.#gathered.size >= MAX_GATHERED) await this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS)
  }

  async #read(key: string): Promise<Uint8Array | undefined> {
    for (const pending of [this.#gathered, this.#writing]) {
      if (pending.has(key)) return pending.get(key)
    }
    const row = await this.#store.get(this.#rowKey(key))
    if (row === undefined) return undefined
    const decoded = decodeRow(row)
    return decoded.key === key ? decoded.value : undefined
  }

  #rowKey(key: string): RowKey {
    const [scope] = scopesOf(key)
    return { table: TABLE.datastore, scope: utf8(scope!), position: this.#store.blind(utf8(key)) }
  }
}

/** The scope that holds every key of a prefix, or all of them. */
function scopesOf(prefix: string | undefined): readonly string[] {
  if (prefix === undefined) return SCOPES
  const scope = SCOPES.find((one) => one !== '' && prefix.startsWith(one))
  if (scope !== undefined) return [scope]
  return SCOPES.some((one) => one.startsWith(prefix) && one !== '') ? SCOPES : ['']
}

/** A row names its key, since its position is only a MAC of it: u16 length || key || value. */
function encodeRow(key: string, value: Uint8Array): Uint8Array {
  const name = utf8(key)
  return concat(u16(name.length), name, value)
}

function decodeRow(row: Uint8Array): { key: string; value: Uint8Array } {
  const end = 2 + readUint(row, 0, 2)
  return { key: new TextDecoder().decode(row.subarray(2, end)), value: row.slice(end) }
}
