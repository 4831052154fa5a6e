/**
 * A mark on the disk that stands while a node runs (PROTOCOL 4): found at a start, it says that the last run did not end
 * by itself, and that what the disk had confirmed then may be gone.
 */
import { utf8 } from '../crypto/bytes.ts'
import { StoreError } from '../errors.ts'
import { type RowKey, type Store, TABLE } from '../ports.ts'

const ROW: RowKey = { table: TABLE.meta, scope: utf8('running'), position: new Uint8Array(0) }
const STANDS = new Uint8Array(1)

/** Sets the mark. @returns whether it is sure that the last run took it away, or that there was none */
export async function beginRun(store: Store): Promise<boolean> {
  if (await store.get(ROW)) return false
  try {
    await store.write([{ key: ROW, value: STANDS }])
    return true
  } catch (error) {
    // a disk that takes nothing now: the node comes up, and trusts it less
    if (error instanceof StoreError) return false
    throw error
  }
}

/** Takes the mark away: everything that was written is on the disk. */
export async function endRun(store: Store): Promise<void> {
  await store.write([{ key: ROW, value: undefined }])
}
