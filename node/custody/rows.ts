/**
 * What a mailbox server keeps (PROTOCOL 6): the rows, where they lie, and nothing about who anybody is. Times are
 * seconds rounded to the hour.
 *
 *   claim         scope none      position blind(address)                          the two keys, counts, or the release
 *   copy          scope address   position u64                                     the copy as it came
 *   tombstone     scope address   position blind(cid)                              slip: what is known of a copy, held or acknowledged
 *   tombstone     scope none      position u32 hour || blind(address) || item || u8 type   what expires in which hour
 *   proof         scope address   position blind(command)                          R's own signed ACK
 *   servedRecord  scope none      position blind(key)                              a DHT record
 */
import { concat, u8, u32, u64 } from '../crypto/bytes.ts'
import { StoreError } from '../errors.ts'
import * as limits from '../limits.ts'
import { type Row, type RowChange, type RowKey, type RowRange, type Store, TABLE } from '../ports.ts'
import { hash32, seconds } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, type Infer, optional, type Shape, struct, uint } from '../wire/schema.ts'

export const NO_SCOPE = new Uint8Array(0)
export const HOUR_SECONDS = 3600
export const DAY_SECONDS = 86_400
export const WEEK_SECONDS = 7 * DAY_SECONDS

export const hourBefore = (time: number): number => time - (time % HOUR_SECONDS)
export const hourAfter = (time: number): number => hourBefore(time + HOUR_SECONDS - 1)

export const claimRow = struct({
  address: [1, hash32],
  kind: [2, uint(255)],
  writer: [3, bytes(32)],
  reader: [4, bytes(32)],
  until: [5, seconds],
  /** Position of the next copy. */
  next: [6, uint()],
  /** Held now; `bytes` are those of the copies alone. */
  copies: [7, uint()],
  bytes: [8, uint()],
  tombstones: [9, uint()],
  /** Weeks in which the reader acknowledged, and the last of them. */
  weeks: [10, uint()],
  lastWeek: [11, uint()],
  /** The encoded `proof` of the RELEASE; the mailbox is given up. */
  release: [12, optional(bytesBetween(1, 16_600))],
})
export type Claim = Infer<typeof claimRow>

export const slipRow = struct({
  cid: [1, hash32],
  stored: [2, seconds],
  expires: [3, seconds],
  position: [4, uint()],
  bytes: [5, uint()],
  /** REQUEST only. */
  slot: [6, optional(uint(255))],
  /** Position of the proof: the copy is acknowledged, and this is its tombstone. */
  proof: [7, optional(bytes(8))],
})
export type Slip = Infer<typeof slipRow>

export const EXPIRY = { slip: 0, proof: 1 } as const
export const expiryRow = struct({ address: [1, hash32], item: [2, bytes(8)], type: [3, uint(1)] })

export const servedRecordRow = struct({
  key: [1, bytesBetween(33, 64)],
  record: [2, bytesBetween(1, limits.MAX_RECORD_BYTES)],
  seq: [3, seconds],
  expires: [4, seconds],
})
export type ServedRecord = Infer<typeof servedRecordRow>

/** The server's secrets: one row. */
export const secretsRow = struct({ store: [1, bytes(32)], challenge: [2, bytes(32)], forward: [3, bytes(32)] })
export type Secrets = Infer<typeof secretsRow>

/** Largest of our rows besides copies. */
const MAX_ROW_BYTES = 20_000

/** @throws StoreError `STORE_DAMAGED`: what we wrote ourselves does not read */
export function readRow<T>(shape: Shape<T>, value: Uint8Array): T {
  try {
    return decode(shape, value, MAX_ROW_BYTES)
  } catch (cause) {
    throw new StoreError('STORE_DAMAGED', 'a row of the mailbox server does not read', { cause })
  }
}

// ---- where rows lie ----

export function claimKey(store: Store, address: Uint8Array): RowKey {
  return { table: TABLE.claim, scope: NO_SCOPE, position: store.blind(address) }
}

export function copyKey(address: Uint8Array, position: number): RowKey {
  return { table: TABLE.copy, scope: address, position: u64(position) }
}

export function slipKey(store: Store, address: Uint8Array, cid: Uint8Array): RowKey {
  return { table: TABLE.tombstone, scope: address, position: store.blind(cid) }
}

export function proofKey(address: Uint8Array, position: Uint8Array): RowKey {
  return { table: TABLE.proof, scope: address, position }
}

/** The row that makes the sweep find a slip (item: its position) or a proof in its hour. */
export function expiryChange(
  store: Store,
  address: Uint8Array,
  entry: { expires: number; item: Uint8Array; type: number },
  present: boolean,
): RowChange {
  const { expires, item, type } = entry
  const position = concat(u32(Math.floor(expires / HOUR_SECONDS)), store.blind(address), item, u8(type))
  const key = { table: TABLE.tombstone, scope: NO_SCOPE, position }
  return { key, value: present ? encode(expiryRow, { address, item, type }) : undefined }
}

/** The changes that put a slip with its expiry, or take both away. */
export function slipChanges(store: Store, address: Uint8Array, slip: Slip, present: boolean): RowChange[] {
  const key = slipKey(store, address, slip.cid)
  const entry = { expires: slip.expires, item: key.position, type: EXPIRY.slip }
  return [{ key, value: present ? encode(slipRow, slip) : undefined }, expiryChange(store, address, entry, present)]
}

/** Every row of a range, page by page, so that memory stays small. */
export async function* pages(store: Store, range: RowRange, size = 256): AsyncGenerator<Row[]> {
  let from = range.from
  for (;;) {
    const page = await store.list({ ...range, from, limit: size })
    if (page.length > 0) yield page
    if (page.length < size) return
    from = concat(page.at(-1)!.position, new Uint8Array(1))
  }
}
