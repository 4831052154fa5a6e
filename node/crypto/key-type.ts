/** Type bytes of public keys: a key on the wire is `type || key`, so that no key can be read as one of another kind (PROTOCOL 1). */
import { PeerError } from '../errors.ts'
import { concat } from './bytes.ts'
import { isValidEd25519 } from './ed25519.ts'
import { isCanonicalKem, KEM_PUBLIC_BYTES } from './kem.ts'
import { isCanonicalX25519 } from './x25519.ts'

export const KEY_TYPE = { x25519: 0x01, ed25519: 0x02, mlKem768: 0x03 } as const
export type KeyType = keyof typeof KEY_TYPE

const LENGTHS: Record<KeyType, number> = { x25519: 32, ed25519: 32, mlKem768: KEM_PUBLIC_BYTES }

/** Length of a typed key on the wire: 33, 33 and 1185 bytes. */
export function typedKeyBytes(type: KeyType): number {
  return 1 + LENGTHS[type]
}

/** `type || key`. */
export function typeKey(type: KeyType, key: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(KEY_TYPE[type]), key)
}

/**
 * The key inside a typed one, after the check of its type byte, length and form.
 * @throws PeerError `BAD_KEY`
 */
export function untypeKey(type: KeyType, typed: Uint8Array): Uint8Array {
  if (typed.length !== typedKeyBytes(type) || typed[0] !== KEY_TYPE[type]) {
    throw new PeerError('BAD_KEY', `expected ${typedKeyBytes(type)} bytes of type ${KEY_TYPE[type]} (${type})`)
  }
  const key = typed.slice(1)
  if (type === 'x25519' && !isCanonicalX25519(key)) throw new PeerError('BAD_KEY', 'x25519 public key is not canonical')
  if (type === 'ed25519' && !isValidEd25519(key))
    throw new PeerError('BAD_KEY', 'ed25519 public key is not of prime order')
  if (type === 'mlKem768' && !isCanonicalKem(key)) throw new PeerError('BAD_KEY', 'ml-kem public key is not canonical')
  return key
}
