/** Opens and repairs LevelDB, whose lock file is what keeps a home directory to one process. The only importer of `level`. */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { StoreError } from '../errors.ts'
import { type ByteLevel, storeDamaged, toStoreError } from './byte-level.ts'

/** LevelDB repairs what it can read; the types of `level` leave it out, as browsers have none. */
const repairer = Level as unknown as { repair(location: string): Promise<void> }
const MISSING = /does not exist|no such file/i

/**
 * Opens the database in the directory `location` (0700).
 * @param create makes one where none is; without it a database that has lost its files is damaged, and stays as it is
 * @throws StoreError `HOME_IN_USE` when another process, or another store of this one, has it open; `STORE_DAMAGED`,
 *   `STORE_FULL`, `STORE_READ_ONLY`, `STORE_FAILED`
 */
export async function openLevel(location: string, create: boolean): Promise<ByteLevel> {
  if (create) {
    await mkdir(location, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw toStoreError(cause)
    })
  }
  // LevelDB would make a new database there, and delete the files of the old one
  if (create && (await hasLostItsList(location))) throw storeDamaged('files of the database are missing')
  // Rows are ciphertext: compressing them costs time and wins nothing.
  const options = { keyEncoding: 'view', valueEncoding: 'view', compression: false, createIfMissing: create } as const
  const level = new Level<Uint8Array, Uint8Array>(location, options)
  try {
    await level.open()
  } catch (error) {
    throw openingError((error as { cause?: unknown }).cause ?? error)
  }
  const lock = join(location, 'LOCK')
  const { ino } = await stat(lock)
  return Object.assign(level, {
    async checkPlace() {
      const there = await stat(lock).catch(() => undefined)
      if (there?.ino === ino) return
      throw new StoreError('STORE_GONE', 'the home directory is gone: what is written now would be lost', {
        hint: 'stop kith and put the directory back',
      })
    },
  }) as ByteLevel
}

/**
 * Lets LevelDB build a new list of its files from those that can be read; rows in others are lost.
 * @throws StoreError `HOME_IN_USE`, `STORE_FULL`, `STORE_READ_ONLY`, `STORE_FAILED`
 */
export async function repairLevel(location: string): Promise<void> {
  await repairer.repair(location).catch((cause: unknown) => {
    throw openingError(cause)
  })
}

async function hasLostItsList(location: string): Promise<boolean> {
  const names = await readdir(location)
  return !names.includes('CURRENT') && names.some((name) => /\.(ldb|log)$/.test(name))
}

function openingError(cause: unknown): Error {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (code === 'LEVEL_LOCKED') {
    return new StoreError('HOME_IN_USE', 'another kith is using this home', {
      hint: 'talk to the one that runs, or stop it first',
      cause,
    })
  }
  if (MISSING.test(String(message))) return storeDamaged('files of the database are missing', cause)
  return toStoreError(cause)
}
