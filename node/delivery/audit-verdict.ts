/**
 * What the answer of an audited relay says of each copy (PROTOCOL 6), and what becomes of its receipt: pure functions on
 * receipts, answers and entries of the outbox.
 */
import { equal } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { putReceipt, type PutReceipt, signedBody } from '../wire/commands.ts'
import { decode, encode } from '../wire/schema.ts'
import type { CopyState, StatResult } from './mailbox-client.ts'
import { type EntryChange, type OutboxEntry, type ReceiptRow, walked } from './outbox.ts'
import { encodeProof, isConclusive, verifyProof } from './relay-proof.ts'
import type { TrailStep } from './trail.ts'

/** A receipt that is asked about. */
export interface Question {
  number: number
  row: ReceiptRow
  receipt: PutReceipt
}

export type StatAnswered = Extract<StatResult, { status: 'ok' }>

export type Verdict = 'held' | 'fetched' | 'released' | 'renew' | 'over' | 'later' | 'caught'
/** Why a receipt counts no more; `unshown`: the answer proves nothing. */
export type Loss = 'released' | 'renew' | 'over' | 'caught' | 'unshown'

const NO_RECEIPT = new Uint8Array(0)
const NEW_STORE = 'the relay has a new store'
/** What is told of a receipt that counts no more. */
const DROPPED: Record<Loss, { step: TrailStep; detail?: string }> = {
  released: { step: 'released' },
  renew: { step: 'lost', detail: NEW_STORE },
  over: { step: 'lost', detail: 'its time at the relay is over' },
  caught: { step: 'caught', detail: 'the relay had signed for it and holds it no more' },
  unshown: { step: 'lost', detail: 'the relay cannot show what it says of it' },
}

/** Questions that may end without a proof before the mail is put again. */
const MAX_DOUBTS = 4

/** What an answer says of one copy. */
export function verdictOf({ receipt, row }: Question, state: CopyState, { storeId, time }: StatAnswered): Verdict {
  if (state === 'acknowledged') return 'fetched'
  if (state === 'released') return 'released'
  if (!equal(storeId, receipt.storeId)) return 'renew'
  if (state === 'held') return 'held'
  if (isConclusive(receipt, time)) return 'caught'
  // whose clock stands still proves nothing ever
  const isPatient = (row.audits ?? 0) < MAX_DOUBTS && time >= receipt.stored
  return isPatient && time < receipt.expires ? 'later' : 'over'
}

/** The part of the answer that speaks of this copy. */
export function proofOf({ row, receipt }: Question, { signed }: StatAnswered): Uint8Array | undefined {
  for (const one of signed) {
    const proof = encodeProof(row.receipt, encode(signedBody, one))
    try {
      if (equal(verifyProof(proof).cid, receipt.cid)) return proof
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
    }
  }
  return undefined
}

/** The entry with one receipt row replaced, or without it. */
export function replaced(entry: OutboxEntry, row: ReceiptRow, by: ReceiptRow | undefined): OutboxEntry {
  const receipts = entry.receipts.flatMap((one) => (equal(one.receipt, row.receipt) ? (by ? [by] : []) : [one]))
  return { ...entry, receipts }
}

/** The receipt counts no more. @param isHeld the relay holds it all the same, in another store */
export function dropped({ row }: Question, at: number, loss: Loss, isHeld = false): EntryChange {
  const { step, detail } = isHeld ? { step: 'held' as const, detail: NEW_STORE } : DROPPED[loss]
  const what = { at, server: row.server, ...(detail !== undefined && { detail }) }
  return (entry) => walked(replaced(entry, row, undefined), step, what)
}

/** The reader's own word stands in the place of the receipt: nothing is asked any more. */
export function fetched({ row }: Question, at: number): EntryChange {
  const settled = { server: row.server, receipt: NO_RECEIPT }
  return (entry) => walked(replaced(entry, row, settled), 'fetched', { at, server: row.server })
}

/** What a server signed. */
export function readReceipt({ receipt }: Pick<ReceiptRow, 'receipt'>): PutReceipt {
  const { body } = decode(signedBody, receipt, receipt.length)
  return decode(putReceipt, body, body.length)
}
