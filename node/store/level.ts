/** Opens LevelDB, whose lock file is what keeps a home directory to one process. The only importer of `level`. */
import { mkdir } from 'node:fs/promises'
import { Level } from 'level'
import { StoreError } from '../errors.ts'
import { type ByteLevel, toStoreError } from './byte-level.ts'

/**
 * Opens or creates the database in the directory `location` (0700).
 * @throws StoreError `HOME_IN_USE` when another process, or another store of this one, has it open; `STORE_DAMAGED`,
 *   `STORE_FULL`, `STORE_FAILED`
 */
export async function openLevel(location: string): Promise<ByteLevel> {
  await mkdir(location, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw toStoreError(cause)
  })
  // Rows are ciphertext: compressing them costs time and wins nothing.
  const options = { keyEncoding: 'view', valueEncoding: 'view', compression: false } as const
  const level = new Level<Uint8Array, Uint8Array>(location, options)
  try {
    await level.open()
  } catch (error) {
    const { cause } = error as { cause?: { code?: unknown } }
    if (cause?.code === 'LEVEL_LOCKED') {
      throw new StoreError('HOME_IN_USE', 'another kith is using this home', {
        hint: 'talk to the one that runs, or stop it first',
        cause,
      })
    }
    throw toStoreError(cause ?? error)
  }
  return level
}
