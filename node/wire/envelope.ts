/**
 * The envelope (PROTOCOL 4): what gossip carries and what a copy holds. Exactly 4096, 16384 or 65536 bytes.
 *
 *   0  version(1)   1 kind(1)   2 tag(16)   18 expiry(2: days since 1970-01-01, big-endian)   20 postage nonce(8)   28 body
 */
import { concat, readUint, u8, u16 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { PeerError } from '../errors.ts'
import { ENVELOPE_BYTES, PROTOCOL_VERSION } from '../limits.ts'

export const ENVELOPE_KIND = { pairwise: 1, group: 2 } as const
/** Version, kind, tag and expiry: the part in front of the nonce, bound by the AEAD of the body. */
export const ENVELOPE_PREFIX_BYTES = 20
export const ENVELOPE_NONCE_BYTES = 8
export const ENVELOPE_HEADER_BYTES = ENVELOPE_PREFIX_BYTES + ENVELOPE_NONCE_BYTES
export const TAG_BYTES = 16

export interface Envelope {
  kind: number
  /** 16 bytes. */
  tag: Uint8Array
  /** Days since 1970-01-01 after which it is dead. */
  expiryDay: number
  /** 8 bytes of postage. */
  nonce: Uint8Array
  body: Uint8Array
}

/** The first 20 bytes, which the body's AEAD binds. */
export function envelopePrefix(kind: number, tag: Uint8Array, expiryDay: number): Uint8Array {
  return concat(u8(PROTOCOL_VERSION), u8(kind), tag, u16(expiryDay))
}

/** @throws RangeError when the fields do not add up to one of the sizes (the caller's mistake) */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { kind, tag, expiryDay, nonce, body } = envelope
  const encoded = concat(envelopePrefix(kind, tag, expiryDay), nonce, body)
  if (tag.length !== TAG_BYTES || nonce.length !== ENVELOPE_NONCE_BYTES || !isEnvelopeSize(encoded.length)) {
    throw new RangeError(`expected an envelope of ${ENVELOPE_BYTES.join(', ')} bytes, got ${encoded.length}`)
  }
  return encoded
}

/**
 * Cuts an envelope into its fields; the views share the input's memory.
 * @throws PeerError `MALFORMED` for a size, version or kind that does not exist
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (!isEnvelopeSize(bytes.length)) {
    throw new PeerError('MALFORMED', `expected an envelope of 4096, 16384 or 65536 bytes, got ${bytes.length}`)
  }
  if (bytes[0] !== PROTOCOL_VERSION) throw new PeerError('MALFORMED', `expected version 1, got ${bytes[0]}`)
  const kind = bytes[1]!
  if (kind !== ENVELOPE_KIND.pairwise && kind !== ENVELOPE_KIND.group) {
    throw new PeerError('MALFORMED', `unknown kind of envelope ${kind}`)
  }
  return {
    kind,
    tag: bytes.subarray(2, 18),
    expiryDay: readUint(bytes, 18, 2),
    nonce: bytes.subarray(20, 28),
    body: bytes.subarray(28),
  }
}

/** `eid`: names an envelope whatever its postage, 32 bytes. */
export function envelopeId(bytes: Uint8Array): Uint8Array {
  return sha256(L('envelope'), bytes.subarray(0, ENVELOPE_PREFIX_BYTES), bytes.subarray(ENVELOPE_HEADER_BYTES))
}

function isEnvelopeSize(length: number): boolean {
  return (ENVELOPE_BYTES as readonly number[]).includes(length)
}
