/**
 * The two AEADs: ChaCha20-Poly1305 (RFC 8439) with a zero nonce for keys that are used once, and XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha-03) with the random 24-byte nonce in front of the ciphertext for everything else. Short texts go
 * through noble, long ones through node:crypto, whose cipher costs more to set up and less for each byte; both make the same
 * bytes, which the tests check.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { chacha20poly1305, hchacha, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ForgedError } from '../errors.ts'
import { concat } from './bytes.ts'

export const AEAD_KEY_BYTES = 32
export const AEAD_TAG_BYTES = 16
export const NONCE_BYTES = 24
/** What `seal` adds to a plaintext: nonce and tag. */
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + AEAD_TAG_BYTES

const ZERO_NONCE = new Uint8Array(12)
/** From this length on node:crypto is faster. */
const NATIVE_BYTES = 2048

/** Encrypts under a key that is used for this one message only; ciphertext = plaintext + 16 bytes. */
export function sealOnce(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  if (plaintext.length >= NATIVE_BYTES) return concat(...encryptNatively(key, ZERO_NONCE, plaintext, associated))
  return chacha20poly1305(key, ZERO_NONCE, associated).encrypt(plaintext)
}

/** @throws ForgedError when it does not authenticate */
export function openOnce(key: Uint8Array, ciphertext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  try {
    if (ciphertext.length >= NATIVE_BYTES) return decryptNatively(key, ZERO_NONCE, ciphertext, associated)
    return chacha20poly1305(key, ZERO_NONCE, associated).decrypt(ciphertext)
  } catch {
    throw new ForgedError()
  }
}

/** `nonce(24) || ciphertext || tag(16)`; the caller draws the 24-byte nonce. */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  if (plaintext.length < NATIVE_BYTES) {
    return concat(nonce, xchacha20poly1305(key, nonce, associated).encrypt(plaintext))
  }
  const inner = innerKey(key, nonce)
  const sealed = concat(nonce, ...encryptNatively(inner.key, inner.nonce, plaintext, associated))
  inner.key.fill(0)
  return sealed
}

/** Opens what `seal` made. @throws ForgedError when it is too short or does not authenticate */
export function open(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  if (sealed.length < SEAL_OVERHEAD_BYTES) throw new ForgedError()
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES)
    const ciphertext = sealed.subarray(NONCE_BYTES)
    if (ciphertext.length < NATIVE_BYTES) return xchacha20poly1305(key, nonce, associated).decrypt(ciphertext)
    const inner = innerKey(key, nonce)
    try {
      return decryptNatively(inner.key, inner.nonce, ciphertext, associated)
    } finally {
      inner.key.fill(0)
    }
  } catch {
    throw new ForgedError()
  }
}

/** Key and nonce under which XChaCha20-Poly1305 is ChaCha20-Poly1305: the draft's section 2.3. */
function innerKey(key: Uint8Array, nonce: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`expected a nonce of 24 bytes, got ${nonce.length}`)
  const words = new Uint32Array(8)
  const keyWords = littleEndianWords(key)
  hchacha(SIGMA, keyWords, littleEndianWords(nonce.subarray(0, 16)), words)
  keyWords.fill(0)
  const subkey = new Uint8Array(32)
  const view = new DataView(subkey.buffer)
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word, true)
  words.fill(0)
  const inner = new Uint8Array(12)
  inner.set(nonce.subarray(16), 4)
  return { key: subkey, nonce: inner }
}

/** "expand 32-byte k". */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)

function littleEndianWords(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true))
}

const NATIVE = 'chacha20-poly1305'
const NATIVE_OPTIONS = { authTagLength: AEAD_TAG_BYTES }

/** Ciphertext and tag. */
function encryptNatively(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): [Uint8Array, Uint8Array] {
  const cipher = createCipheriv(NATIVE, key, nonce, NATIVE_OPTIONS)
  cipher.setAAD(associated, { plaintextLength: plaintext.length })
  const ciphertext = cipher.update(plaintext)
  cipher.final()
  return [ciphertext, cipher.getAuthTag()]
}

function decryptNatively(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  const end = sealed.length - AEAD_TAG_BYTES
  const cipher = createDecipheriv(NATIVE, key, nonce, NATIVE_OPTIONS)
  cipher.setAAD(associated, { plaintextLength: end })
  cipher.setAuthTag(sealed.subarray(end))
  const plaintext = cipher.update(sealed.subarray(0, end))
  // throws when the tag does not fit; nothing of the plaintext has left by then
  cipher.final()
  return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length)
}

// a key of another length is our bug and must not pass for a forgery
function checkKey(key: Uint8Array): void {
  if (key.length !== AEAD_KEY_BYTES) throw new RangeError(`expected a key of 32 bytes, got ${key.length}`)
}
