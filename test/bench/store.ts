/** Synced messages a second into the encrypted store, beside bare Level with as many rows of the same sizes. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Level } from 'level'
import type { RowChange } from '../../node/ports.ts'
import { openLevel } from '../../node/store/level.ts'
import { createRowStore, deriveStoreKeys, type RowStore } from '../../node/store/rows.ts'
import { systemRandom } from '../../node/system.ts'
import type { Bench } from './bench.ts'
import { byTurns, type Case } from './measure.ts'
import { batchBytes, freshBatch, recordBatches } from './recorded-batches.ts'
import { Group } from './report.ts'

const AT_ONCE = 64
/** What a row on the disk has in front of its position, and around its value. */
const PREFIX_BYTES = 17
const ROW_OVERHEAD_BYTES = 45

export async function benchStore(bench: Bench): Promise<Group> {
  const { received } = await recordBatches()
  const group = new Group(
    `Store: one received message is ${received.length} rows, ${batchBytes(received)} bytes, synced`,
  )
  const turns = { rounds: bench.amount(7, 2), count: bench.amount(512, 64) }
  const store = await openStore(bench)
  const bare = await openBare(bench)
  let i = 0
  const ours = async (): Promise<void> => await store.write(freshBatch(received, i++))
  const raw = async (): Promise<void> => await bare.batch(bareBatch(received, i++), { sync: true })
  const rates = await byTurns(
    {
      bare: inTurn(raw, 1),
      store: inTurn(ours, 1),
      bareAtOnce: inTurn(raw, AT_ONCE),
      storeAtOnce: inTurn(ours, AT_ONCE),
    },
    turns,
  )
  const n = turns.rounds * turns.count
  const base = group.rate('bare Level, one after another', n, rates.bare)
  group.rate('store, one after another', n, rates.store, base)
  const baseAtOnce = group.rate(`bare Level, ${AT_ONCE} at once`, n, rates.bareAtOnce)
  group.rate(`store, ${AT_ONCE} at once`, n, rates.storeAtOnce, baseAtOnce)
  group.note('the store encrypts each row and blinds its key; batches that come while one is synced go as one')
  return group
}

/** A new encrypted store on the disk; closed with the group. */
export async function openStore(bench: Bench): Promise<RowStore> {
  const level = await openLevel(join(await bench.directory(), 'db'), true)
  const store = createRowStore(level, deriveStoreKeys(randomBytes(32)), systemRandom)
  bench.atEnd(() => store.close())
  return store
}

/** Received messages a second into a bare Level, as rows of the same sizes, many at once. */
export async function bareRate(bench: Bench, count: number): Promise<number[]> {
  const { received } = await recordBatches()
  const bare = await openBare(bench)
  let i = 0
  const raw = async (): Promise<void> => await bare.batch(bareBatch(received, i++), { sync: true })
  const { bare: rates } = await byTurns({ bare: inTurn(raw, AT_ONCE) }, { rounds: 3, count })
  return rates
}

async function openBare(bench: Bench): Promise<Level<Uint8Array, Uint8Array>> {
  const options = { keyEncoding: 'view', valueEncoding: 'view', compression: false } as const
  const level = new Level<Uint8Array, Uint8Array>(join(await bench.directory(), 'db'), options)
  await level.open()
  bench.atEnd(() => level.close())
  return level
}

/** As many rows, keys of the same length and values of the same size; the values lie ready. */
function bareBatch(changes: readonly RowChange[], i: number) {
  return freshBatch(changes, i).map(({ key, value }) => {
    const place = new Uint8Array(PREFIX_BYTES + key.position.length)
    place[0] = key.table
    place.set(key.position, PREFIX_BYTES)
    if (value === undefined) return { type: 'del' as const, key: place }
    return { type: 'put' as const, key: place, value: noise(value.length + ROW_OVERHEAD_BYTES) }
  })
}

const pool = randomBytes(1024 * 1024)

function noise(length: number): Uint8Array {
  return pool.subarray(0, length)
}

function inTurn(work: () => Promise<void>, atOnce: number): Case {
  return async (count) => {
    const begin = performance.now()
    const worker = async (): Promise<void> => {
      for (let done = 0; done < count / atOnce; done++) await work()
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return performance.now() - begin
  }
}
