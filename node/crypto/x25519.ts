/**
 * X25519 (RFC 7748) by node:crypto, with the checks that the RFC leaves open: public keys must be canonical
 * (below 2^255-19, top bit clear) and the shared secret must not be zero.
 */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { PeerError } from '../errors.ts'
import { fromHex } from './bytes.ts'

export const X25519_BYTES = 32

export interface X25519KeyPair {
  /** 32 bytes, unclamped as drawn. */
  secret: Uint8Array
  /** 32 bytes. */
  public: Uint8Array
}

const PKCS8_PREFIX = fromHex('302e020100300506032b656e04220420')

/** Key pair of a 32-byte secret drawn by the caller, whose array must not get another secret afterwards. */
export function x25519KeyPair(secret: Uint8Array): X25519KeyPair {
  const { x } = createPublicKey(privateKey(secret)).export({ format: 'jwk' })
  return { secret, public: new Uint8Array(Buffer.from(x!, 'base64url')) }
}

/**
 * The 32-byte shared secret. Neither array must get another key afterwards; overwriting is no harm.
 * @throws PeerError `BAD_KEY` when `publicKey` is not 32 canonical bytes or is of low order; RangeError when `secret`
 * has not 32 bytes (the caller's mistake)
 */
export function x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const ours = privateKey(secret)
  if (!isCanonicalX25519(publicKey)) throw new PeerError('BAD_KEY', 'x25519 public key is not canonical')
  try {
    const shared = diffieHellman({ privateKey: ours, publicKey: publicKeyOf(publicKey) })
    const bytes = new Uint8Array(shared)
    shared.fill(0)
    if (bytes.every((byte) => byte === 0)) throw new RangeError('zero shared secret')
    return bytes
  } catch (cause) {
    throw new PeerError('BAD_KEY', 'x25519 public key is of low order', { cause })
  }
}

/** Whether the bytes are the one accepted encoding of a u-coordinate (RFC 7748 §5 lets others through). */
export function isCanonicalX25519(publicKey: Uint8Array): boolean {
  if (publicKey.length !== X25519_BYTES) return false
  // little-endian; 2^255-19 is ed ff … ff 7f
  if (publicKey[31]! > 0x7f) return false
  if (publicKey[31]! < 0x7f) return true
  for (let i = 30; i > 0; i--) if (publicKey[i]! !== 0xff) return true
  return publicKey[0]! < 0xed
}

// Making OpenSSL's keys costs more than an agreement does, and a ratchet uses each twice: they live as long as the arrays that
// hold the bytes.
const privateKeys = new WeakMap<Uint8Array, KeyObject>()
const publicKeys = new WeakMap<Uint8Array, KeyObject>()

function privateKey(secret: Uint8Array): KeyObject {
  if (secret.length !== X25519_BYTES) throw new RangeError(`expected a secret of 32 bytes, got ${secret.length}`)
  const known = privateKeys.get(secret)
  if (known) return known
  const der = Buffer.concat([PKCS8_PREFIX, secret])
  const key = withoutTraces(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  der.fill(0)
  privateKeys.set(secret, key)
  return key
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  const known = publicKeys.get(bytes)
  if (known) return known
  // as JWK it needs no decoder
  const x = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
  const key = withoutTraces(() => createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' }))
  publicKeys.set(bytes, key)
  return key
}

/**
 * node:crypto finds out by errors, which it catches, that its argument is no key object yet: their stack traces cost half as
 * much as the key.
 */
function withoutTraces<T>(make: () => T): T {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
