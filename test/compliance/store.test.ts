/** The store on LevelDB, as it runs in production, and on memory-level, as it runs in tests. */
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import type { ByteLevel } from '../../node/store/byte-level.ts'
import { openLevel } from '../../node/store/level.ts'
import { createRowStore, deriveStoreKeys } from '../../node/store/rows.ts'
import { countingRandom } from '../support/counting-random.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { storeCompliance, type StoreUnderTest } from './store.ts'

function over(level: ByteLevel): StoreUnderTest {
  const store = createRowStore(level, deriveStoreKeys(new Uint8Array(32)), countingRandom())
  return { store, close: () => store.close() }
}

describe('rows', () => {
  const temporaryDirectory = temporaryDirectories()
  storeCompliance('encrypted rows over level', async () =>
    over(await openLevel(join(await temporaryDirectory(), 'db'), true)),
  )
  storeCompliance('encrypted rows over memory-level', async () => {
    const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
    await level.open()
    return over(level)
  })
})
