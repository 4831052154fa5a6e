/*
 * Ed25519 by the protocol's one rule, X25519 with its checks, typed keys, peer IDs, and ML-KEM-768 keys from seeds.
 * Raw keys are wrapped into the DER forms that node:crypto takes.
 */
import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { byteAt, concat, cut, fromHex, L, must, same, u8 } from './bytes.ts'
import { isPrimeOrder, littleEndian, ORDER } from './edwards.ts'
import { isZero } from './primitives.ts'

/** Type bytes of keys. */
export const X25519 = 0x01
/** Type byte of an Ed25519 key. */
export const ED25519 = 0x02
/** Type byte of an ML-KEM-768 encapsulation key. */
export const MLKEM768 = 0x03

const DER = {
  ed25519Secret: fromHex('302e020100300506032b657004220420'),
  ed25519Public: fromHex('302a300506032b6570032100'),
  x25519Secret: fromHex('302e020100300506032b656e04220420'),
  x25519Public: fromHex('302a300506032b656e032100'),
  mlkemSeed: fromHex('3054020100300b060960864801650304040204428040'),
}

const secretKey = (prefix: Uint8Array, raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.from(concat(prefix, raw)), format: 'der', type: 'pkcs8' })

const publicKey = (prefix: Uint8Array, raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(concat(prefix, raw)), format: 'der', type: 'spki' })

function publicOf(secret: KeyObject, width: number): Uint8Array {
  const der = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  return new Uint8Array(der.subarray(der.length - width))
}

/** Public key of an Ed25519 seed. */
export function ed25519Public(seed: Uint8Array): Uint8Array {
  return publicOf(secretKey(DER.ed25519Secret, seed), 32)
}

/** What is signed: `L(label) ‖ 0x00 ‖ message`. */
export function labelled(label: string, message: Uint8Array): Uint8Array {
  return concat(L(label), u8(0), message)
}

/** Signature under a label. */
export function signLabelled(seed: Uint8Array, label: string, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, labelled(label, message), secretKey(DER.ed25519Secret, seed)))
}

const NEUTRAL = concat(u8(1), new Uint8Array(31))

/** The one rule: prime order, 64 bytes, S below the order, R not neutral, no cofactor. */
export function isGoodSignature(key: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !isPrimeOrder(key)) return false
  if (littleEndian(cut(signature, 32, 64)) >= ORDER || same(cut(signature, 0, 32), NEUTRAL)) return false
  return verify(null, signed, publicKey(DER.ed25519Public, key), signature)
}

/** Refuses a signature under a label that is not good. */
export function checkSignature(key: Uint8Array, label: string, message: Uint8Array, signature: Uint8Array): void {
  must(isGoodSignature(key, labelled(label, message), signature), `a signature under ${label}`)
}

/** Public key of an X25519 secret. */
export function x25519Public(secret: Uint8Array): Uint8Array {
  return publicOf(secretKey(DER.x25519Secret, secret), 32)
}

/** Whether an X25519 key is below 2^255 − 19 with the top bit clear. */
function isCanonicalX25519(key: Uint8Array): boolean {
  return key.length === 32 && littleEndian(key) < 2n ** 255n - 19n
}

/** `DH(a, B)`; refuses forms that are not accepted and a shared secret of zeros. */
export function DH(secret: Uint8Array, key: Uint8Array): Uint8Array {
  must(isCanonicalX25519(key), 'not canonical')
  let shared: Uint8Array
  try {
    shared = new Uint8Array(
      diffieHellman({
        privateKey: secretKey(DER.x25519Secret, secret),
        publicKey: publicKey(DER.x25519Public, key),
      }),
    )
  } catch {
    shared = new Uint8Array(32)
  }
  must(!isZero(shared), 'the shared secret is zero')
  return shared
}

/** A key with its type byte. */
export function typed(type: number, key: Uint8Array): Uint8Array {
  return concat(u8(type), key)
}

function isGoodKem(key: Uint8Array): boolean {
  if (key.length !== 1184) return false
  for (let i = 0; i < 1152; i += 3) {
    const [a, b, c] = [byteAt(key, i), byteAt(key, i + 1), byteAt(key, i + 2)]
    if (a + (b & 15) * 256 >= 3329 || (b >> 4) + c * 16 >= 3329) return false
  }
  return true
}

/** The key in a typed key, which must have the type and the accepted form. */
export function untyped(type: number, key: Uint8Array): Uint8Array {
  must(key.length > 0 && byteAt(key, 0) === type, `type byte ${type}`)
  const raw = cut(key, 1, key.length)
  if (type === X25519) must(isCanonicalX25519(raw), 'an X25519 key')
  else if (type === ED25519) must(isPrimeOrder(raw), 'an Ed25519 key of prime order')
  else must(type === MLKEM768 && isGoodKem(raw), 'an ML-KEM-768 key')
  return raw
}

/** Encapsulation key of a seed `d ‖ z`. */
export function kemPublic(seed: Uint8Array): Uint8Array {
  return publicOf(secretKey(DER.mlkemSeed, seed), 1184)
}

/** ML-KEM-768 decapsulation with a seed `d ‖ z`. */
export function kemDecapsulate(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  must(ciphertext.length === 1088, 'a ciphertext of ML-KEM-768')
  return new Uint8Array(decapsulate(secretKey(DER.mlkemSeed, seed), ciphertext))
}

const PEER_ID = fromHex('002408011220')

/** Peer ID, as multihash bytes, of an Ed25519 key. */
export function peerIdOf(key: Uint8Array): Uint8Array {
  return concat(PEER_ID, key)
}

/** The key in a peer ID; one of another form cannot be a mailbox server. */
export function keyOfPeerId(peerId: Uint8Array): Uint8Array {
  must(peerId.length === 38 && same(cut(peerId, 0, 6), PEER_ID), 'a peer ID with its Ed25519 key')
  return cut(peerId, 6, 38)
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** base58btc. */
export function base58(bytes: Uint8Array): string {
  let value = BigInt(`0x00${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (; value > 0n; value /= 58n) text = (BASE58[Number(value % 58n)] ?? '') + text
  const leading = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(leading < 0 ? bytes.length : leading) + text
}
