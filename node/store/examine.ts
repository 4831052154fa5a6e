/**
 * What is wrong with a home that no node holds: its directory, the room on its disk, the vault, the database down to every
 * row. Nothing is changed, apart from what LevelDB does when it opens its
 * files.
 */
import { stat, statfs } from 'node:fs/promises'
import { type KithError, StoreError } from '../errors.ts'
import type { Random } from '../ports.ts'
import { toStoreError } from './byte-level.ts'
import { type HomePaths, homePaths, type HomeRole } from './home-directory.ts'
import { claimClosed, lookAtClosed } from './home-mark.ts'
import { openLevel } from './level.ts'
import { loadMachineKey } from './machine-key.ts'
import { listTables } from './problems.ts'
import { createRowStore, deriveStoreKeys, type RowStore } from './rows.ts'
import { openVault, type Unlock } from './vault.ts'

export interface HomeCheck {
  /** Stable: `home`, `disk`, `vault`, `database`, and what the faces add. */
  name: string
  /** `skipped` when it could not be looked at. */
  state: 'ok' | 'warning' | 'failed' | 'skipped'
  detail: string
  hint?: string
}

/** How the master key is found; a person's vault stays shut without `unlock`. */
export type KeySource =
  | { role: 'node'; unlock: Unlock | undefined }
  | { role: 'relay'; credentialsDirectory: string | undefined; random: Random }

/** Below this a node cannot work for long; below the other it hardly starts. */
const LITTLE_BYTES = 200 * 1024 * 1024
const TOO_LITTLE_BYTES = 20 * 1024 * 1024

/** Directory and disk; may be asked while a node runs. */
export async function checkDirectory(path: string): Promise<HomeCheck[]> {
  const paths = homePaths(path)
  return [await checkHome(paths), await checkDisk(paths)]
}

/**
 * Vault and database. With the key every row is looked at, without it only that it can be read. The home is no other
 * one by it.
 * @throws StoreError `HOME_IN_USE`
 */
export async function checkContents(path: string, source: KeySource): Promise<HomeCheck[]> {
  const paths = homePaths(path)
  let masterKey: Uint8Array | undefined
  let key: HomeCheck
  try {
    masterKey = await masterKeyOf(paths, source)
    key = masterKey
      ? { name: 'vault', state: 'ok', detail: 'opens' }
      : { name: 'vault', state: 'skipped', detail: 'not opened', hint: 'with the passphrase every row is looked at' }
  } catch (error) {
    key = failed('vault', error)
  }
  // opening changes its files: the word of how it was left must be true again afterwards
  const closed = await lookAtClosed(paths)
  const database = await checkDatabase(paths, masterKey)
  if (closed.claimed !== undefined && closed.isAsClaimed) await claimClosed(paths)
  return [key, database]
}

/** The master key; undefined when a passphrase would be needed. @throws StoreError, UsageError as vault and key file do */
export async function masterKeyOf(paths: HomePaths, source: KeySource): Promise<Uint8Array | undefined> {
  if (source.role === 'relay') {
    const { credentialsDirectory, random } = source
    return await loadMachineKey({ path: paths.machineKey, credentialsDirectory, random })
  }
  return source.unlock && (await openVault(paths.vault, source.unlock))
}

export interface RowCounts {
  sound: Map<number, number>
  damaged: Map<number, number>
  /** Keys on the disk of the damaged ones. */
  places: Uint8Array[]
}

/** Looks at every row. @throws StoreError `STORE_DAMAGED`, `STORE_FAILED` when the files themselves cannot be read */
export async function countRows(store: Pick<RowStore, 'examine'>): Promise<RowCounts> {
  const counts: RowCounts = { sound: new Map(), damaged: new Map(), places: [] }
  for await (const { place, isSound } of store.examine()) {
    const table = place[0]!
    const tables = isSound ? counts.sound : counts.damaged
    tables.set(table, (tables.get(table) ?? 0) + 1)
    if (!isSound) counts.places.push(place)
  }
  return counts
}

async function checkHome({ home, role }: HomePaths): Promise<HomeCheck> {
  try {
    const { mode, uid } = await stat(home)
    if (process.geteuid !== undefined && uid !== process.geteuid()) {
      return { name: 'home', state: 'failed', detail: `${home} belongs to another user`, hint: 'run kith as its owner' }
    }
    if ((mode & 0o077) !== 0) {
      const detail = `others can read ${home} (mode ${(mode & 0o777).toString(8)})`
      return { name: 'home', state: 'warning', detail, hint: `chmod 700 ${home}` }
    }
    await stat(role)
    return { name: 'home', state: 'ok', detail: home }
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ENOENT') return failed('home', toStoreError(cause))
    return {
      name: 'home',
      state: 'failed',
      detail: `${home} is no home of kith`,
      hint: 'name another --home, or `kith init`',
    }
  }
}

async function checkDisk({ home }: HomePaths): Promise<HomeCheck> {
  try {
    const { bavail, bsize } = await statfs(home)
    const free = bavail * bsize
    const detail = `${Math.floor(free / 1024 / 1024)} MiB free`
    if (free >= LITTLE_BYTES) return { name: 'disk', state: 'ok', detail }
    const state = free < TOO_LITTLE_BYTES ? 'failed' : 'warning'
    return { name: 'disk', state, detail, hint: 'free some space: a full disk takes no message' }
  } catch (cause) {
    return failed('disk', toStoreError(cause))
  }
}

async function checkDatabase(paths: HomePaths, masterKey: Uint8Array | undefined): Promise<HomeCheck> {
  let level
  try {
    level = await openLevel(paths.db, false)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'HOME_IN_USE') throw error
    return { ...failed('database', error), hint: REPAIR_HINT }
  }
  // without the key nothing is sound, but everything that can be read is counted
  const keys = deriveStoreKeys(masterKey ?? new Uint8Array(32))
  const store = createRowStore(level, keys, { bytes: (length) => new Uint8Array(length) })
  try {
    const { sound, damaged } = await countRows(store)
    const total = [...sound, ...(masterKey ? [] : damaged)].reduce((sum, [, count]) => sum + count, 0)
    if (!masterKey) return { name: 'database', state: 'ok', detail: `opens, ${total} rows, not looked into` }
    if (damaged.size === 0) return { name: 'database', state: 'ok', detail: `${total} rows, all sound` }
    const detail = `${total} rows are sound; damaged: ${listTables(damaged)}`
    return { name: 'database', state: 'failed', detail, hint: REPAIR_HINT }
  } catch (error) {
    return { ...failed('database', error), hint: REPAIR_HINT }
  } finally {
    await store.close()
  }
}

const REPAIR_HINT = '`kith doctor --repair` keeps a copy, then saves what can be read'

function failed(name: string, error: unknown): HomeCheck {
  const { message, hint } = error as KithError
  return { name, state: 'failed', detail: message, ...(hint !== undefined && { hint }) }
}

/** Who lives in the home, by its mark; a person when there is none. */
export function roleOf(mark: string): HomeRole {
  return mark.trim() === 'relay' ? 'relay' : 'node'
}
