/**
 * What both sides keep between the two legs of the handshake (PROTOCOL 7), as plain data with its form at rest: versioned
 * CBOR. The requester keeps its one-time keys until c3 opens or 60 days have passed; the one who is asked keeps what leg 2
 * needs, until the person decides.
 */
import { PeerError } from '../errors.ts'
import { LEG1_INNER_BYTES, leg1Request } from '../wire/legs.ts'
import { hash32, seconds, typedEd25519 } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, type Infer, type Shape, struct, uint } from '../wire/schema.ts'
import { MAX_RECORD_BYTES } from '../limits.ts'

export const PENDING_REQUEST_VERSION = 1
const MAX_PENDING_REQUEST_BYTES = 16384
const key = bytes(32)

const outgoingRequest = struct({
  version: [1, uint(255)],
  /** The leg, sent again byte for byte. */
  leg: [2, bytes(LEG1_INNER_BYTES)],
  created: [3, seconds],
  /** From when on B does not open it any more. */
  expires: [4, seconds],
  th1: [5, hash32],
  tc2: [6, hash32],
  sk1: [7, key],
  oneTimeSecret: [8, key],
  oneTimeKemSeed: [9, bytes(64)],
  /** B's device, typed signing key, and its identity key (32 bytes) as leg 1 used it. */
  peerDevice: [10, typedEd25519],
  peerIdentityKey: [11, key],
  /** Highest rekey number known when the leg was built. */
  rekey: [12, uint()],
  /** Version that both records and the leg lead to. */
  protocol: [13, uint(255)],
})
export type OutgoingRequest = Infer<typeof outgoingRequest>

const incomingRequest = struct({
  version: [1, uint(255)],
  th1: [2, hash32],
  tc2: [3, hash32],
  sk1: [4, key],
  /** A's ID, signed identity record as it stood in c1, device (typed signing key) and that device's identity key (32 bytes). */
  id: [5, hash32],
  record: [6, bytesBetween(1, MAX_RECORD_BYTES)],
  device: [7, typedEd25519],
  identityKey: [8, key],
  /** Device of B's that was asked, typed signing key. */
  ownDevice: [9, typedEd25519],
  /** "Claimed by" A, all of it, until the person accepts. */
  request: [10, leg1Request],
  protocol: [11, uint(255)],
})
export type IncomingRequest = Infer<typeof incomingRequest>

export function encodeOutgoingRequest(outgoing: OutgoingRequest): Uint8Array {
  return encode(outgoingRequest, outgoing)
}

/** @throws PeerError `OVERSIZED` or `MALFORMED` */
export function decodeOutgoingRequest(encoded: Uint8Array): OutgoingRequest {
  return decodePending(outgoingRequest, encoded)
}

export function encodeIncomingRequest(incoming: IncomingRequest): Uint8Array {
  return encode(incomingRequest, incoming)
}

/** @throws PeerError `OVERSIZED` or `MALFORMED` */
export function decodeIncomingRequest(encoded: Uint8Array): IncomingRequest {
  return decodePending(incomingRequest, encoded)
}

function decodePending<T extends { version: number }>(shape: Shape<T>, encoded: Uint8Array): T {
  const pending = decode(shape, encoded, MAX_PENDING_REQUEST_BYTES)
  if (pending.version !== PENDING_REQUEST_VERSION) {
    throw new PeerError('MALFORMED', `expected a pending request of version 1, got ${pending.version}`)
  }
  return pending
}
