/**
 * The mailbox protocol (PROTOCOL 6): requests, answers and the bytes that signatures cover. A request is
 * {verb, arguments}, an answer {status, body}; which stream carries them, and how they are matched, is the network's work.
 */
import { concat } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import * as limits from '../limits.ts'
import { hash32, peerIdBytes, seconds, typedX25519 } from './records.ts'
import { bytes, bytesBetween, encode, type Infer, list, optional, struct, text, uint } from './schema.ts'

export const VERB = {
  hello: 1,
  claim: 2,
  put: 3,
  stat: 4,
  fetch: 5,
  subscribe: 6,
  pull: 7,
  acknowledge: 8,
  release: 9,
  request: 10,
  record: 11,
  forward: 12,
  publish: 13,
} as const
export type Verb = (typeof VERB)[keyof typeof VERB]

export const STATUS = {
  ok: 0,
  /** No room now; `retryAfter` tells when to ask again. */
  full: 1,
  /** Postage is missing or too low. */
  price: 2,
  /** Nobody claimed this address. */
  unclaimed: 3,
  /** The reader gave it up: it is never claimed again. */
  released: 4,
  malformed: 5,
  /** The signature does not fit, or the verb is not one of this kind of mailbox. */
  refused: 6,
  /** The challenge is too old: say HELLO again. */
  challenge: 7,
  /** Too many requests; `retryAfter` tells when to ask again. */
  busy: 8,
  unsupported: 9,
  absent: 10,
  /** PUT of a copy that the reader has already: the body is a signed STAT answer with R's proof. */
  acknowledged: 11,
} as const
export type Status = (typeof STATUS)[keyof typeof STATUS]

export const request = struct({ verb: [1, uint(255)], args: [2, bytesBetween(0, limits.MAX_FRAME_BYTES)] })
export type Request = Infer<typeof request>

export const answer = struct({
  status: [1, uint(255)],
  body: [2, bytesBetween(0, limits.MAX_FRAME_BYTES)],
  /** Seconds. */
  retryAfter: [3, optional(uint(2 ** 32))],
})
export type Answer = Infer<typeof answer>

const mailboxAddress = hash32
const cid = hash32
const signature = bytes(64)
const challenge = bytes(32)
const storeId = bytes(16)
const kind = uint(255)
/** A copy of the largest envelope: nonce and tag around it. */
export const MAX_COPY_BYTES = limits.ENVELOPE_BYTES[2] + 40
const copy = bytesBetween(1, MAX_COPY_BYTES)

// ---- HELLO ----
export const helloArgs = struct({ version: [1, uint(255)] })

/** What a server promises, signed by its transport key under `policy`. */
export const policy = struct({
  version: [1, uint(255)],
  server: [2, peerIdBytes],
  issued: [3, seconds],
  maxCopies: [4, uint()],
  maxBytes: [5, uint()],
  maxDays: [6, uint(365)],
  bucketBits: [7, uint(16)],
  claimBits: [8, uint(40)],
  contact: [9, text(200)],
  forwardKey: [10, typedX25519],
  /** From when on nothing new is taken. */
  drain: [11, optional(seconds)],
})
export type Policy = Infer<typeof policy>

export const helloAnswer = struct({
  policy: [1, bytesBetween(1, 1024)],
  signature: [2, signature],
  storeId: [3, storeId],
  /** Protocol time, seconds. */
  time: [4, seconds],
  challenge: [5, challenge],
})
export type HelloAnswer = Infer<typeof helloAnswer>

// ---- commands that are signed: what stands in `args`, and what the signature covers ----

/** The bytes under a command's signature: the verb, this server, its challenge, and the arguments with ids in place of bytes. */
export const commandBytes = struct({
  verb: [1, uint(255)],
  server: [2, peerIdBytes],
  challenge: [3, challenge],
  args: [4, bytesBetween(0, limits.MAX_FRAME_BYTES)],
})

export function signedCommand(
  verb: Verb,
  server: Uint8Array,
  challengeBytes: Uint8Array,
  args: Uint8Array,
): Uint8Array {
  return encode(commandBytes, { verb, server, challenge: challengeBytes, args })
}

/** A signed request's `args`: the arguments themselves, the challenge used and the signature. */
export const signedArgs = struct({
  args: [1, bytesBetween(0, limits.MAX_FRAME_BYTES)],
  challenge: [2, challenge],
  signature: [3, signature],
})
export type SignedArgs = Infer<typeof signedArgs>

export const claimArgs = struct({
  kind: [1, kind],
  writer: [2, bytes(32)],
  reader: [3, bytes(32)],
  until: [4, seconds],
  nonce: [5, bytes(8)],
})
export type ClaimArgs = Infer<typeof claimArgs>
export const claimAnswer = struct({ until: [1, seconds] })

export const putArgs = struct({ address: [1, mailboxAddress], copy: [2, copy], expires: [3, seconds] })
/** What W signs for PUT and REQUEST: the copy's id in place of the copy. */
export const putSigned = struct({ address: [1, mailboxAddress], cid: [2, cid], expires: [3, seconds] })

/** `cid = H(L("copy") || copy)`, 32 bytes. */
export function copyId(copyBytes: Uint8Array): Uint8Array {
  return sha256(L('copy'), copyBytes)
}

/** Signed by the server under `put-receipt` after a synced write. */
export const putReceipt = struct({
  server: [1, peerIdBytes],
  cid: [2, cid],
  address: [3, mailboxAddress],
  storeId: [4, storeId],
  /** Rounded down to the hour. */
  stored: [5, seconds],
  expires: [6, seconds],
  /** Copies that still fit. */
  room: [7, uint()],
})
export type PutReceipt = Infer<typeof putReceipt>
export const signedBody = struct({ body: [1, bytesBetween(1, limits.MAX_FRAME_BYTES)], signature: [2, signature] })

export const COPY_STATE = { missing: 0, held: 1, acknowledged: 2, released: 3 } as const
export const statArgs = struct({
  address: [1, mailboxAddress],
  cids: [2, list(cid, limits.MAX_STAT_CIDS, 1)],
  /** R's signature over the two above; needed for kinds invite and box. */
  challenge: [3, optional(challenge)],
  signature: [4, optional(signature)],
})
export const statSigned = struct({ address: [1, mailboxAddress], cids: [2, list(cid, limits.MAX_STAT_CIDS, 1)] })
/** R's own words: the bytes of a signed command and the signature. */
export const proof = struct({ command: [1, bytesBetween(1, 16384)], signature: [2, signature] })
export const statAnswer = struct({
  server: [1, peerIdBytes],
  address: [2, mailboxAddress],
  storeId: [3, storeId],
  time: [4, seconds],
  /** One of COPY_STATE for each cid asked, in their order. */
  cids: [5, list(cid, limits.MAX_STAT_CIDS, 1)],
  states: [6, list(uint(3), limits.MAX_STAT_CIDS, 1)],
  /** Encoded `proof`s of what is called acknowledged or released, each once. */
  proofs: [7, list(bytesBetween(1, 16600), 16)],
})
export type StatAnswer = Infer<typeof statAnswer>

const cursorEntry = struct({
  address: [1, mailboxAddress],
  /** Position after which to read; 0 reads from the start. */
  after: [2, uint()],
  /** R's signature under the challenge below over the address; needed for kinds invite and box. */
  signature: [3, optional(signature)],
})
export type CursorEntry = Infer<typeof cursorEntry>
export const readArgs = struct({
  /** The store that the cursors belong to; with another one they count as 0. */
  storeId: [1, optional(storeId)],
  entries: [2, list(cursorEntry, limits.MAX_SUBSCRIBE_ADDRESSES)],
  challenge: [3, optional(challenge)],
  /** SUBSCRIBE only: addresses that are read no longer. */
  remove: [4, optional(list(mailboxAddress, limits.MAX_SUBSCRIBE_ADDRESSES))],
})
export type ReadArgs = Infer<typeof readArgs>
/** What R signs to read one mailbox. */
export const readSigned = struct({ address: [1, mailboxAddress] })
export const mailItem = struct({ address: [1, mailboxAddress], position: [2, uint()], copy: [3, copy] })
export const readAnswer = struct({
  storeId: [1, storeId],
  items: [2, list(mailItem, 4096)],
  /** 1 when the window ended before the mail did. */
  more: [3, uint(1)],
})
export type ReadAnswer = Infer<typeof readAnswer>

export const acknowledgeArgs = struct({ address: [1, mailboxAddress], cids: [2, list(cid, limits.MAX_ACK_CIDS, 1)] })
export const releaseArgs = struct({ address: [1, mailboxAddress] })

export const requestArgs = struct({
  address: [1, mailboxAddress],
  leg: [2, bytes(limits.LEG_BYTES)],
  expires: [3, seconds],
  nonce: [4, bytes(8)],
})
export const requestAnswer = struct({ slot: [1, uint(255)] })

export const recordArgs = struct({
  /** DHT key whose record is asked for. */
  key: [1, optional(bytesBetween(33, 64))],
  /** A record handed in under that key, with postage over `key || H(record)`. */
  record: [2, optional(bytesBetween(1, limits.MAX_RECORD_BYTES))],
  nonce: [3, optional(bytes(8))],
  /** The challenge that the postage was made for; stands exactly where the nonce does. */
  challenge: [4, optional(challenge)],
})
/** What a server saw and when, signed under `record-receipt`. */
export const recordReceipt = struct({
  server: [1, peerIdBytes],
  key: [2, bytesBetween(33, 64)],
  seq: [3, seconds],
  hash: [4, hash32],
  time: [5, seconds],
})
export const recordAnswer = struct({
  record: [1, bytesBetween(1, limits.MAX_RECORD_BYTES)],
  receipt: [2, bytesBetween(1, 512)],
  signature: [3, signature],
})

/** Command sealed to a far server's X25519 key (FORWARD) and an envelope for a topic (PUBLISH): laid down, served later. */
export const forwardArgs = struct({
  server: [1, peerIdBytes],
  ephemeral: [2, typedX25519],
  sealed: [3, bytesBetween(1, limits.MAX_FRAME_BYTES)],
})
export const publishArgs = struct({ topic: [1, text(64)], envelope: [2, bytesBetween(1, limits.ENVELOPE_BYTES[2])] })

/**
 * Bytes whose postage pays for CLAIM, REQUEST and RECORD: `L("claim-postage") || challenge || subject`, nonce last.
 * The subject is the address (CLAIM), `address || cid` of the leg (REQUEST), `key || H(record)` (RECORD).
 */
export function claimPostageSubject(challengeBytes: Uint8Array, subject: Uint8Array): Uint8Array {
  return concat(L('claimPostage'), challengeBytes, subject)
}
