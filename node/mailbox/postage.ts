/**
 * Postage (PROTOCOL 5 and 6): work that makes flooding dear. A nonce of 8 bytes is paid for when the hash below begins
 * with enough zero bits, counted from the most significant bit of the first byte. Minting goes in steps, so that the
 * caller can let other work go first.
 *
 *   envelope  H(L("postage") || nonce || eid), 10 bits and one more for each doubling of 4096 bytes
 *   claim     H(claimPostageSubject(challenge, subject) || nonce), for CLAIM, REQUEST and RECORD
 */
import { leadingZeroBits } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { ENVELOPE_BYTES, ENVELOPE_POSTAGE_BITS } from '../limits.ts'
import { ENVELOPE_NONCE_BYTES } from '../wire/envelope.ts'

export const POSTAGE_NONCE_BYTES = ENVELOPE_NONCE_BYTES

/** Tries between two yields of `pay`: about a millisecond of work. */
const TRIES_PER_STEP = 512

/** Zero bits that an envelope of `size` bytes needs: 10, 12 or 14. */
export function postageBits(size: number): number {
  return ENVELOPE_POSTAGE_BITS + Math.log2(size / ENVELOPE_BYTES[0])
}

/** Whether the 8-byte nonce pays for the envelope of this `eid` and size in bytes. */
export function checkEnvelopePostage(eid: Uint8Array, nonce: Uint8Array, size: number): boolean {
  return nonce.length === POSTAGE_NONCE_BYTES && leadingZeroBits(sha256(L('postage'), nonce, eid)) >= postageBits(size)
}

/** Whether the 8-byte nonce pays `bits` for the subject made by `claimPostageSubject`. */
export function checkClaimPostage(subject: Uint8Array, nonce: Uint8Array, bits: number): boolean {
  return nonce.length === POSTAGE_NONCE_BYTES && leadingZeroBits(sha256(subject, nonce)) >= bits
}

/** A search for a nonce; each step tries the next ones. */
export interface Mint {
  /** Makes `tries` tries; the nonce of 8 bytes when one paid, else undefined. */
  step(tries: number): Uint8Array | undefined
}

/** Searches the nonce of an envelope. @param start 8 random bytes where the search begins */
export function mintEnvelopePostage(eid: Uint8Array, size: number, start: Uint8Array): Mint {
  return createMint(L('postage'), eid, postageBits(size), start)
}

/** Searches the nonce of a subject made by `claimPostageSubject`. @param start 8 random bytes where the search begins */
export function mintClaimPostage(subject: Uint8Array, bits: number, start: Uint8Array): Mint {
  return createMint(subject, new Uint8Array(0), bits, start)
}

/** Runs a search to its end and yields between the steps; on average 2^bits tries. @returns the nonce, 8 bytes */
export async function pay(mint: Mint, yieldNow: () => Promise<void>): Promise<Uint8Array> {
  for (;;) {
    const nonce = mint.step(TRIES_PER_STEP)
    if (nonce) return nonce
    await yieldNow()
  }
}

function createMint(before: Uint8Array, after: Uint8Array, bits: number, start: Uint8Array): Mint {
  if (start.length !== POSTAGE_NONCE_BYTES) throw new RangeError(`expected a start of 8 bytes, got ${start.length}`)
  // one buffer for all tries: only the nonce in it changes
  const buffer = new Uint8Array(before.length + POSTAGE_NONCE_BYTES + after.length)
  buffer.set(before)
  buffer.set(start, before.length)
  buffer.set(after, before.length + POSTAGE_NONCE_BYTES)
  const nonce = buffer.subarray(before.length, before.length + POSTAGE_NONCE_BYTES)
  return {
    step(tries) {
      for (let i = 0; i < tries; i++) {
        if (leadingZeroBits(sha256(buffer)) >= bits) return nonce.slice()
        increment(nonce)
      }
      return undefined
    },
  }
}

function increment(nonce: Uint8Array): void {
  for (let i = nonce.length - 1; i >= 0; i--) {
    nonce[i] = (nonce[i]! + 1) & 0xff
    if (nonce[i] !== 0) return
  }
}
