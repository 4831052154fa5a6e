/**
 * Ed25519 (RFC 8032) under one rule, so that every backend, node and relay gives one verdict: the public key is a
 * canonical point of prime order (no small-order and no mixed-order key), R is not the neutral point, S is below L, and
 * the equation is checked without the cofactor by comparing the encoded R. Signing and verifying are node:crypto's; the key check is noble's,
 * and `verifyWithNoble` is the second backend that the tests hold against the first (PROTOCOL 1).
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nativeSign,
  verify as nativeVerify,
} from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, equal, fromHex, toHex } from './bytes.ts'
import { sha512 } from './hash.ts'
import { L, type Label } from './labels.ts'

export const ED25519_PUBLIC_BYTES = 32
export const ED25519_SIGNATURE_BYTES = 64

export interface Ed25519KeyPair {
  /** 32 bytes: RFC 8032's private key. */
  seed: Uint8Array
  /** 32 bytes. */
  public: Uint8Array
}

const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')
const SPKI_PREFIX = fromHex('302a300506032b6570032100')
const SEPARATOR = new Uint8Array(1)

/** Key pair of a 32-byte seed drawn or derived by the caller. */
export function ed25519KeyPair(seed: Uint8Array): Ed25519KeyPair {
  const spki = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' })
  return { seed, public: new Uint8Array(spki.subarray(SPKI_PREFIX.length)) }
}

/** What is signed: `L(label) || 0x00 || message`. */
function signedBytes(label: Label, message: Uint8Array): Uint8Array {
  return concat(L(label), SEPARATOR, message)
}

/** Signs `message` under `label`; 64 bytes. The array of the seed must not change afterwards. */
export function sign(seed: Uint8Array, label: Label, message: Uint8Array): Uint8Array {
  return new Uint8Array(nativeSign(null, signedBytes(label, message), privateKey(seed)))
}

/** Whether `signature` over `message` under `label` is good. Never throws on bytes of any length. */
export function verify(publicKey: Uint8Array, label: Label, message: Uint8Array, signature: Uint8Array): boolean {
  return verifyRaw(publicKey, signedBytes(label, message), signature)
}

/** The rule without a label, for published test vectors. */
export function verifyRaw(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || isNeutral(signature.subarray(0, 32))) return false
  const key = checkedKey(publicKey)
  return key !== undefined && nativeVerify(null, bytes, key, signature)
}

/** The same rule by noble's arithmetic alone. */
export function verifyWithNoble(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || !isValidEd25519(publicKey)) return false
  const { Point } = ed25519
  const order = Point.Fn.ORDER
  const r = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  if (s >= order || isNeutral(r)) return false
  const k = littleEndian(sha512(r, publicKey, bytes)) % order
  const sB = s === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(s)
  const kA = k === 0n ? Point.ZERO : Point.fromBytes(publicKey).multiplyUnsafe(k)
  return equal(sB.subtract(kA).toBytes(), r)
}

/** Whether the bytes are a canonical encoding of a point of prime order. */
export function isValidEd25519(publicKey: Uint8Array): boolean {
  return checkedKey(publicKey) !== undefined
}

// The check costs a scalar multiplication; the keys of friends and relays come again and again.
const MAX_CHECKED_KEYS = 1024
const checkedKeys = new Map<string, KeyObject | undefined>()

function checkedKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== ED25519_PUBLIC_BYTES) return undefined
  const name = toHex(publicKey)
  if (checkedKeys.has(name)) return checkedKeys.get(name)
  const key = isPrimeOrderPoint(publicKey)
    ? createPublicKey({ key: Buffer.from(concat(SPKI_PREFIX, publicKey)), format: 'der', type: 'spki' })
    : undefined
  if (checkedKeys.size >= MAX_CHECKED_KEYS) checkedKeys.delete(checkedKeys.keys().next().value!)
  checkedKeys.set(name, key)
  return key
}

function isPrimeOrderPoint(publicKey: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(publicKey)
    return !point.isSmallOrder() && point.isTorsionFree() && equal(point.toBytes(), publicKey)
  } catch {
    return false // not on the curve, or not canonical
  }
}

// with a key of prime order this is the one R of small order that can fit; OpenSSL 3.5.8 refuses it, older ones and
// noble do not, and no honest signer ever makes it
function isNeutral(r: Uint8Array): boolean {
  return r[0] === 1 && r.every((byte, i) => i === 0 || byte === 0)
}

// making OpenSSL's key costs more than a signature does; it lives as long as the array that holds the seed
const privateKeys = new WeakMap<Uint8Array, KeyObject>()

function privateKey(seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new RangeError(`expected a seed of 32 bytes, got ${seed.length}`)
  const known = privateKeys.get(seed)
  if (known) return known
  const key = createPrivateKey({ key: Buffer.from(concat(PKCS8_PREFIX, seed)), format: 'der', type: 'pkcs8' })
  privateKeys.set(seed, key)
  return key
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}
