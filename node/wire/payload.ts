/**
 * The payload (PROTOCOL 4): what a friend's node decrypts. Its hash is the message ID, so the ID is bound to the content
 * and does not change when the payload is sealed again. Padding belongs to the AEAD's plaintext and is checked whole.
 */
import { L } from '../crypto/labels.ts'
import { sha256 } from '../crypto/hash.ts'
import { ForgedError } from '../errors.ts'
import * as limits from '../limits.ts'
import { addresses, hash32, head, peerIdBytes, relays } from './records.ts'
import { bytes, bytesBetween, decode, type Infer, list, optional, struct, text, uint } from './schema.ts'

export const PAYLOAD_TYPE = {
  text: 1,
  receipt: 2,
  profile: 3,
  mailboxUpdate: 4,
  fileManifest: 5,
  reaction: 6,
  edit: 7,
  delete: 8,
  groupOperation: 9,
  senderKey: 10,
  rekey: 11,
  safetyNotice: 12,
} as const

export const MAX_PAYLOAD_BYTES = 65536
export const messageId = bytes(16)

export const payload = struct({
  version: [1, uint(255)],
  type: [2, uint(65535)],
  salt: [3, bytes(16)],
  /** 16 bytes naming the conversation. */
  conversation: [4, bytes(16)],
  lamport: [5, uint(limits.MAX_LAMPORT)],
  parents: [6, list(messageId, limits.MAX_PARENTS)],
  /** Milliseconds since 1970: shown, never trusted. */
  sentAt: [7, uint()],
  body: [8, bytesBetween(0, MAX_PAYLOAD_BYTES)],
  /** Seconds after which the sender gives up. */
  lifetime: [9, uint(2 ** 32)],
  /** The sender's own record head, and the reader's as the sender saw it. */
  mine: [10, head],
  yours: [11, optional(head)],
  /** Messages of the reader's that the sender has on disk. */
  acknowledged: [12, optional(list(messageId, limits.MAX_RECEIPT_IDS))],
})
export type Payload = Infer<typeof payload>

/** Undefined for what this version cannot read: from a friend it is authentic, so it is kept and shown as unsupported. */
export function readPayload(encoded: Uint8Array): Payload | undefined {
  try {
    const read = decode(payload, encoded, MAX_PAYLOAD_BYTES)
    return read.version === limits.PROTOCOL_VERSION ? read : undefined
  } catch {
    return undefined
  }
}

export const textBody = struct({ text: [1, text(limits.MAX_TEXT_BYTES)] })

/** What a friend's node needs to know: the name its owner gives, relays, and where it can be reached directly. */
export const profileBody = struct({
  name: [1, text(limits.MAX_NAME_BYTES)],
  relays: [2, relays],
  peerId: [3, optional(peerIdBytes)],
  addresses: [4, optional(addresses)],
})
export type ProfileBody = Infer<typeof profileBody>

/** A new mailbox secret for one direction, named by its generation (3). */
export const mailboxUpdateBody = struct({ rekey: [1, uint()], replacement: [2, uint()], secret: [3, hash32] })

/** `message ID = H(L("mid") || payload)[0..16]`. */
export function payloadMessageId(encoded: Uint8Array): Uint8Array {
  return sha256(L('message'), encoded).slice(0, 16)
}

/** Pads with 0x80 and zeros (ISO/IEC 7816-4) to exactly `length` bytes. @throws RangeError when it does not fit */
export function pad(plaintext: Uint8Array, length: number): Uint8Array {
  if (plaintext.length >= length)
    throw new RangeError(`expected less than ${length} bytes to pad, got ${plaintext.length}`)
  const padded = new Uint8Array(length)
  padded.set(plaintext)
  padded[plaintext.length] = 0x80
  return padded
}

/** Takes the padding off after looking at every byte of it. @throws ForgedError when it is wrong */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = -1
  for (let i = 0; i < padded.length; i++) if (padded[i] !== 0) end = i
  if (end < 0 || padded[end] !== 0x80) throw new ForgedError()
  return padded.subarray(0, end)
}
