/*
 * A session of the ratchet (section 8): its state on one side, how it begins from the keys of the handshake, tags, and
 * sealing. Opening is in ratchet-open.ts.
 */
import { concat, cut, L, must, pad, split, u16, u64, u8 } from './bytes.ts'
import { HEADER_BYTES, type Header, writeHeader } from './header.ts'
import { DH, x25519Public } from './keys.ts'
import * as pqHalf from './pq.ts'
import { type Chain, type PqState, type Side, step } from './pq.ts'
import { HKDF, HMAC, none, seal } from './primitives.ts'

/** Bytes of an envelope before its body. */
export const PREFIX_AND_POSTAGE = 28
/** Bytes of the encrypted header. */
export const ENCRYPTED_HEADER = HEADER_BYTES + 40

/** A step of the classical root, under the names of the vectors. */
interface RootStep {
  rootKey: Uint8Array
  secret: Uint8Array
  theirKey: Uint8Array
  shared: Uint8Array
  newRootKey: Uint8Array
  chainKey: Uint8Array
  nextHeaderKey: Uint8Array
}

/** `KDF_RK` of a root key, an own secret and a key of the friend's. */
export function rootStep(rootKey: Uint8Array, secret: Uint8Array, theirKey: Uint8Array): RootStep {
  const shared = DH(secret, theirKey)
  const [newRootKey, chainKey, nextHeaderKey] = split(HKDF(rootKey, shared, L('rk'), 96), [32, 32, 32])
  return { rootKey, secret, theirKey, shared, newRootKey, chainKey, nextHeaderKey }
}

interface Sending extends Chain {
  headerKey: Uint8Array
  ratchetKey: Uint8Array
  previousCount: number
}

interface Receiving extends Chain {
  headerKey: Uint8Array
  ratchetKey: Uint8Array
  floor: number
}

/** The key of a late message, with the place that its header must name. */
export interface KeptKey {
  headerKey: Uint8Array
  count: number
  pqEpoch: number
  pqCount: number
  messageKey: Uint8Array
  stored: number
}

/** A session on one side. */
export interface Session {
  th3: Uint8Array
  rootKey: Uint8Array
  /** Secret of the own pair that a new chain of the friend's could answer. */
  secret?: Uint8Array
  theirKey: Uint8Array
  sending?: Sending
  nextSendingHeaderKey: Uint8Array
  receiving?: Receiving
  nextReceivingHeaderKey: Uint8Array
  kept: KeptKey[]
  lastSerial: number
  highestSerialOpened: number
  pq: PqState
}

/** What both sides have after leg 2. */
interface Start {
  th3: Uint8Array
  ecRoot: Uint8Array
  pqRoot: Uint8Array
  headerKeyA: Uint8Array
  headerKeyB: Uint8Array
}

/** A's session: `secret` is that of OTa, `theirKey` the ratchet key of c3; for B the other way round. */
export function begin(side: Side, start: Start, secret: Uint8Array, theirKey: Uint8Array): Session {
  const first = rootStep(start.ecRoot, secret, theirKey)
  const common = {
    th3: start.th3,
    rootKey: first.newRootKey,
    theirKey,
    kept: [],
    lastSerial: 0,
    highestSerialOpened: 0,
  }
  const pq = pqHalf.beginPq(side, start.pqRoot)
  const chainOfB = { key: first.chainKey, count: 0, headerKey: start.headerKeyB }
  if (side === 'A') {
    const keys = { nextSendingHeaderKey: start.headerKeyA, nextReceivingHeaderKey: first.nextHeaderKey }
    return { ...common, ...keys, pq, receiving: { ...chainOfB, ratchetKey: theirKey, floor: 0 } }
  }
  const keys = { nextSendingHeaderKey: first.nextHeaderKey, nextReceivingHeaderKey: start.headerKeyA }
  const sending = { ...chainOfB, ratchetKey: x25519Public(secret), previousCount: 0 }
  return { ...common, ...keys, pq, secret, sending }
}

/** `mk`: the post-quantum message key is the salt. */
export function messageKeyOf(pqKey: Uint8Array, ecKey: Uint8Array): Uint8Array {
  return HKDF(pqKey, ecKey, L('mk'), 32)
}

/** Key of the tags of a direction, from its mailbox secret. */
export function tagKeyOf(mailboxSecret: Uint8Array): Uint8Array {
  return HKDF(none, mailboxSecret, L('tag-key'), 32)
}

/** Tag of a counter. */
export function tagOf(tagKey: Uint8Array, counter: number): Uint8Array {
  return cut(HMAC(tagKey, u64(counter)), 0, 16)
}

/** The first 20 bytes of an envelope. */
export function prefixOf(tag: Uint8Array, expiryDay: number): Uint8Array {
  return concat(u8(1), u8(1), tag, u16(expiryDay))
}

/** What a writer draws, and what its outbox tells. */
interface Draw extends pqHalf.PieceDraw {
  now: number
  secret?: Uint8Array
  headerNonce: Uint8Array
  payloadNonce: Uint8Array
  floor: number
  tagCounter: number
  prefix: Uint8Array
  size: number
}

/** A sealed message with all values between. */
interface Sealed {
  steps: RootStep[]
  associated: Uint8Array
  header: Header
  headerBytes: Uint8Array
  headerKey: Uint8Array
  encryptedHeader: Uint8Array
  ecMessageKey: Uint8Array
  pqMessageKey: Uint8Array
  messageKey: Uint8Array
  sealedPayload: Uint8Array
}

/** Seals a payload; the session moves on. */
export function sealMessage(session: Session, payload: Uint8Array, draw: Draw): Sealed {
  const steps: RootStep[] = []
  if (session.secret === undefined) {
    must(draw.secret !== undefined, 'a new pair')
    const made = rootStep(session.rootKey, draw.secret, session.theirKey)
    const { nextSendingHeaderKey: headerKey } = session
    const previousCount = session.sending?.count ?? 0
    const ratchetKey = x25519Public(draw.secret)
    session.sending = { key: made.chainKey, count: 0, headerKey, ratchetKey, previousCount }
    session.rootKey = made.newRootKey
    session.nextSendingHeaderKey = made.nextHeaderKey
    session.secret = draw.secret
    steps.push(made)
  }
  const { sending, pq } = session
  must(sending !== undefined, 'a sending chain')
  const piece = pqHalf.pieceToSend(pq, draw.now, draw)
  const chain = pq.sending.get(Math.min(pq.shown, pq.held))
  must(chain !== undefined, 'a post-quantum chain')
  const header: Header = {
    ratchetKey: sending.ratchetKey,
    previousCount: sending.previousCount,
    count: sending.count,
    floor: draw.floor,
    tagCounter: draw.tagCounter,
    serial: ++session.lastSerial,
    highestSerialOpened: session.highestSerialOpened,
    pqEpoch: pq.shown,
    pqCount: chain.count,
    highestPqEpoch: pq.held,
    ...(piece && { piece }),
  }
  const associated = concat(session.th3, draw.prefix)
  const headerBytes = writeHeader(header)
  const encryptedHeader = seal(sending.headerKey, draw.headerNonce, headerBytes, associated)
  const [ecMessageKey, pqMessageKey] = [step(sending), step(chain)]
  const messageKey = messageKeyOf(pqMessageKey, ecMessageKey)
  const padded = pad(payload, draw.size - PREFIX_AND_POSTAGE - ENCRYPTED_HEADER - 40)
  const sealedPayload = seal(messageKey, draw.payloadNonce, padded, concat(associated, encryptedHeader))
  pqHalf.countUse(pq, draw.now)
  const keys = { headerKey: sending.headerKey, ecMessageKey, pqMessageKey, messageKey }
  return { steps, associated, header, headerBytes, encryptedHeader, sealedPayload, ...keys }
}
