/*
 * Hashes, HKDF, seal and seal1 of the notation. HChaCha20 is written out here, since node:crypto has ChaCha20-Poly1305
 * with nonces of twelve bytes alone.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import { byteAt, concat, cut, must, Refused, same, zeros } from './bytes.ts'

/** SHA-256. */
export function H(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash('sha256')
      .update(concat(...parts))
      .digest(),
  )
}

/** SHA-512. */
export function sha512(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash('sha512')
      .update(concat(...parts))
      .digest(),
  )
}

/** HMAC-SHA-256. */
export function HMAC(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHmac('sha256', key)
      .update(concat(...parts))
      .digest(),
  )
}

/** `none` as salt: 32 zero bytes. */
export const none = zeros(32)

/** RFC 5869 over SHA-256, extract then expand. */
export function HKDF(salt: Uint8Array, input: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const key = HMAC(salt, input)
  const blocks: Uint8Array[] = []
  let block = zeros(0)
  for (let i = 1; blocks.length * 32 < length; i++) {
    block = new Uint8Array(HMAC(key, block, info, Uint8Array.of(i)))
    blocks.push(block)
  }
  return cut(concat(...blocks), 0, length)
}

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]
const ROUND = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const

function quarter(s: Uint32Array, [a, b, c, d]: readonly [number, number, number, number]): void {
  const add = (x: number, y: number): void => {
    s[x] = (s[x] ?? 0) + (s[y] ?? 0)
  }
  const turn = (x: number, y: number, bits: number): void => {
    const mixed = (s[x] ?? 0) ^ (s[y] ?? 0)
    s[x] = (mixed << bits) | (mixed >>> (32 - bits))
  }
  add(a, b)
  turn(d, a, 16)
  add(c, d)
  turn(b, c, 12)
  add(a, b)
  turn(d, a, 8)
  add(c, d)
  turn(b, c, 7)
}

/** HChaCha20 of a key and 16 bytes: 32 bytes. */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  must(key.length === 32 && nonce.length === 16, 'widths of HChaCha20')
  const input = Buffer.concat([key, nonce])
  const words = [...Array(12).keys()].map((i) => input.readUInt32LE(i * 4))
  const state = Uint32Array.from([...CONSTANTS, ...words])
  for (let round = 0; round < 10; round++) for (const lane of ROUND) quarter(state, lane)
  const out = Buffer.alloc(32)
  for (let i = 0; i < 4; i++) {
    out.writeUInt32LE(state[i] ?? 0, i * 4)
    out.writeUInt32LE(state[12 + i] ?? 0, 16 + i * 4)
  }
  return new Uint8Array(out)
}

const TAG_BYTES = 16
const NONCE_BYTES = 24

function encrypt(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(associated, { plaintextLength: plaintext.length })
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
}

function decrypt(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array {
  must(sealed.length >= TAG_BYTES, 'shorter than its tag')
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(associated, { plaintextLength: end })
  decipher.setAuthTag(cut(sealed, end, sealed.length))
  try {
    return concat(decipher.update(cut(sealed, 0, end)), decipher.final())
  } catch {
    throw new Refused('the tag does not fit')
  }
}

const inner = (key: Uint8Array, nonce: Uint8Array): [Uint8Array, Uint8Array] => [
  hchacha20(key, cut(nonce, 0, 16)),
  concat(zeros(4), cut(nonce, 16, NONCE_BYTES)),
]

/** `seal(k, x; ad)` under a given nonce of 24 bytes. */
export function seal(key: Uint8Array, nonce: Uint8Array, x: Uint8Array, ad: Uint8Array): Uint8Array {
  const [k, n] = inner(key, nonce)
  return concat(nonce, encrypt(k, n, x, ad))
}

/** Opens what `seal` made. */
export function open(key: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array {
  must(sealed.length >= NONCE_BYTES + TAG_BYTES, 'shorter than nonce and tag')
  const [k, n] = inner(key, cut(sealed, 0, NONCE_BYTES))
  return decrypt(k, n, cut(sealed, NONCE_BYTES, sealed.length), ad)
}

/** `seal1(k, x; ad)`, for a key that seals once. */
export function seal1(key: Uint8Array, x: Uint8Array, ad: Uint8Array): Uint8Array {
  return encrypt(key, zeros(12), x, ad)
}

/** Opens what `seal1` made. */
export function open1(key: Uint8Array, sealed: Uint8Array, ad: Uint8Array): Uint8Array {
  return decrypt(key, zeros(12), sealed, ad)
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  return same(bytes, zeros(bytes.length)) && (bytes.length === 0 || byteAt(bytes, 0) === 0)
}
