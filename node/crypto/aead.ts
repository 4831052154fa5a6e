/**
 * The two AEADs: ChaCha20-Poly1305 (RFC 8439) with a zero nonce for keys that are used once, and XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha-03) with the random 24-byte nonce in front of the ciphertext for everything else. The
 * cipher is node:crypto's, HChaCha20 noble's; the tests hold both constructions against noble.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { hchacha } from '@noble/ciphers/chacha.js'
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
  return concat(...encrypt(key, ZERO_NONCE, plaintext, associated))
}

/** @throws ForgedError when it does not authenticate */
export function openOnce(key: Uint8Array, ciphertext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  try {
    return decrypt(key, ZERO_NONCE, ciphertext, associated)
  } catch {
    throw new ForgedError()
  }
}

/** `nonce(24) || ciphertext || tag(16)`; the caller draws the 24-byte nonce. */
export function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  const inner = innerKey(key, nonce)
  const sealed = concat(nonce, ...encrypt(inner.key, inner.nonce, plaintext, associated))
  inner.key.fill(0)
  return sealed
}

/** Opens what `seal` made. @throws ForgedError when it is too short or does not authenticate */
export function open(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  checkKey(key)
  if (sealed.length < SEAL_OVERHEAD_BYTES) throw new ForgedError()
  try {
    const inner = innerKey(key, sealed.subarray(0, NONCE_BYTES))
    try {
      return decrypt(inner.key, inner.nonce, sealed.subarray(NONCE_BYTES), associated)
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
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i]!, true)
  words.fill(0)
  const inner = new Uint8Array(12)
  inner.set(nonce.subarray(16), 4)
  return { key: subkey, nonce: inner }
}

/** "expand 32-byte k". */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)

function littleEndianWords(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = new Uint32Array(bytes.length / 4)
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(4 * i, true)
  return words
}

// a key that comes as bytes costs node:crypto three times as much as one that was wrapped before
const CIPHER = 'chacha20-poly1305'
const OPTIONS = { authTagLength: AEAD_TAG_BYTES }

/** Ciphertext and tag. */
function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): [Uint8Array, Uint8Array] {
  const cipher = createCipheriv(CIPHER, createSecretKey(key), nonce, OPTIONS)
  cipher.setAAD(associated, { plaintextLength: plaintext.length })
  const ciphertext = cipher.update(plaintext)
  cipher.final()
  return [ciphertext, cipher.getAuthTag()]
}

function decrypt(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  const end = sealed.length - AEAD_TAG_BYTES
  const cipher = createDecipheriv(CIPHER, createSecretKey(key), nonce, OPTIONS)
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
