/**
 * Where records lie in the DHT, and what holds for bytes found there (PROTOCOL 2): a key commits to the ID or to
 * the device that signs, so nobody can plant a record. Memory of what was seen before is `directory/`'s.
 *
 *   identity  "/kith-id/" || H(L("dht") || ID)
 *   prekey    "/kith-pk/" || H(L("pk") || typed device signing key)
 */
import { compare, concat, equal, utf8 } from '../crypto/bytes.ts'
import type { verify } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import { typedKeyBytes, typeKey } from '../crypto/key-type.ts'
import { L } from '../crypto/labels.ts'
import { PeerError } from '../errors.ts'
import { MAX_RECORD_BYTES } from '../limits.ts'
import { checkRendezvous, compareRendezvous, isRendezvousKey } from './rendezvous.ts'
import { compareHeads, type IdentityView, type PrekeyView, readIdentityRecord, readPrekeyRecord } from './records.ts'

const NAMESPACE = { identity: utf8('/kith-id/'), prekey: utf8('/kith-pk/') } as const
/** Length of either key. */
export const RECORD_KEY_BYTES = 41

/** DHT key of the identity record of a 32-byte ID. */
export function identityRecordKey(id: Uint8Array): Uint8Array {
  return concat(NAMESPACE.identity, sha256(L('dhtIdentity'), id))
}

/** DHT key of a device's prekey record; `device` is its signing key, typed (33 bytes) or raw (32). */
export function prekeyRecordKey(device: Uint8Array): Uint8Array {
  const typed = device.length === typedKeyBytes('ed25519') ? device : typeKey('ed25519', device)
  return concat(NAMESPACE.prekey, sha256(L('dhtPrekey'), typed))
}

/** The namespace of a DHT key; undefined when it is none of ours. */
export function recordKindOf(key: Uint8Array): 'identity' | 'prekey' | undefined {
  if (key.length !== RECORD_KEY_BYTES) return undefined
  const prefix = key.subarray(0, NAMESPACE.identity.length)
  if (equal(prefix, NAMESPACE.identity)) return 'identity'
  return equal(prefix, NAMESPACE.prekey) ? 'prekey' : undefined
}

export interface RecordAtOptions {
  /** Protocol time in seconds; without it the window is not looked at. */
  now?: number
  verify?: typeof verify
}

/**
 * Checks a value found at a DHT key, cheap checks first.
 * @throws PeerError as `readIdentityRecord`, `WRONG_KEY` for a key of another namespace; ForgedError
 */
export function validateRecordAt(
  key: Uint8Array,
  value: Uint8Array,
  options: RecordAtOptions = {},
): IdentityView | PrekeyView {
  if (value.length > MAX_RECORD_BYTES) {
    throw new PeerError('OVERSIZED', `expected at most ${MAX_RECORD_BYTES} bytes, got ${value.length}`)
  }
  const kind = recordKindOf(key)
  if (kind === 'identity') {
    return readIdentityRecord(value, { ...options, matches: ({ id }) => equal(identityRecordKey(id), key) })
  }
  if (kind === 'prekey') {
    return readPrekeyRecord(value, {
      ...options,
      matches: ({ device }) => device !== undefined && equal(prekeyRecordKey(device), key),
    })
  }
  throw new PeerError('WRONG_KEY', 'expected a key of an identity or prekey record')
}

/**
 * Whether a DHT may hold a value at a key: a record as above, or a rendezvous record.
 * @throws PeerError, ForgedError when it may not
 */
export function admitRecordAt(key: Uint8Array, value: Uint8Array, options: RecordAtOptions = {}): void {
  if (isRendezvousKey(key)) checkRendezvous(key, value, options)
  else validateRecordAt(key, value, options)
}

/**
 * Total order of any two byte strings at one key, positive when `a` wins: a record of this key beats garbage, records go
 * by their heads, garbage by its bytes. It depends on no clock and never throws.
 */
export function compareRecordsAt(key: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  const first = tryRead(key, a)
  const second = tryRead(key, b)
  if (first === 'rendezvous' && second === 'rendezvous') return compareRendezvous(a, b)
  if (typeof first === 'object' && typeof second === 'object') return compareHeads(first.head, second.head)
  if (first || second) return first ? 1 : -1
  return compare(b, a)
}

function tryRead(key: Uint8Array, value: Uint8Array): IdentityView | PrekeyView | 'rendezvous' | undefined {
  try {
    if (isRendezvousKey(key)) {
      checkRendezvous(key, value)
      return 'rendezvous'
    }
    return validateRecordAt(key, value)
  } catch {
    return undefined // garbage has a place in the order, it is no error
  }
}
