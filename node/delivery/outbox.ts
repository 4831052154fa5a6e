/**
 * The rows of the outbox (PROTOCOL 6): for each message that a friend has not acknowledged, a small row of where it is, kept
 * in memory too, and a large row with its payload and its envelope, read when it is put.
 */
import { concat, equal, readUint, u8, u64 } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import { peerIdBytes } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, type Infer, list, optional, struct, uint } from '../wire/schema.ts'
import type { Transaction } from './journal.ts'
import { follow, MAX_TRAIL_BYTES, type TrailRow, trailRows, type TrailStep } from './trail.ts'

/** The states in which a message lies in the outbox; what left it is `delivered`, `expired` or `failed`. */
export const OUTBOX_STATES = ['queued', 'sent', 'custody'] as const
export type OutboxState = (typeof OUTBOX_STATES)[number]

/** What a server signed for an envelope, and how that is audited. */
const receiptRow = struct({
  server: [1, peerIdBytes],
  /** Encoded `signedBody`; empty when the reader has it already, as its own signature showed. */
  receipt: [2, bytesBetween(0, 600)],
  /** Seconds: when the server is asked next; absent where nothing is to be asked, or nothing was yet. */
  next: [3, optional(uint())],
  /** How often it was asked. */
  audits: [4, optional(uint())],
})
export type ReceiptRow = Infer<typeof receiptRow>

const entryRow = struct({
  messageId: [1, bytes(16)],
  type: [2, uint(65535)],
  /** Seconds. */
  created: [3, uint()],
  /** Seconds: the end of the message's own lifetime. */
  expires: [4, uint()],
  state: [5, uint(2)],
  /** First 8 bytes of th1: the session that the envelope was sealed in; absent while there is none. */
  lane: [6, optional(bytes(8))],
  /** Number of the sending chain, and the count in it, under which it was sealed. */
  chain: [7, optional(uint())],
  count: [8, optional(uint(2 ** 32))],
  expiryDay: [9, optional(uint(65535))],
  /** Milliseconds of the last publication, 0 before the first. */
  published: [10, uint()],
  /** Servers that signed for it. */
  receipts: [11, list(receiptRow, limits.MAX_RELAYS)],
  /** The handler's own note, handed back when the message leaves the outbox. */
  reference: [12, bytesBetween(0, 64)],
  /** Its way so far. */
  trail: [13, optional(trailRows)],
})
export type EntryRow = Infer<typeof entryRow>

const bodyRow = struct({
  payload: [1, bytesBetween(1, 65536)],
  /** Absent while no session exists to seal it in. */
  envelope: [2, optional(bytesBetween(1, 65536))],
})

/** A message on its way. */
export interface OutboxEntry extends EntryRow {
  /** Its place in the friend's outbox, rising. */
  number: number
}

/** What becomes of an entry; the same object when nothing does. */
export type EntryChange = (entry: OutboxEntry) => OutboxEntry

const MAX_ENTRY_BYTES = 8000 + MAX_TRAIL_BYTES
const DAY = 86_400
const META = u8(0)
const BODY = u8(1)

export function putEntry(tx: Transaction, friend: Uint8Array, entry: OutboxEntry): void {
  const { number, ...row } = entry
  tx.put(TABLE.outbox, friend, concat(META, u64(number)), encode(entryRow, row))
}

export function putBody(
  tx: Transaction,
  friend: Uint8Array,
  number: number,
  payload: Uint8Array,
  envelope: Uint8Array | undefined,
): void {
  tx.put(TABLE.outbox, friend, concat(BODY, u64(number)), encode(bodyRow, { payload, envelope }))
}

export function deleteEntry(tx: Transaction, friend: Uint8Array, number: number): void {
  tx.delete(TABLE.outbox, friend, concat(META, u64(number)))
  tx.delete(TABLE.outbox, friend, concat(BODY, u64(number)))
}

/** The payload and envelope of an entry; undefined when it has left the outbox. */
export async function readBody(
  store: Store,
  friend: Uint8Array,
  number: number,
): Promise<{ payload: Uint8Array; envelope?: Uint8Array } | undefined> {
  const row = await store.get({ table: TABLE.outbox, scope: friend, position: concat(BODY, u64(number)) })
  return row && decode(bodyRow, row, 200_000)
}

/** All entries of a friend, oldest first. */
export async function loadEntries(store: Store, friend: Uint8Array): Promise<OutboxEntry[]> {
  const rows = await store.list({ table: TABLE.outbox, scope: friend, from: META, to: BODY, limit: 100_000 })
  return rows.map(({ position, value }) => ({
    number: readUint(position, 1, 8),
    ...decode(entryRow, value, MAX_ENTRY_BYTES),
  }))
}

/** The entry with one more step of its trail. */
export function walked(entry: OutboxEntry, step: TrailStep, what: Omit<TrailRow, 'step' | 'times'>): OutboxEntry {
  return { ...entry, trail: follow(entry.trail ?? [], step, what) }
}

/** Whether its envelope has expired. @param now seconds */
export function isExpired({ expiryDay }: OutboxEntry, now: number): boolean {
  return expiryDay !== undefined && expiryDay * DAY <= now
}

/** Whether nothing was sealed again between the two. */
export function isSameEnvelope(a: OutboxEntry, b: OutboxEntry): boolean {
  const sameLane = a.lane !== undefined && b.lane !== undefined && equal(a.lane, b.lane)
  return sameLane && a.chain === b.chain && a.count === b.count
}
