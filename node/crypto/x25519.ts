/**
 * X25519 (RFC 7748) by node:crypto, with the checks that the RFC leaves open: public keys must be canonical
 * (below 2^255-19, top bit clear) and the shared secret must not be zero.
 */
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { PeerError } from '../errors.ts'
import { concat, fromHex } from './bytes.ts'

export const X25519_BYTES = 32

export interface X25519KeyPair {
  /** 32 bytes, unclamped as drawn. */
  secret: Uint8Array
  /** 32 bytes. */
  public: Uint8Array
}

const PKCS8_PREFIX = fromHex('302e020100300506032b656e04220420')
const SPKI_PREFIX = fromHex('302a300506032b656e032100')

/** Key pair of a 32-byte secret drawn by the caller. */
export function x25519KeyPair(secret: Uint8Array): X25519KeyPair {
  const spki = createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' })
  return { secret, public: new Uint8Array(spki.subarray(SPKI_PREFIX.length)) }
}

/**
 * The 32-byte shared secret.
 * @throws PeerError `BAD_KEY` when `publicKey` is not 32 canonical bytes or is of low order; RangeError when `secret`
 * has not 32 bytes (the caller's mistake)
 */
export function x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const ours = privateKey(secret)
  if (!isCanonicalX25519(publicKey)) throw new PeerError('BAD_KEY', 'x25519 public key is not canonical')
  try {
    const shared = diffieHellman({
      privateKey: ours,
      publicKey: createPublicKey({
        key: Buffer.from(concat(SPKI_PREFIX, publicKey)),
        format: 'der',
        type: 'spki',
      }),
    })
    const bytes = new Uint8Array(shared)
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

function privateKey(secret: Uint8Array) {
  if (secret.length !== X25519_BYTES) throw new RangeError(`expected a secret of 32 bytes, got ${secret.length}`)
  return createPrivateKey({ key: Buffer.from(concat(PKCS8_PREFIX, secret)), format: 'der', type: 'pkcs8' })
}
