/**
 * The safety number (PROTOCOL 1): Signal's numeric fingerprint, version 0, so that its published constants are our known
 * answers. It is made of root keys and IDs alone: devices come and go without changing it, and no device can pass for a key.
 *
 *   fingerprint = SHA-512 iterated 5200 times: first over 0x0000 || key || identifier || key, then over digest || key
 *   30 digits   = six groups of 5 bytes, big-endian, modulo 100000;  60 digits = both sides, lower first
 */
import { readUint, utf8 } from '../crypto/bytes.ts'
import { sha512 } from '../crypto/hash.ts'
import { untypeKey } from '../crypto/key-type.ts'
import { ID_BYTES } from './root.ts'

const ROUNDS = 5200
const VERSION = new Uint8Array(2)
const GROUPS = 6

/** What one side brings: a typed root key (33 bytes) and an ID (32 bytes). An IdentityView is one. */
export interface SafetyNumberParty {
  root: Uint8Array
  id: Uint8Array
}

/** 30 digits of a type byte with a key, and an identifier of any bytes: Signal's function, for its test vectors. */
export function numericFingerprint(typedKey: Uint8Array, identifier: Uint8Array): string {
  let digest = sha512(VERSION, typedKey, identifier, typedKey)
  for (let round = 1; round < ROUNDS; round++) digest = sha512(digest, typedKey)
  let digits = ''
  for (let group = 0; group < GROUPS; group++) {
    digits += String(readUint(digest, group * 5, 5) % 100_000).padStart(5, '0')
  }
  return digits
}

/** Both sides in the order that both see: 60 digits. */
export function joinFingerprints(a: string, b: string): string {
  return a < b ? a + b : b + a
}

/**
 * The 60 digits that both people read out; the same whoever calls.
 * @throws PeerError `BAD_KEY` when a root is not a typed Ed25519 key; RangeError when an ID has not 32 bytes
 */
export function safetyNumber(mine: SafetyNumberParty, theirs: SafetyNumberParty): string {
  return joinFingerprints(partyFingerprint(mine), partyFingerprint(theirs))
}

/** In groups of five digits, as people compare it. */
export function formatSafetyNumber(digits: string): string {
  return digits.replaceAll(/\d{5}(?=\d)/g, '$& ')
}

/** Whether the text is that number, however it is grouped. */
export function matchesSafetyNumber(digits: string, text: string): boolean {
  return utf8(text).length <= 200 && text.replaceAll(/[\s.-]/g, '') === digits
}

function partyFingerprint({ root, id }: SafetyNumberParty): string {
  untypeKey('ed25519', root)
  if (id.length !== ID_BYTES) throw new RangeError(`expected an id of 32 bytes, got ${id.length}`)
  return numericFingerprint(root, id)
}
