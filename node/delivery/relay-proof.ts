/**
 * The proof that a mailbox server dropped what it had signed for (PROTOCOL 6, life of a copy): its own receipt, and its own
 * later answer that the copy is missing. Both are signed, so anybody can check it; nothing of it is secret but the address
 * of the mailbox.
 */
import { equal } from '../crypto/bytes.ts'
import { verify } from '../crypto/ed25519.ts'
import type { Label } from '../crypto/labels.ts'
import { PeerError } from '../errors.ts'
import { COPY_STATE, putReceipt, type PutReceipt, signedBody, statAnswer, type StatAnswer } from '../wire/commands.ts'
import { peerIdPublicKey } from '../wire/peer-id.ts'
import { bytesBetween, decode, encode, type Shape, struct } from '../wire/schema.ts'

/** The bound of a proof: an answer about 256 copies, with all the readers' words that it can hold. */
export const MAX_PROOF_BYTES = 300_000
const MAX_RECEIPT_BYTES = 600
/** A receipt names the hour in which the copy was stored: an answer of the same hour may be older than the copy. */
const STORED_WITHIN_SECONDS = 3600

const relayProof = struct({
  receipt: [1, bytesBetween(1, MAX_RECEIPT_BYTES)],
  answer: [2, bytesBetween(1, MAX_PROOF_BYTES - MAX_RECEIPT_BYTES - 16)],
})

/** What a proof says. */
export interface ProvenDrop {
  /** Multihash bytes of the server's peer ID. */
  server: Uint8Array
  /** Mailbox and copy, 32 bytes each. */
  address: Uint8Array
  cid: Uint8Array
  /** Seconds: the hour in which the server signed for it, when it said that it is missing, and until when it had promised it. */
  stored: number
  missing: number
  expires: number
}

/**
 * When an answer of this time can prove something about a receipt: the copy was stored before it, and had not expired.
 * @param time seconds, the server's own
 */
export function isConclusive({ stored, expires }: Pick<PutReceipt, 'stored' | 'expires'>, time: number): boolean {
  return time >= conclusiveFrom({ stored }) && time < expires
}

/** First second in which `missing` is proof. */
export function conclusiveFrom({ stored }: Pick<PutReceipt, 'stored'>): number {
  return stored + STORED_WITHIN_SECONDS
}

/** @param receipt encoded `signedBody` of the receipt @param answer encoded `signedBody` of the STAT answer */
export function encodeProof(receipt: Uint8Array, answer: Uint8Array): Uint8Array {
  return encode(relayProof, { receipt, answer })
}

/**
 * Checks a proof; needs nothing but its bytes.
 * @throws PeerError `MALFORMED`, `BAD_SIGNATURE`, or `UNPROVEN` when the two do not contradict each other
 */
export function verifyProof(proof: Uint8Array): ProvenDrop {
  const parts = decode(relayProof, proof, MAX_PROOF_BYTES)
  const receipt = opened(putReceipt, parts.receipt)
  const answer = opened(statAnswer, parts.answer)
  const { server, address, storeId, cid, stored, expires } = receipt.value
  const said: StatAnswer = answer.value
  if (!equal(said.server, server) || !equal(said.address, address)) unproven('the answer is about another mailbox')
  if (!equal(said.storeId, storeId)) unproven('the server has another store now')
  const places = said.cids.flatMap((one, i) => (equal(one, cid) ? [i] : []))
  if (places.length === 0 || said.states.length !== said.cids.length) unproven('the answer is about other copies')
  if (places.some((i) => said.states[i] !== COPY_STATE.missing)) unproven('the answer does not say that it is missing')
  if (!isConclusive({ stored, expires }, said.time))
    unproven('the answer is older than the copy, or the copy had expired')
  receipt.check(server, 'putReceipt')
  answer.check(server, 'statAnswer')
  return { server, address, cid, stored, missing: said.time, expires }
}

function opened<T>(
  shape: Shape<T>,
  bytes: Uint8Array,
): { value: T; check: (server: Uint8Array, label: Label) => void } {
  const { body, signature } = decode(signedBody, bytes, bytes.length)
  return {
    value: decode(shape, body, body.length),
    check(server, label) {
      if (!verify(peerIdPublicKey(server), label, body, signature)) {
        throw new PeerError('BAD_SIGNATURE', `signature of the ${label} does not fit`)
      }
    },
  }
}

function unproven(why: string): never {
  throw new PeerError('UNPROVEN', why)
}
