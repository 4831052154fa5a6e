/**
 * Saves what can be read of a damaged database: a copy first, then LevelDB's own repair where its files do not open, then row
 * by row. What does not authenticate goes. Afterwards a person's home counts as changed: sessions in it may have been set
 * back, so nothing is sent in them (home-mark.ts).
 */
import { cp } from 'node:fs/promises'
import { u32 } from '../crypto/bytes.ts'
import { StoreError, UsageError } from '../errors.ts'
import type { Random } from '../ports.ts'
import { type ByteLevel, toStoreError } from './byte-level.ts'
import { countRows, type KeySource, masterKeyOf, type RowCounts } from './examine.ts'
import { type HomePaths, homePaths } from './home-directory.ts'
import { SCHEMA_ROW, SCHEMA_VERSION } from './home.ts'
import { scrambleMark } from './home-mark.ts'
import { openLevel, repairLevel } from './level.ts'
import { nameOfTable } from './problems.ts'
import { createRowStore, deriveStoreKeys, type RowStore } from './rows.ts'

export interface Repaired {
  /** Where the damaged database was copied. */
  copy: string
  /** LevelDB's files had to be put together anew: rows in files that could not be read are in neither count. */
  isRebuilt: boolean
  /** Rows by table. */
  kept: Record<string, number>
  /** Rows that were there and did not authenticate, by table. */
  lost: Record<string, number>
}

/**
 * @param now for the name of the copy, milliseconds
 * @throws StoreError `HOME_IN_USE`, `STORE_FULL`, what the vault throws; UsageError `PASSPHRASE_NEEDED`
 */
export async function repairHome(path: string, source: KeySource, random: Random, now: number): Promise<Repaired> {
  const paths = homePaths(path)
  const masterKey = await masterKeyOf(paths, source)
  if (masterKey === undefined)
    throw new UsageError('PASSPHRASE_NEEDED', 'the passphrase is needed to tell what is sound')
  const keys = deriveStoreKeys(masterKey)
  const copy = `${paths.db}.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
  let level = await openOrRefuse(paths)
  await level?.close()
  await cp(paths.db, copy, { recursive: true, preserveTimestamps: true, errorOnExist: true }).catch(
    (cause: unknown) => {
      throw toStoreError(cause)
    },
  )
  // before anything changes: a crash in between must not leave sessions that were set back and may send
  if (source.role === 'node') await scrambleMark(paths, random)
  level = await openOrRefuse(paths)
  let store = level && createRowStore(level, keys, random)
  let counts = store && (await countOrUndefined(store))
  const isRebuilt = counts === undefined
  if (!store || !counts) {
    await store?.close()
    await repairLevel(paths.db)
    store = createRowStore(await openLevel(paths.db, false), keys, random)
    counts = await countRows(store)
  }
  try {
    if (counts.places.length > 0) await store.discard(counts.places)
    const isEmpty = counts.sound.size === 0
    if (!isEmpty) await store.write([{ key: SCHEMA_ROW, value: u32(SCHEMA_VERSION) }])
    return { copy, isRebuilt, kept: byName(counts.sound), lost: byName(counts.damaged) }
  } finally {
    await store.close()
  }
}

/** Undefined when LevelDB cannot open its files. @throws StoreError `HOME_IN_USE` */
async function openOrRefuse(paths: HomePaths): Promise<ByteLevel | undefined> {
  try {
    return await openLevel(paths.db, false)
  } catch (error) {
    if (error instanceof StoreError && ['STORE_DAMAGED', 'STORE_FAILED'].includes(error.code)) return undefined
    throw error
  }
}

async function countOrUndefined(store: RowStore): Promise<RowCounts | undefined> {
  try {
    return await countRows(store)
  } catch (error) {
    if (error instanceof StoreError && ['STORE_DAMAGED', 'STORE_FAILED'].includes(error.code)) return undefined
    throw error
  }
}

function byName(counts: ReadonlyMap<number, number>): Record<string, number> {
  return Object.fromEntries([...counts].map(([table, count]) => [nameOfTable(table), count]))
}
