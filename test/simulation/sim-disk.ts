/**
 * The disk of a simulated node. Rows lie in the clear: encryption at rest belongs to `node/store` and is tested there,
 * here speed counts. What was acknowledged survives every crash; of the batches that still waited for their sync a
 * seeded number survives, in order, each whole or not at all.
 */
import { hmacSha256 } from '../../node/crypto/hash.ts'
import { InternalError, StoreError } from '../../node/errors.ts'
import type { RowChange, RowKey, RowRange, Store } from '../../node/ports.ts'
import { MAX_POSITION_BYTES, MAX_VALUE_BYTES } from '../../node/store/rows.ts'
import type { Engine } from './engine.ts'
import type { Incarnation } from './incarnation.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SortedRows } from './sorted-rows.ts'
import type { TracePart } from './trace.ts'

const MAX_READ_MS = 1

interface Batch {
  changes: RowChange[]
  /** Its sync has begun. */
  syncing: boolean
  acknowledge: () => void
}

/** What lay on a disk at one moment; belongs to the test, which may put it back on any disk. */
export interface DiskImage {
  readonly rows: SortedRows
  /** The key of `blind`, 32 bytes: a home that is copied takes it along. */
  readonly blindKey: Uint8Array
}

export class SimDisk {
  /** While set, writes are refused with this code and change nothing. */
  refusing: 'STORE_FULL' | 'STORE_FAILED' | undefined
  /** Told of each batch when it is on the disk for good, in order and before it is acknowledged. */
  onDurable: ((changes: readonly RowChange[]) => void) | undefined
  readonly #engine: Engine
  readonly #random: SeededRandom
  #blindKey: Uint8Array
  #rows = new SortedRows()
  #waiting: Batch[] = []

  constructor(engine: Engine, node: string) {
    this.#engine = engine
    this.#random = engine.random.fork(`disk of ${node}`)
    this.#blindKey = this.#random.fork('blind').bytes(32)
  }

  /** The Store of one life of the node. */
  open(life: Incarnation): Store {
    return {
      get: (key) => life.call('store.get', partsOfKey(key), () => this.#read(life, () => this.#rows.get(key))),
      list: (range) =>
        life.call('store.list', partsOfRange(range), () => this.#read(life, () => this.#rows.list(range))),
      write: (changes) => life.call('store.write', partsOfChanges(changes), () => this.#write(life, changes)),
      blind: (bytes) => this.blind(bytes),
    }
  }

  /** What a crash leaves: everything acknowledged and a seeded number of the batches that were under way. */
  crash(): void {
    const kept = this.#random.int(0, this.#waiting.length)
    const waiting = this.#waiting
    this.#waiting = []
    this.#engine.faults.batchesKept += kept
    this.#engine.faults.batchesLost += waiting.length - kept
    for (const batch of waiting.slice(0, kept)) this.#apply(batch)
  }

  /** A copy of what is on the disk now. */
  image(): DiskImage {
    return { rows: this.#rows.copy(), blindKey: this.#blindKey }
  }

  /** Puts an image in the place of what is on the disk; the node must be down. */
  restore(image: DiskImage): void {
    this.#rows = image.rows.copy()
    this.#blindKey = image.blindKey
  }

  /** A new, empty disk; the node must be down. */
  wipe(): void {
    this.#rows = new SortedRows()
  }

  /** What is on the disk now, to be looked at and not to be changed. */
  get rows(): Pick<SortedRows, 'get' | 'list' | 'count'> {
    return this.#rows
  }

  /** As the `blind` of its Store. */
  blind(bytes: Uint8Array): Uint8Array {
    return hmacSha256(this.#blindKey, bytes).slice(0, 8)
  }

  #apply({ changes }: Batch): void {
    this.#rows.apply(changes)
    this.onDurable?.(changes)
  }

  // Some reads see the disk as it was when they were called, others as it is when they are answered.
  #read<T>(life: Incarnation, look: () => T): Promise<T> {
    const early = this.#random.chance(0.5) ? { seen: look() } : undefined
    return life.later(this.#random.int(0, MAX_READ_MS), () => (early === undefined ? look() : early.seen))
  }

  async #write(life: Incarnation, changes: readonly RowChange[]): Promise<void> {
    const copies = changes.map(copyOfChange)
    const { refusing } = this
    if (refusing !== undefined) {
      this.#engine.faults.writesFailed++
      return life.later(MAX_READ_MS, () => {
        throw new StoreError(refusing, refusing === 'STORE_FULL' ? 'the disk is full' : 'the disk does not write')
      })
    }
    return life.promise<void>((resolve) => {
      this.#waiting.push({ changes: copies, syncing: false, acknowledge: () => resolve() })
      if (!this.#waiting.some((batch) => batch.syncing)) this.#sync(life)
    })
  }

  /** One sync covers all that waits when it begins, as in LevelDB; what comes meanwhile waits for the next. */
  #sync(life: Incarnation): void {
    for (const batch of this.#waiting) batch.syncing = true
    life.after(this.#random.int(...this.#engine.rates.syncMs), () => {
      const done = this.#waiting.filter((batch) => batch.syncing)
      this.#waiting = this.#waiting.filter((batch) => !batch.syncing)
      for (const batch of done) this.#apply(batch)
      for (const batch of done) batch.acknowledge()
      if (this.#waiting.length > 0) this.#sync(life)
    })
  }
}

function copyOfChange({ key, value }: RowChange): RowChange {
  const { table, scope, position } = key
  if (position.length > MAX_POSITION_BYTES || (value !== undefined && value.length > MAX_VALUE_BYTES)) {
    throw new InternalError('BAD_ROW', `expected at most ${MAX_POSITION_BYTES} and ${MAX_VALUE_BYTES} bytes in a row`)
  }
  return {
    key: { table, scope: new Uint8Array(scope), position: new Uint8Array(position) },
    value: value === undefined ? undefined : new Uint8Array(value),
  }
}

function partsOfKey({ table, scope, position }: RowKey): TracePart[] {
  return [table, scope, position]
}

function partsOfRange({ table, scope, from, to, limit, reverse }: RowRange): TracePart[] {
  return [table, scope, from, to, limit, String(reverse)]
}

function partsOfChanges(changes: readonly RowChange[]): TracePart[] {
  return changes.flatMap(({ key, value }) => [...partsOfKey(key), value])
}
