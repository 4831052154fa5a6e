/**
 * Key schedule of the two-leg handshake (PROTOCOL 7): transcript hashes and every key, with A the requester and B the
 * one who is asked. Every hash and HKDF is over SHA-256; inputs are joined in the order written, all of fixed width but the
 * records, which enter as hashes.
 *
 *   th0 = H(L(req) || clear(50) || H(identity record B) || H(prekey record B) || EKa || ct1)     th1 = H(th0 || c1)
 *   k1 = HKDF(salt th0, DH(EKa,SPKb) || ss1, L(req/k1), 32)
 *   k2 || SK1 = HKDF(salt th1, k1 || DH(DIKa,SPKb) || DH(EKa,DIKb) || ss1, L(req/k2), 64)
 *   tc2 = H(th1 || c2)      th2 = H(tc2 || L(acc) || EKb || ct2)      th3 = H(th2 || c3)
 *   SK = HKDF(salt th2, SK1 || DH(DIKb,OTa) || DH(EKb,DIKa) || DH(EKb,OTa) || ss2, L(session), 32)
 *   HKDF(salt th2, SK, L(session/keys), 288) = kc | ec root | pq root | header key A | header key B
 *                                              | mailbox A to B | mailbox B to A | reach A to B | reach B to A
 */
import { concat } from '../crypto/bytes.ts'
import { hkdfSha256, hmacSha256, sha256, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { wipe } from './wipe.ts'

/** `th0`: 32 bytes over the clear header, both records of B as encoded and signed, EKa and ct1. */
export function requestTranscript(input: {
  clear: Uint8Array
  record: Uint8Array
  prekeyRecord: Uint8Array
  ephemeral: Uint8Array
  ciphertext: Uint8Array
}): Uint8Array {
  const { clear, record, prekeyRecord, ephemeral, ciphertext } = input
  return sha256(L('request'), clear, sha256(record), sha256(prekeyRecord), ephemeral, ciphertext)
}

/** `th1`, `tc2` and `th3`: the transcript so far and the ciphertext that follows. */
export function extendTranscript(transcript: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return sha256(transcript, ciphertext)
}

/** `th2`, 32 bytes. */
export function acceptTranscript(tc2: Uint8Array, ephemeral: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return sha256(tc2, L('accept'), ephemeral, ciphertext)
}

/** `k1`, 32 bytes; `shared` = DH(EKa,SPKb), ss1. */
export function requestKey1(th0: Uint8Array, shared: [Uint8Array, Uint8Array]): Uint8Array {
  return derive(th0, shared, L('requestK1'), 32)
}

/** `k2` and `SK1`, 32 bytes each; `shared` = k1, DH(DIKa,SPKb), DH(EKa,DIKb), ss1. */
export function requestKey2(
  th1: Uint8Array,
  shared: [Uint8Array, Uint8Array, Uint8Array, Uint8Array],
): { k2: Uint8Array; sk1: Uint8Array } {
  const [k2, sk1] = split(derive(th1, shared, L('requestK2'), 64), 32, 32)
  return { k2: k2!, sk1: sk1! }
}

/** What a handshake ends in, 32 bytes each. */
export interface SessionKeys {
  /** Seals c3. */
  confirm: Uint8Array
  ecRoot: Uint8Array
  pqRoot: Uint8Array
  headerKeyA: Uint8Array
  headerKeyB: Uint8Array
  mailboxAB: Uint8Array
  mailboxBA: Uint8Array
  reachAB: Uint8Array
  reachBA: Uint8Array
}

/** Keys of a session; `shared` = SK1, DH(DIKb,OTa), DH(EKb,DIKa), DH(EKb,OTa), ss2. */
export function sessionKeys(
  th2: Uint8Array,
  shared: [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array],
): SessionKeys {
  const sk = derive(th2, shared, L('session'), 32)
  const widths = Array.from({ length: 9 }, () => 32)
  const keys = split(derive(th2, [sk], L('sessionKeys'), 288), ...widths)
  wipe(sk)
  const [confirm, ecRoot, pqRoot, headerKeyA, headerKeyB, mailboxAB, mailboxBA, reachAB, reachBA] = keys as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  return { confirm, ecRoot, pqRoot, headerKeyA, headerKeyB, mailboxAB, mailboxBA, reachAB, reachBA }
}

/** What is remembered of a leg 1 that was opened, 32 bytes: says nothing to who lacks SK1. */
export function replayTagOf(sk1: Uint8Array): Uint8Array {
  return hmacSha256(sk1, L('replay'))
}

function derive(salt: Uint8Array, secrets: Uint8Array[], info: Uint8Array, length: number): Uint8Array {
  const ikm = concat(...secrets)
  const derived = hkdfSha256(salt, ikm, info, length)
  wipe(ikm)
  return derived
}
