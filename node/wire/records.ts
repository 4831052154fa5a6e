/**
 * Shapes of the two DHT records and of what they hold (PROTOCOL 1 and 2): inception, key events, devices, heads.
 * Signing and checking them is `identity/`'s work; here are only the bytes.
 */
import { typedKeyBytes } from '../crypto/key-type.ts'
import * as limits from '../limits.ts'
import { bytes, bytesBetween, type Infer, list, optional, struct, text, uint } from './schema.ts'

const SECONDS = 2 ** 40
export const seconds = uint(SECONDS)

export const typedX25519 = bytes(typedKeyBytes('x25519'))
export const typedEd25519 = bytes(typedKeyBytes('ed25519'))
export const typedKem = bytes(typedKeyBytes('mlKem768'))
export const hash32 = bytes(32)
export const address = text(limits.MAX_ADDRESS_BYTES)
export const relays = list(address, limits.MAX_RELAYS)
export const addresses = list(address, limits.MAX_ADDRESSES)
export const peerIdBytes = bytesBetween(34, limits.MAX_PEER_ID_BYTES)

/** What an ID is the hash of. */
export const inception = struct({
  version: [1, uint(255)],
  /** root_0's public key, typed Ed25519. */
  root: [2, typedEd25519],
  /** H(L("next") || root_1's typed public key). */
  next: [3, hash32],
  salt: [4, bytes(16)],
})
export type Inception = Infer<typeof inception>

/** A rotation of the root: reveals the key that was committed to, and commits to the one after it. Signed by the revealed key. */
export const keyEvent = struct({
  version: [1, uint(255)],
  /** 1 for the first rotation, then rising by 1. */
  index: [2, uint(limits.MAX_KEY_EVENTS)],
  /** H(the bytes of the previous event, or of the inception). */
  previous: [3, hash32],
  root: [4, typedEd25519],
  next: [5, hash32],
})
export type KeyEvent = Infer<typeof keyEvent>

/** Bytes with a signature over exactly them. */
export const signed = struct({ body: [1, bytesBetween(1, limits.MAX_RECORD_BYTES)], signature: [2, bytes(64)] })
export type Signed = Infer<typeof signed>

export const device = struct({
  /** Device signing key, typed Ed25519: the device's name. */
  signing: [1, typedEd25519],
  /** Device identity key, typed X25519. */
  identity: [2, typedX25519],
  added: [3, seconds],
})
export type Device = Infer<typeof device>

export const REQUEST_POLICY = { invite: 0, open: 1 } as const

export const identityRecord = struct({
  version: [1, uint(255)],
  seq: [2, seconds],
  previous: [3, optional(hash32)],
  issued: [4, seconds],
  expires: [5, seconds],
  inception: [6, bytesBetween(1, 128)],
  /** Encoded `signed` key events. */
  events: [7, list(bytesBetween(1, 256), limits.MAX_KEY_EVENTS)],
  devices: [8, list(device, limits.MAX_DEVICES)],
  /** Typed signing keys. */
  revoked: [9, list(typedEd25519, limits.MAX_REVOKED_DEVICES)],
  policy: [10, uint(1)],
  /** R of the open request box; present exactly when the policy is open. */
  requestReader: [11, optional(typedEd25519)],
  relays: [12, optional(relays)],
  minVersion: [13, uint(255)],
  maxVersion: [14, uint(255)],
})
export type IdentityRecord = Infer<typeof identityRecord>

export const prekeyRecord = struct({
  version: [1, uint(255)],
  id: [2, hash32],
  device: [3, typedEd25519],
  seq: [4, seconds],
  issued: [5, seconds],
  expires: [6, seconds],
  /** Signed prekey, typed X25519. */
  prekey: [7, typedX25519],
  /** Last-resort KEM key, typed ML-KEM-768. */
  kem: [8, typedKem],
})
export type PrekeyRecord = Infer<typeof prekeyRecord>

/** What is pinned of an identity record: its place in the order of section 2, and which record it was. */
export const head = struct({ events: [1, uint(limits.MAX_KEY_EVENTS)], seq: [2, seconds], hash: [3, hash32] })
export type Head = Infer<typeof head>
