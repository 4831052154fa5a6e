/**
 * ML-KEM-768 (FIPS 203). Encapsulation is noble's, since it must take its coins as an argument; key generation from a seed
 * and decapsulation are node:crypto's where it has them (Node.js 24.7), else noble's. The tests hold one against the other.
 * Decapsulation never fails on a ciphertext of the right length: a wrong one gives a secret that opens nothing.
 */
import * as nodeCrypto from 'node:crypto'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { PeerError } from '../errors.ts'
import { concat, fromHex } from './bytes.ts'

export const KEM_SEED_BYTES = 64
export const KEM_COINS_BYTES = 32
export const KEM_PUBLIC_BYTES = 1184
export const KEM_CIPHERTEXT_BYTES = 1088

/** Encoded coefficients of an encapsulation key; 32 bytes of seed follow them. */
const COEFFICIENT_BYTES = 1152
const MODULUS = 3329

export interface KemKeyPair {
  /** 64 bytes, `d || z`; what is stored, the secret key is expanded from it. */
  seed: Uint8Array
  /** Encapsulation key, 1184 bytes. */
  public: Uint8Array
}

/** Key pair of 64 random bytes. */
export function kemKeyPair(seed: Uint8Array): KemKeyPair {
  if (!hasNative) return kemKeyPairByNoble(seed)
  const spki = nodeCrypto.createPublicKey(nativeKey(seed)).export({ format: 'der', type: 'spki' })
  return { seed, public: new Uint8Array(spki.subarray(-KEM_PUBLIC_BYTES)) }
}

/** The same by noble alone. */
export function kemKeyPairByNoble(seed: Uint8Array): KemKeyPair {
  return { seed, public: ml_kem768.keygen(seed).publicKey }
}

/** Older runtimes have no ML-KEM. */
const hasNative = typeof nodeCrypto.decapsulate === 'function'
/** PKCS #8 with the seed alone (RFC 9935). */
const PKCS8_SEED_PREFIX = fromHex('3054020100300b060960864801650304040204428040')

function nativeKey(seed: Uint8Array): nodeCrypto.KeyObject {
  if (seed.length !== KEM_SEED_BYTES) throw new RangeError(`expected a seed of 64 bytes, got ${seed.length}`)
  const der = Buffer.from(concat(PKCS8_SEED_PREFIX, seed))
  const key = nodeCrypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return key
}

/**
 * Encapsulates to `publicKey` (1184 bytes) with 32 random bytes; ciphertext of 1088 bytes, secret of 32.
 * @throws PeerError `BAD_KEY` when the key fails the checks of FIPS 203 §7.2; RangeError when the coins have not 32
 * bytes (the caller's mistake)
 */
export function kemEncapsulate(
  publicKey: Uint8Array,
  coins: Uint8Array,
): { ciphertext: Uint8Array; secret: Uint8Array } {
  if (coins.length !== KEM_COINS_BYTES) throw new RangeError(`expected 32 bytes of coins, got ${coins.length}`)
  try {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, coins)
    return { ciphertext: cipherText, secret: sharedSecret }
  } catch (cause) {
    throw new PeerError('BAD_KEY', 'ml-kem encapsulation key is malformed', { cause })
  }
}

/**
 * Whether the bytes are an encapsulation key in the form of FIPS 203 §7.2: the right length, and each of the 768
 * coefficients of 12 bits below the modulus.
 */
export function isCanonicalKem(publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEM_PUBLIC_BYTES) return false
  for (let i = 0; i < COEFFICIENT_BYTES; i += 3) {
    const [low, middle, high] = [publicKey[i]!, publicKey[i + 1]!, publicKey[i + 2]!]
    if ((((middle & 15) << 8) | low) >= MODULUS || ((high << 4) | (middle >> 4)) >= MODULUS) return false
  }
  return true
}

/**
 * The 32-byte secret of a ciphertext.
 * @throws PeerError `BAD_KEY` when the ciphertext has not 1088 bytes
 */
export function kemDecapsulate(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  if (ciphertext.length !== KEM_CIPHERTEXT_BYTES) {
    throw new PeerError('BAD_KEY', `expected a ml-kem ciphertext of 1088 bytes, got ${ciphertext.length}`)
  }
  if (!hasNative) return kemDecapsulateByNoble(seed, ciphertext)
  return new Uint8Array(nodeCrypto.decapsulate(nativeKey(seed), ciphertext))
}

/** The same by noble alone, for a ciphertext of 1088 bytes. */
export function kemDecapsulateByNoble(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return ml_kem768.decapsulate(ciphertext, ml_kem768.keygen(seed).secretKey)
}
