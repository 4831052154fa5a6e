/*
 * The maps of the mailbox protocol (section 6), by the names of the document, with codes of verbs and statuses.
 */
import { bytes, field, list, map, type Of, optional, textUpTo, uint } from './cbor.ts'
import { hash, peerId, seconds, typedKey, version } from './maps.ts'

/** Arguments and bodies. */
const MOST = 393_216
const signature = bytes(64)
const challenge = bytes(32)
const storeId = bytes(16)
const cids = list(hash, 256, 1)

/** Codes of the verbs. */
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

/** Statuses, at their codes. */
export const STATUSES = [
  'ok',
  'full',
  'price',
  'unclaimed',
  'released',
  'malformed',
  'refused',
  'challenge',
  'busy',
  'unsupported',
  'absent',
  'acknowledged',
] as const
/** Name of a status. */
export type Status = (typeof STATUSES)[number]

/** `request` */
export const request = map({ verb: field(1, uint(255)), args: field(2, bytes(0, MOST)) }, MOST)
/** `answer` */
export const answer = map(
  { status: field(1, uint(255)), body: field(2, bytes(0, MOST)), retryAfter: optional(3, uint(2 ** 32)) },
  MOST,
)
/** `helloArgs` */
export const helloArgs = map({ version: field(1, version) })
/** `policy` */
export const policy = map({
  version: field(1, version),
  server: field(2, peerId),
  issued: field(3, seconds),
  maxCopies: field(4, uint()),
  maxBytes: field(5, uint()),
  maxDays: field(6, uint(365)),
  bucketBits: field(7, uint(16)),
  claimBits: field(8, uint(40)),
  contact: field(9, textUpTo(200)),
  forwardKey: field(10, typedKey),
  drain: optional(11, seconds),
})
/** `helloAnswer` */
export const helloAnswer = map({
  policy: field(1, bytes(1, 1024)),
  signature: field(2, signature),
  storeId: field(3, storeId),
  time: field(4, seconds),
  challenge: field(5, challenge),
})
/** `commandBytes` */
export const commandBytes = map({
  verb: field(1, uint(255)),
  server: field(2, peerId),
  challenge: field(3, challenge),
  args: field(4, bytes(0, MOST)),
})
/** `signedArgs` */
export const signedArgs = map({
  args: field(1, bytes(0, MOST)),
  challenge: field(2, challenge),
  signature: field(3, signature),
})
/** `claimArgs` */
export const claimArgs = map({
  kind: field(1, uint(255)),
  writer: field(2, bytes(32)),
  reader: field(3, bytes(32)),
  until: field(4, seconds),
  nonce: field(5, bytes(8)),
})
/** `claimAnswer` */
export const claimAnswer = map({ until: field(1, seconds) })
/** `putArgs` */
export const putArgs = map({ address: field(1, hash), copy: field(2, bytes(1, 65576)), expires: field(3, seconds) })
/** `putSigned` */
export const putSigned = map({ address: field(1, hash), cid: field(2, hash), expires: field(3, seconds) })
/** `putReceipt` */
export const putReceipt = map({
  server: field(1, peerId),
  cid: field(2, hash),
  address: field(3, hash),
  storeId: field(4, storeId),
  stored: field(5, seconds),
  expires: field(6, seconds),
  room: field(7, uint()),
})
/** `signedBody` */
export const signedBody = map({ body: field(1, bytes(1, MOST)), signature: field(2, signature) })
/** `statArgs` */
export const statArgs = map({
  address: field(1, hash),
  cids: field(2, cids),
  challenge: optional(3, challenge),
  signature: optional(4, signature),
})
/** `statSigned` */
export const statSigned = map({ address: field(1, hash), cids: field(2, cids) })
/** `proof` */
export const proof = map({ command: field(1, bytes(1, 16384)), signature: field(2, signature) })
/** `statAnswer` */
export const statAnswer = map({
  server: field(1, peerId),
  address: field(2, hash),
  storeId: field(3, storeId),
  time: field(4, seconds),
  cids: field(5, cids),
  states: field(6, list(uint(3), 256, 1)),
  proofs: field(7, list(bytes(1, 16600), 16)),
})
const cursorEntry = map({ address: field(1, hash), after: field(2, uint()), signature: optional(3, signature) })
/** `readArgs` */
export const readArgs = map({
  storeId: optional(1, storeId),
  entries: field(2, list(cursorEntry, 2048)),
  challenge: optional(3, challenge),
  remove: optional(4, list(hash, 2048)),
})
/** `readSigned` */
export const readSigned = map({ address: field(1, hash) })
const mailItem = map({ address: field(1, hash), position: field(2, uint()), copy: field(3, bytes(1, 65576)) })
/** `readAnswer` */
export const readAnswer = map({
  storeId: field(1, storeId),
  items: field(2, list(mailItem, 4096)),
  more: field(3, uint(1)),
})
/** `acknowledgeArgs` */
export const acknowledgeArgs = map({ address: field(1, hash), cids: field(2, cids) })
/** `releaseArgs` */
export const releaseArgs = map({ address: field(1, hash) })
/** `requestArgs` */
export const requestArgs = map({
  address: field(1, hash),
  leg: field(2, bytes(8192)),
  expires: field(3, seconds),
  nonce: field(4, bytes(8)),
})
/** `requestAnswer` */
export const requestAnswer = map({ slot: field(1, uint(255)) })
/** `recordArgs` */
export const recordArgs = map({
  key: optional(1, bytes(33, 64)),
  record: optional(2, bytes(1, 4096)),
  nonce: optional(3, bytes(8)),
  challenge: optional(4, challenge),
})
/** `recordReceipt` */
export const recordReceipt = map({
  server: field(1, peerId),
  key: field(2, bytes(33, 64)),
  seq: field(3, seconds),
  hash: field(4, hash),
  time: field(5, seconds),
})
/** `recordAnswer` */
export const recordAnswer = map({
  record: field(1, bytes(1, 4096)),
  receipt: field(2, bytes(1, 512)),
  signature: field(3, signature),
})

/** What `signedArgs` reads. */
export type SignedArgs = Of<typeof signedArgs>
/** What `mailItem` reads. */
export type MailItem = Of<typeof mailItem>
