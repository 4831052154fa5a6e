/**
 * Whether a home is what kith left (PROTOCOL 9). Two small files beside the database:
 *   mark    16 random bytes, new at every start; the database knows them, and the inode and time of the file
 *   closed  hash over the files of the database, written when it was closed and gone while it is open
 * So a copy, a restored backup, and a database that was changed, damaged or put back after its end are noticed at the next
 * start. Not noticed: snapshots of a file system or a whole machine, a copy of a file over itself that keeps its time
 * (`cp -p`), and damage to a database that was not closed. A friend's echo (PROTOCOL 8) is what is left there.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { equal, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { type Random, type RowKey, type Store, TABLE } from '../ports.ts'
import { bytes, decode, encode, optional, struct } from '../wire/schema.ts'
import { toStoreError } from './byte-level.ts'
import type { HomePaths } from './home-directory.ts'
import { readPrivateFile, syncDirectory, writePrivateFile } from './private-file.ts'

const TOKEN_BYTES = 16
const HASH_BYTES = 32
const ROW: RowKey = { table: TABLE.meta, scope: utf8('mark'), position: new Uint8Array(0) }
const markRow = struct({
  token: [1, bytes(TOKEN_BYTES)],
  /** Hash over inode and time of the file. */
  place: [2, bytes(HASH_BYTES)],
  /** The token that was about to be written: a crash in between is no copy. */
  next: [3, optional(bytes(TOKEN_BYTES))],
})

/** What was seen of a database before it was opened. */
export interface ClosedDatabase {
  /** What `closed` held; undefined when the database was not closed, or this version never ran. */
  claimed: Uint8Array | undefined
  isAsClaimed: boolean
}

/** Looks at a database that is not open yet; must come before `openLevel`, which changes its files. */
export async function lookAtClosed(paths: HomePaths): Promise<ClosedDatabase> {
  const claimed = await readPrivateFile(paths.closed, HASH_BYTES, 0o022)
  if (claimed === undefined) return { claimed, isAsClaimed: true }
  const isAsClaimed = equal(claimed, await hashOfDatabase(paths.db))
  // before LevelDB touches its files: a crash from now on leaves no claim
  if (isAsClaimed) await forgetClosed(paths)
  return { claimed, isAsClaimed }
}

/** Whether the home is something else than what kith left. For the holder of the lock. @throws StoreError */
export async function isHomeChanged(paths: HomePaths, store: Store, closed: ClosedDatabase): Promise<boolean> {
  const encoded = await store.get(ROW)
  const token = await readPrivateFile(paths.mark, TOKEN_BYTES, 0o022)
  if (encoded === undefined) return token !== undefined
  if (!closed.isAsClaimed) {
    // another process may have held the database between the look and the lock; then it has looked itself
    const now = await readPrivateFile(paths.closed, HASH_BYTES, 0o022)
    if (now !== undefined && equal(now, closed.claimed!)) return true
  }
  const known = decode(markRow, encoded, 200)
  if (token === undefined) return true
  if (known.next !== undefined && equal(known.next, token)) return false
  return !(equal(known.token, token) && equal(known.place, await placeOf(paths.mark)))
}

/** Makes the home as it is now the one that kith left. @throws StoreError */
export async function renewMark(paths: HomePaths, store: Store, random: Random): Promise<void> {
  const encoded = await store.get(ROW)
  const known = encoded && decode(markRow, encoded, 200)
  const next = random.bytes(TOKEN_BYTES)
  const before = known ?? { token: next, place: new Uint8Array(HASH_BYTES) }
  await store.write([{ key: ROW, value: encode(markRow, { ...before, next }) }])
  await forgetClosed(paths)
  await writePrivateFile(paths.mark, next)
  await store.write([{ key: ROW, value: encode(markRow, { token: next, place: await placeOf(paths.mark) }) }])
}

/** Makes sure that the next start takes the home for a changed one, whatever its database holds then. @throws StoreError */
export async function scrambleMark(paths: HomePaths, random: Random): Promise<void> {
  await writePrivateFile(paths.mark, random.bytes(TOKEN_BYTES))
}

/** Writes down what the database is like, now that it is closed. @throws StoreError */
export async function claimClosed(paths: HomePaths): Promise<void> {
  await writePrivateFile(paths.closed, await hashOfDatabase(paths.db))
}

async function forgetClosed(paths: HomePaths): Promise<void> {
  try {
    await rm(paths.closed, { force: true })
    await syncDirectory(paths.home)
  } catch (cause) {
    throw toStoreError(cause)
  }
}

async function placeOf(path: string): Promise<Uint8Array> {
  const { ino, mtimeNs } = await stat(path, { bigint: true })
  return sha256(utf8(`${ino} ${mtimeNs}`))
}

/** Names and sizes of all files; of those that are small and decide what the others mean also the bytes. */
async function hashOfDatabase(db: string): Promise<Uint8Array> {
  const hash = createHash('sha256')
  try {
    const entries = await readdir(db, { withFileTypes: true })
    for (const name of entries
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .toSorted()) {
      if (name === 'LOCK' || name.startsWith('LOG')) continue
      const path = join(db, name)
      hash.update(`${name} ${(await stat(path)).size}\n`)
      if (name.endsWith('.ldb')) continue
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
    }
  } catch (cause) {
    // a file or all of it is gone: that is no hash which was ever claimed
    if ((cause as { code?: unknown }).code !== 'ENOENT') throw toStoreError(cause)
    hash.update('gone')
  }
  return new Uint8Array(hash.digest())
}
