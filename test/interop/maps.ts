/*
 * The maps of identity, records, invites, handshake, payloads, rendezvous and vault, by the names of the document.
 * Those of the mailbox protocol are in mailbox-maps.ts.
 */
import { bytes, field, list, map, type Of, optional, textUpTo, uint } from './cbor.ts'

/** `seconds` */
export const seconds = uint(2 ** 40)
/** `hash` */
export const hash = bytes(32)
/** `peer ID` */
export const peerId = bytes(34, 42)
/** `multiaddr` */
export const multiaddr = textUpTo(120)
/** A version. */
export const version = uint(255)
/** A typed X25519 or Ed25519 key. */
export const typedKey = bytes(33)
/** A typed ML-KEM-768 key. */
const typedKem = bytes(1185)

/** A DHT record, signature included. */
export const MAX_RECORD_BYTES = 4096

/** `inception` */
export const inception = map(
  { version: field(1, version), root: field(2, typedKey), next: field(3, hash), salt: field(4, bytes(16)) },
  128,
)
/** `keyEvent` */
export const keyEvent = map({
  version: field(1, version),
  index: field(2, uint(8)),
  previous: field(3, hash),
  root: field(4, typedKey),
  next: field(5, hash),
})
const signedFields = { body: field(1, bytes(1, 4096)), signature: field(2, bytes(64)) }
/** `signed`, as a record */
export const signed = map(signedFields, MAX_RECORD_BYTES)
/** `signed`, as a key event */
export const signedEvent = map(signedFields, 256)
/** `device` */
export const device = map({
  signing: field(1, typedKey),
  identity: field(2, typedKey),
  added: field(3, seconds),
})
/** `identityRecord` */
export const identityRecord = map(
  {
    version: field(1, version),
    seq: field(2, seconds),
    previous: optional(3, hash),
    issued: field(4, seconds),
    expires: field(5, seconds),
    inception: field(6, bytes(1, 128)),
    events: field(7, list(bytes(1, 256), 8)),
    devices: field(8, list(device, 5)),
    revoked: field(9, list(typedKey, 16)),
    policy: field(10, uint(1)),
    requestReader: optional(11, typedKey),
    relays: optional(12, list(multiaddr, 4)),
    minVersion: field(13, version),
    maxVersion: field(14, version),
  },
  MAX_RECORD_BYTES,
)
/** `prekeyRecord` */
export const prekeyRecord = map(
  {
    version: field(1, version),
    id: field(2, hash),
    device: field(3, typedKey),
    seq: field(4, seconds),
    issued: field(5, seconds),
    expires: field(6, seconds),
    prekey: field(7, typedKey),
    kem: field(8, typedKem),
  },
  MAX_RECORD_BYTES,
)
/** `head` */
export const head = map({ events: field(1, uint(8)), seq: field(2, seconds), hash: field(3, hash) })
/** `invite` */
export const invite = map(
  {
    version: field(1, version),
    id: field(2, hash),
    writerSeed: field(3, bytes(32)),
    reader: field(4, bytes(32)),
    seal: field(5, bytes(32)),
    pin: field(6, head),
    relays: field(7, list(multiaddr, 2)),
    peerId: optional(8, peerId),
    addresses: optional(9, list(multiaddr, 4)),
    expires: field(10, seconds),
  },
  1024,
)
const messageIds = (most: number) => list(bytes(16), most)
/** `payload` */
export const payload = map(
  {
    version: field(1, version),
    type: field(2, uint(65535)),
    salt: field(3, bytes(16)),
    conversation: field(4, bytes(16)),
    lamport: field(5, uint(2 ** 48)),
    parents: field(6, messageIds(8)),
    sentAt: field(7, uint()),
    body: field(8, bytes(0, 65536)),
    lifetime: field(9, uint(2 ** 32)),
    mine: field(10, head),
    yours: optional(11, head),
    acknowledged: optional(12, messageIds(128)),
  },
  65536,
)
/** `textBody` */
export const textBody = map({ text: field(1, textUpTo(60000)) })
/** `profileBody` */
export const profileBody = map({
  name: field(1, textUpTo(64)),
  relays: field(2, list(multiaddr, 4)),
  peerId: optional(3, peerId),
  addresses: optional(4, list(multiaddr, 4)),
})
/** `mailboxUpdateBody` */
export const mailboxUpdateBody = map({ rekey: field(1, uint()), replacement: field(2, uint()), secret: field(3, hash) })
/** `leg1Identity` */
export const leg1Identity = map({ record: field(1, bytes(1, 4096)), device: field(2, typedKey) }, 4137)
/** `leg1Request` */
export const leg1Request = map(
  {
    oneTimeKey: field(1, typedKey),
    oneTimeKem: field(2, typedKem),
    replySecret: field(3, hash),
    relays: field(4, list(multiaddr, 4)),
    peerId: optional(5, peerId),
    addresses: optional(6, list(multiaddr, 4)),
    rekey: field(7, uint()),
    name: field(8, textUpTo(64)),
    note: field(9, textUpTo(280)),
    created: field(10, seconds),
    expires: field(11, seconds),
    minVersion: field(12, version),
    maxVersion: field(13, version),
  },
  2811,
)
/** `leg2Accept` */
export const leg2Accept = map(
  {
    ratchetKey: field(1, typedKey),
    head: field(2, head),
    device: field(3, typedKey),
    relays: field(4, list(multiaddr, 4)),
    peerId: optional(5, peerId),
    addresses: optional(6, list(multiaddr, 4)),
    rekey: field(7, uint()),
    version: field(8, version),
    name: field(9, textUpTo(64)),
  },
  7053,
)
/** The place of a rendezvous record. */
export const place = map({
  relays: field(1, list(multiaddr, 4)),
  peerId: optional(2, peerId),
  addresses: optional(3, list(multiaddr, 4)),
})
const cost = map({ KiB: field(1, uint(2 ** 32 - 1)), passes: field(2, uint(255)), lanes: field(3, uint(255)) })
/** A slot of a vault. */
export const slot = map({
  kind: field(1, uint(2)),
  cost: optional(2, cost),
  salt: field(3, bytes(16)),
  sealed: field(4, bytes(72)),
  commitment: field(5, bytes(32)),
})
/** The file of a vault. */
export const vault = map({ version: field(1, version), slots: field(2, list(slot, 2, 1)) })

/** What `head` reads. */
export type Head = Of<typeof head>
/** What `identityRecord` reads. */
export type IdentityRecord = Of<typeof identityRecord>
/** What `prekeyRecord` reads. */
export type PrekeyRecord = Of<typeof prekeyRecord>
/** What `slot` reads. */
export type Slot = Of<typeof slot>
