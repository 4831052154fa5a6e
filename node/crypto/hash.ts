/**
 * SHA-256, SHA-512, HMAC and HKDF (FIPS 180-4, RFC 2104, RFC 5869), all on node:crypto's one-shot hash: for the short inputs
 * of a ratchet its HMAC objects cost ten times as much. The tests hold them against noble.
 */
import { hash as nativeHash } from 'node:crypto'
import { concat, u8 } from './bytes.ts'

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

/** Bytes of a block of SHA-256. */
const BLOCK_BYTES = 64
const HASH_BYTES = 32

/** HMAC-SHA-256 over the joined parts, 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const short = key.length > BLOCK_BYTES ? sha256(key) : key
  let length = BLOCK_BYTES
  for (const part of parts) length += part.length
  const inner = new Uint8Array(length)
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES)
  inner.fill(0x36, 0, BLOCK_BYTES)
  outer.fill(0x5c, 0, BLOCK_BYTES)
  for (let i = 0; i < short.length; i++) {
    inner[i] = short[i]! ^ 0x36
    outer[i] = short[i]! ^ 0x5c
  }
  let offset = BLOCK_BYTES
  for (const part of parts) {
    inner.set(part, offset)
    offset += part.length
  }
  outer.set(sha256(inner), BLOCK_BYTES)
  const mac = sha256(outer)
  inner.fill(0)
  outer.fill(0)
  return mac
}

/** No salt: RFC 5869 then uses 32 zero bytes. */
export const NO_SALT = new Uint8Array(0)

/**
 * HKDF-SHA-256, extract and expand.
 * @param length bytes of output, at most 8160
 */
export function hkdfSha256(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const rounds = Math.ceil(length / HASH_BYTES)
  if (rounds > 255) throw new RangeError(`expected at most ${255 * HASH_BYTES} bytes of output, got ${length}`)
  const key = hmacSha256(salt, ikm)
  const output = new Uint8Array(rounds * HASH_BYTES)
  let block: Uint8Array = new Uint8Array(0)
  for (let round = 1; round <= rounds; round++) {
    block = hmacSha256(key, block, info, u8(round))
    output.set(block, (round - 1) * HASH_BYTES)
  }
  key.fill(0)
  return length === output.length ? output : output.slice(0, length)
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
