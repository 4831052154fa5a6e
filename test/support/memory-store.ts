/**
 * The Store port over a Map with sorted keys: rows in the clear, nothing on a disk. Each call takes a few microtasks, so
 * that code which forgets to wait or to serialise shows it. `fail` makes the next writes break.
 */
import { toHex } from '../../node/crypto/bytes.ts'
import { hmacSha256 } from '../../node/crypto/hash.ts'
import { StoreError } from '../../node/errors.ts'
import type { Row, RowChange, RowKey, RowRange, Store } from '../../node/ports.ts'

export interface MemoryStore extends Store {
  /** Batches written so far. */
  readonly writes: number
  /** Rows held now. */
  readonly size: number
  /** The next `count` writes throw `STORE_FAILED` and change nothing. */
  fail(count: number): void
  /** The next `count` reads throw `STORE_FAILED`. */
  failReads(count: number): void
  /** Writes wait for this promise before they change anything. */
  gate: Promise<void> | undefined
  /** Called at the end of each write, before its promise resolves. */
  onWrite(listener: (changes: readonly RowChange[]) => void): void
  /** A text of every row, sorted: two stores with one content give one text. */
  dump(): string
  /** From now on every call throws `STORE_CLOSED`. */
  close(): void
}

interface Shelf {
  /** Positions in hex, sorted: hex keeps the order of bytes. */
  order: string[]
  rows: Map<string, Row>
}

const shelfName = (key: { table: number; scope: Uint8Array }): string => `${key.table}/${toHex(key.scope)}`

async function pause(): Promise<void> {
  for (let i = 0; i < 3; i++) await Promise.resolve()
}

export function createMemoryStore(): MemoryStore {
  const shelves = new Map<string, Shelf>()
  const blindKey = new Uint8Array(32).fill(7)
  let writes = 0
  let failures = 0
  let readFailures = 0
  let closed = false
  let listener: ((changes: readonly RowChange[]) => void) | undefined

  const checkOpen = (): void => {
    if (closed) throw new StoreError('STORE_CLOSED', 'store is closed')
  }

  const failRead = (): void => {
    if (readFailures === 0) return
    readFailures--
    throw new StoreError('STORE_FAILED', 'read was made to fail')
  }

  function apply({ key, value }: RowChange): void {
    if (key.position.length > 24)
      throw new RangeError(`expected a position of at most 24 bytes, got ${key.position.length}`)
    const name = shelfName(key)
    const position = toHex(key.position)
    let shelf = shelves.get(name)
    if (!shelf) {
      shelf = { order: [], rows: new Map() }
      shelves.set(name, shelf)
    }
    if (value === undefined) {
      if (shelf.rows.delete(position)) shelf.order.splice(lowerBound(shelf.order, position), 1)
      if (shelf.order.length === 0) shelves.delete(name)
      return
    }
    if (!shelf.rows.has(position)) shelf.order.splice(lowerBound(shelf.order, position), 0, position)
    shelf.rows.set(position, { position: key.position.slice(), value: value.slice() })
  }

  return {
    get writes() {
      return writes
    },
    get size() {
      let size = 0
      for (const shelf of shelves.values()) size += shelf.order.length
      return size
    },
    gate: undefined,
    fail(count) {
      failures = count
    },
    failReads(count) {
      readFailures = count
    },
    onWrite(run) {
      listener = run
    },
    dump() {
      const lines: string[] = []
      for (const [name, shelf] of shelves) {
        for (const position of shelf.order) lines.push(`${name}/${position}=${toHex(shelf.rows.get(position)!.value)}`)
      }
      return lines.sort().join('\n')
    },
    close() {
      closed = true
    },
    async get(key: RowKey) {
      checkOpen()
      await pause()
      failRead()
      return shelves.get(shelfName(key))?.rows.get(toHex(key.position))?.value.slice()
    },
    async list(range: RowRange) {
      checkOpen()
      await pause()
      failRead()
      const shelf = shelves.get(shelfName(range))
      if (!shelf) return []
      const start = range.from === undefined ? 0 : lowerBound(shelf.order, toHex(range.from))
      const end = range.to === undefined ? shelf.order.length : lowerBound(shelf.order, toHex(range.to))
      const limit = range.limit ?? 1000
      const count = Math.max(0, Math.min(limit, end - start))
      const places = range.reverse
        ? shelf.order.slice(end - count, end).toReversed()
        : shelf.order.slice(start, start + count)
      return places.map((place) => {
        const row = shelf.rows.get(place)!
        return { position: row.position.slice(), value: row.value.slice() }
      })
    },
    async write(changes) {
      checkOpen()
      await pause()
      await this.gate
      if (failures > 0) {
        failures--
        throw new StoreError('STORE_FAILED', 'write was made to fail')
      }
      for (const change of changes) apply(change)
      writes++
      listener?.(changes)
      await pause()
    },
    blind(bytes) {
      return hmacSha256(blindKey, bytes).slice(0, 8)
    },
  }
}

function lowerBound(order: readonly string[], position: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]! < position) low = middle + 1
    else high = middle
  }
  return low
}
