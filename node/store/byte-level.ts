/**
 * What the store needs of an abstract-level database with keys and values as byte arrays, and what the errors of such a
 * database mean here. It imports no database: production opens Level (level.ts), tests and simulations memory-level.
 */
import { KithError, StoreError } from '../errors.ts'

export type ByteOperation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

export interface ByteRange {
  gte: Uint8Array
  lt: Uint8Array
  limit: number
  reverse: boolean
}

/** The part of abstract-level that is used; create it with `keyEncoding: 'view'` and `valueEncoding: 'view'`. */
export interface ByteLevel {
  open(): Promise<void>
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  batch(operations: ByteOperation[], options: { sync: boolean }): Promise<void>
  iterator(range: ByteRange): { all(): Promise<[Uint8Array, Uint8Array][]> }
  /** @throws StoreError `STORE_GONE` when what is written no longer lies where it was opened */
  checkPlace?(): Promise<void>
  /** Merges the files that hold keys of a range, `end` excluded: what was overwritten there is left out. */
  compactRange?(start: Uint8Array, end: Uint8Array): Promise<void>
  /** Deletes everything. */
  clear(): Promise<void>
  close(): Promise<void>
}

const CLOSED = new Set(['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ITERATOR_NOT_OPEN'])
const FULL = /no space left|quota exceeded|ENOSPC|EDQUOT/i
const READ_ONLY = /read-only file system|EROFS/i

/** The StoreError that an error of the database stands for; a KithError stays what it is. */
export function toStoreError(cause: unknown): KithError {
  if (cause instanceof KithError) return cause
  const { code, message } = cause as { code?: unknown; message?: unknown }
  if (typeof code === 'string' && CLOSED.has(code)) return storeClosed()
  if (code === 'LEVEL_CORRUPTION') return storeDamaged('the database is damaged', cause)
  // LevelDB gives the errno of the system as text only.
  if (FULL.test(`${String(code)} ${String(message)}`)) {
    return new StoreError('STORE_FULL', 'no space left on the disk', {
      hint: 'free some space, then start kith again',
      cause,
    })
  }
  if (READ_ONLY.test(`${String(code)} ${String(message)}`)) {
    return new StoreError('STORE_READ_ONLY', 'the disk may only be read', {
      hint: 'mount it for writing, or copy the home elsewhere, then start kith again',
      cause,
    })
  }
  return new StoreError('STORE_FAILED', 'the disk did not do what was asked', {
    hint: 'look at the disk and its permissions, then start kith again',
    cause,
  })
}

export function storeClosed(): StoreError {
  return new StoreError('STORE_CLOSED', 'the store is closed')
}

export function storeDamaged(message: string, cause?: unknown): StoreError {
  return new StoreError('STORE_DAMAGED', message, {
    hint: '`kith doctor` says what is damaged and what can be done',
    cause,
  })
}
