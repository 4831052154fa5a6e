/**
 * The two AEADs: ChaCha20-Poly1305 (RFC 8439) with a zero nonce for keys that are used once, and XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha-03) with the random 24-byte nonce in front of the ciphertext for everything else.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ForgedError } from '../errors.ts'
import { concat } from './bytes.ts'

export const AEAD_KEY_BYTES = 32
export const AEAD_TAG_BYTES = 16
export const NONCE_BYTES = 24
/** What `seal` adds to a plaintext: nonce and tag. */
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + AEAD_TAG_BYTES

const ZERO_NONCE = new Uint8Array(12)

/** Encrypts under a key that is used for this one message only; ciphertext = plaintext + 16 bytes. */
export function sealOnce(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  return chacha20poly1305(key, ZERO_NONCE, associated).encrypt(plaintext)
}

/** @throws ForgedError when it does not authenticate */
export function openOnce(key: Uint8Array, ciphertext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  try {
    return chacha20poly1305(key, ZERO_NONCE, associated).decrypt(ciphertext)
  } catch {
    throw new ForgedError()
  }
}

/** `nonce(24) || ciphertext || tag(16)`; the caller draws the 24-byte nonce. */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  return concat(nonce, xchacha20poly1305(key, nonce, associated).encrypt(plaintext))
}

/** Opens what `seal` made. @throws ForgedError when it is too short or does not authenticate */
export function open(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  if (sealed.length < SEAL_OVERHEAD_BYTES) throw new ForgedError()
  try {
    return xchacha20poly1305(key, sealed.subarray(0, NONCE_BYTES), associated).decrypt(sealed.subarray(NONCE_BYTES))
  } catch {
    throw new ForgedError()
  }
}

// a key of another length is our bug and must not pass for a forgery
function checkKey(key: Uint8Array): void {
  if (key.length !== AEAD_KEY_BYTES) throw new RangeError(`expected a key of 32 bytes, got ${key.length}`)
}
