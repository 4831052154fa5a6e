/**
 * The two legs of the friend request (PROTOCOL 7): their layout and the shapes of what they seal.
 *
 * Leg 1, inner 8152 bytes (wrapped to 8192 under the invite's third secret, or followed by 40 random bytes in an open box):
 *     0 version(1)  1 kind(1) = 0x11  2 device signing key of B(32)  34 prekey seq(8)  42 identity record seq(8)
 *    50 EKa(32)    82 ct1(1088)    1170 c1(4154)    5324 c2(2828)
 * Leg 2, 8192 bytes:
 *     0 version(1)  1 kind(1) = 0x12  2 EKb(32)     34 ct2(1088)    1122 c3(7070)
 * The plaintexts of c1, c2 and c3 are CBOR padded to their fixed size.
 */
import { concat, readUint, u8, u64 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import {
  addresses,
  hash32,
  head,
  peerIdBytes,
  relays,
  seconds,
  typedEd25519,
  typedKem,
  typedX25519,
} from './records.ts'
import { bytesBetween, type Infer, optional, struct, text, uint } from './schema.ts'

export const LEG_KIND = { request: 0x11, accept: 0x12 } as const
export const LEG1_INNER_BYTES = limits.LEG_BYTES - 40
export const LEG1_CLEAR_BYTES = 50
/** A record of the largest size and the device fit, padding included. */
export const C1_PLAINTEXT_BYTES = 4138
export const C2_PLAINTEXT_BYTES = 2812
export const C3_PLAINTEXT_BYTES = 7054

export interface Leg1 {
  /** Bytes 0 to 50: what names the keys of B that were used. */
  clear: Uint8Array
  /** B's device signing key, 32 bytes. */
  device: Uint8Array
  prekeySeq: number
  recordSeq: number
  ephemeral: Uint8Array
  ciphertext: Uint8Array
  c1: Uint8Array
  c2: Uint8Array
}

export interface Leg2 {
  ephemeral: Uint8Array
  ciphertext: Uint8Array
  c3: Uint8Array
}

export function leg1Clear(device: Uint8Array, prekeySeq: number, recordSeq: number): Uint8Array {
  return concat(u8(limits.PROTOCOL_VERSION), u8(LEG_KIND.request), device, u64(prekeySeq), u64(recordSeq))
}

/** @throws PeerError `MALFORMED` for a length, version or kind that does not fit */
export function decodeLeg1(bytes: Uint8Array): Leg1 {
  check(bytes, LEG1_INNER_BYTES, LEG_KIND.request)
  return {
    clear: bytes.slice(0, 50),
    device: bytes.slice(2, 34),
    prekeySeq: readUint(bytes, 34, 8),
    recordSeq: readUint(bytes, 42, 8),
    ephemeral: bytes.slice(50, 82),
    ciphertext: bytes.slice(82, 1170),
    c1: bytes.slice(1170, 5324),
    c2: bytes.slice(5324),
  }
}

export function encodeLeg2(leg: Leg2): Uint8Array {
  return concat(u8(limits.PROTOCOL_VERSION), u8(LEG_KIND.accept), leg.ephemeral, leg.ciphertext, leg.c3)
}

/** @throws PeerError `MALFORMED` for a length, version or kind that does not fit */
export function decodeLeg2(bytes: Uint8Array): Leg2 {
  check(bytes, limits.LEG_BYTES, LEG_KIND.accept)
  return { ephemeral: bytes.slice(2, 34), ciphertext: bytes.slice(34, 1122), c3: bytes.slice(1122) }
}

function check(bytes: Uint8Array, length: number, kind: number): void {
  if (bytes.length !== length)
    throw new PeerError('MALFORMED', `expected a leg of ${length} bytes, got ${bytes.length}`)
  if (bytes[0] !== limits.PROTOCOL_VERSION) throw new PeerError('MALFORMED', `expected version 1, got ${bytes[0]}`)
  if (bytes[1] !== kind) throw new PeerError('MALFORMED', `expected a leg of kind ${kind}, got ${bytes[1]}`)
  if (kind === LEG_KIND.request) {
    try {
      readUint(bytes, 34, 8)
      readUint(bytes, 42, 8)
    } catch (cause) {
      throw new PeerError('MALFORMED', 'expected sequence numbers of at most 53 bits', { cause })
    }
  }
}

/** Plaintext of c1: who asks. */
export const leg1Identity = struct({
  record: [1, bytesBetween(1, limits.MAX_RECORD_BYTES)],
  device: [2, typedEd25519],
})

/** Plaintext of c2: what leg 2 needs, and what the person reads. */
export const leg1Request = struct({
  oneTimeKey: [1, typedX25519],
  oneTimeKem: [2, typedKem],
  /** Secret of the reply mailbox: its keys at each of the relays below follow as for a friend mailbox. */
  replySecret: [3, hash32],
  relays: [4, relays],
  peerId: [5, optional(peerIdBytes)],
  addresses: [6, optional(addresses)],
  /** Highest rekey number that A knows of this friendship. */
  rekey: [7, uint()],
  name: [8, text(limits.MAX_NAME_BYTES)],
  note: [9, text(limits.MAX_NOTE_BYTES)],
  created: [10, seconds],
  expires: [11, seconds],
  minVersion: [12, uint(255)],
  maxVersion: [13, uint(255)],
})
export type Leg1Request = Infer<typeof leg1Request>

/** Plaintext of c3. */
export const leg2Accept = struct({
  /** B's first ratchet key. */
  ratchetKey: [1, typedX25519],
  head: [2, head],
  device: [3, typedEd25519],
  relays: [4, relays],
  peerId: [5, optional(peerIdBytes)],
  addresses: [6, optional(addresses)],
  rekey: [7, uint()],
  version: [8, uint(255)],
  name: [9, text(limits.MAX_NAME_BYTES)],
})
export type Leg2Accept = Infer<typeof leg2Accept>
