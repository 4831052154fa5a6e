/** Small files that only their owner may read: written whole or not at all, and refused when others could have read them. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { StoreError } from '../errors.ts'
import { toStoreError } from './byte-level.ts'

/**
 * Replaces the file at `path` (mode 0600) and syncs it and its directory.
 * @throws StoreError `STORE_FULL`, `STORE_FAILED`
 */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFileAtomic(path, Buffer.from(bytes), { mode: 0o600, fsync: true })
    await syncDirectory(dirname(path))
  } catch (cause) {
    throw toStoreError(cause)
  }
}

/**
 * The bytes of the file at `path`, or undefined when there is none. Nothing is read before size and mode are looked at.
 * @param forbidden mode bits that must not be set, for example 0o077
 * @throws StoreError `FILE_UNSAFE` (mode, owner, not a file), `FILE_OVERSIZED`, `STORE_FAILED`
 */
export async function readPrivateFile(
  path: string,
  maxBytes: number,
  forbidden: number,
): Promise<Uint8Array | undefined> {
  let file
  try {
    file = await open(path, constants.O_RDONLY)
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined
    throw toStoreError(cause)
  }
  try {
    const { mode, size } = await file.stat()
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw unsafe(`${path} is not a file`)
    if ((mode & forbidden) !== 0) {
      throw unsafe(`${path} can be read or written by others (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${path}`)
    }
    if (size > maxBytes) {
      throw new StoreError('FILE_OVERSIZED', `expected at most ${maxBytes} bytes in ${path}, got ${size}`)
    }
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}

function unsafe(message: string, hint?: string): StoreError {
  return new StoreError('FILE_UNSAFE', message, { hint })
}

/** Makes what was created, renamed or deleted in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
