/** SHA-256, SHA-512, HMAC and HKDF (FIPS 180-4, RFC 2104, RFC 5869). */
import { hash as nativeHash } from 'node:crypto'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { concat } from './bytes.ts'

/** `H` of the protocol document: SHA-256 over the joined parts, 32 bytes. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  return digest('sha256', parts)
}

/** SHA-512 over the joined parts, 64 bytes. */
export function sha512(...parts: Uint8Array[]): Uint8Array {
  return digest('sha512', parts)
}

function digest(algorithm: string, parts: Uint8Array[]): Uint8Array {
  // A string with a character for each byte: a buffer from native code costs three times the hash of a short input, and
  // postage is hashes.
  const text = nativeHash(algorithm, parts.length === 1 ? parts[0]! : concat(...parts), 'binary')
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** HMAC-SHA-256 over the joined parts, 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return hmac(nobleSha256, key, concat(...parts))
}

/** HMAC-SHA-256 of many messages under one key, 32 bytes each: what depends on the key alone is computed once. */
export function hmacSha256Under(key: Uint8Array): (message: Uint8Array) => Uint8Array {
  const keyed = hmac.create(nobleSha256, key)
  return (message) => keyed.clone().update(message).digest()
}

/** No salt: RFC 5869 then uses 32 zero bytes. */
export const NO_SALT = new Uint8Array(0)

/**
 * HKDF-SHA-256, extract and expand.
 * @param length bytes of output, at most 8160
 */
export function hkdfSha256(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return hkdf(nobleSha256, ikm, salt, info, length)
}

/**
 * Cuts `bytes` into consecutive pieces.
 * @throws RangeError when the widths do not add up to the length
 */
export function split(bytes: Uint8Array, ...widths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let offset = 0
  for (const width of widths) {
    pieces.push(bytes.slice(offset, offset + width))
    offset += width
  }
  if (offset !== bytes.length) throw new RangeError(`expected ${offset} bytes to split, got ${bytes.length}`)
  return pieces
}
