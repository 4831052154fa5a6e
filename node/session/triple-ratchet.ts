/**
 * The triple ratchet (PROTOCOL 8): both halves run, neither encrypts alone. Seals and opens the body of an envelope
 * (PROTOCOL 4); tag, postage, copies and the batch that adopts a state are others' work.
 *
 *   body = seal(header key, header(1301); AD) || seal(mk, padded payload; AD || encrypted header)
 *   AD = th3 || first 20 bytes of the envelope      mk = HKDF(salt pq key, ikm ec key, L(mk), 32)
 *
 * `seal` puts a random 24-byte nonce in front. The padding fills the envelope's size exactly.
 */
import { open, seal, NONCE_BYTES, SEAL_OVERHEAD_BYTES } from '../crypto/aead.ts'
import { concat } from '../crypto/bytes.ts'
import type { X25519KeyPair } from '../crypto/x25519.ts'
import { ForgedError, UsageError } from '../errors.ts'
import { ENVELOPE_BYTES } from '../limits.ts'
import { ENVELOPE_HEADER_BYTES, ENVELOPE_PREFIX_BYTES, envelopePrefix } from '../wire/envelope.ts'
import { encodeHeader, HEADER_BYTES, type RatchetHeader } from '../wire/header.ts'
import { pad, unpad } from '../wire/payload.ts'
import type { Draw } from './draw.ts'
import {
  accepterRatchet,
  type LocatedHeader,
  locateHeader,
  type PassedChain,
  planGaps,
  requesterRatchet,
  takeReceivingKey,
  takeSendingKey,
} from './double-ratchet.ts'
import type { SessionKeys } from './key-schedule.ts'
import { hearPiece, pieceOf, turnPq } from './pq-pieces.ts'
import {
  createPqRatchet,
  currentEpoch,
  hearEpoch,
  type PassedPqKey,
  planPq,
  type PqRole,
  takePqReceivingKey,
  takePqSendingKey,
} from './pq-ratchet.ts'
import { SESSION_ROLE, SESSION_STATE_VERSION, type SessionState, type SkippedChain } from './session-state.ts'
import { addSkipped, dropBelow, pruneSkipped, takeSkipped } from './skipped-keys.ts'
import { combineKeys } from './symmetric-chain.ts'
import { wipe } from './wipe.ts'

export type EnvelopeSize = (typeof ENVELOPE_BYTES)[number]

const ENCRYPTED_HEADER_BYTES = HEADER_BYTES + SEAL_OVERHEAD_BYTES

/** Largest payload, in bytes, that an envelope of `size` bytes carries: 2686, 14974 or 64126. */
export function payloadRoom(size: EnvelopeSize): number {
  // one byte of padding is the least
  return size - ENVELOPE_HEADER_BYTES - ENCRYPTED_HEADER_BYTES - SEAL_OVERHEAD_BYTES - 1
}

/** What the handshake fixed for a session. */
export interface SessionInit {
  keys: SessionKeys
  th1: Uint8Array
  th3: Uint8Array
  rekey: number
  /** Version that was chosen. */
  protocol: number
}

/** The requester's session; `theirKey` stands in c3. It is confirmed: an opened c3 proves the friend. */
export function requesterSession(init: SessionInit, oneTimeSecret: Uint8Array, theirKey: Uint8Array): SessionState {
  const { ecRoot, headerKeyA, headerKeyB, pqRoot } = init.keys
  return {
    ...freshSession(init),
    role: SESSION_ROLE.requester,
    confirmed: 1,
    ec: requesterRatchet(ecRoot, oneTimeSecret, theirKey, headerKeyA, headerKeyB),
    pq: createPqRatchet(pqRoot, 'A'),
  }
}

/** The accepter's session; `own` is the pair of c3. It is confirmed by the requester's first message. */
export function accepterSession(init: SessionInit, own: X25519KeyPair, oneTimeKey: Uint8Array): SessionState {
  const { ecRoot, headerKeyA, headerKeyB, pqRoot } = init.keys
  return {
    ...freshSession(init),
    role: SESSION_ROLE.accepter,
    confirmed: 0,
    ec: accepterRatchet(ecRoot, own, oneTimeKey, headerKeyA, headerKeyB),
    pq: createPqRatchet(pqRoot, 'B'),
  }
}

function freshSession({ th1, th3, rekey, protocol }: SessionInit) {
  return { version: SESSION_STATE_VERSION, protocol, th1, th3, rekey, sentSerial: 0, openedSerial: 0, skipped: [] }
}

function pqRoleOf({ role }: SessionState): PqRole {
  return role === SESSION_ROLE.requester ? 'A' : 'B'
}

/**
 * Where the next message of ours will stand, for the floor that `sealEnvelope` wants: the number of its sending chain
 * within the session, and its count in it.
 */
export function nextPosition(session: SessionState): { chain: number; count: number } {
  const { sending, sendingNumber } = session.ec
  return sending ? { chain: sendingNumber, count: sending.count } : { chain: sendingNumber + 1, count: 0 }
}

export interface SealInit {
  random: Draw
  /** Seconds, of the local clock. */
  now: number
  payload: Uint8Array
  /** One of ENVELOPE_KIND. */
  kind: number
  /** 16 bytes. */
  tag: Uint8Array
  tagCounter: number
  /** Days since 1970-01-01. */
  expiryDay: number
  /**
   * Lowest count of the chain of `nextPosition` that is alive in the outbox; undefined when none is. Too low makes the
   * reader store keys in vain, too high loses what lies below.
   */
  floor: number | undefined
  /** Size of the envelope. @default the smallest that fits */
  size?: EnvelopeSize
}

export interface SealedEnvelope {
  /** To be adopted before the envelope leaves: the key is used. */
  session: SessionState
  /** First 20 bytes of the envelope; the 8 of postage follow, then the body. */
  prefix: Uint8Array
  body: Uint8Array
  size: EnvelopeSize
  chain: number
  count: number
  serial: number
}

/**
 * Seals a payload as the session's next message.
 * @throws UsageError `TOO_LONG` when it does not fit, `BAD_FLOOR` for a floor above the message's own count
 */
export function sealEnvelope(session: SessionState, init: SealInit): SealedEnvelope {
  const size = chooseSize(init.payload.length, init.size)
  const { random } = init
  const prefix = envelopePrefix(init.kind, init.tag, init.expiryDay)
  const { count } = nextPosition(session)
  const floor = init.floor ?? count
  if (floor > count) throw new UsageError('BAD_FLOOR', `expected a floor of at most ${count}, got ${floor}`)
  const ec = takeSendingKey(session.ec, random)
  const turned = turnPq(session.pq, pqRoleOf(session), random, init.now)
  const pq = takePqSendingKey(turned)
  const serial = session.sentSerial + 1
  const header = encodeHeader({
    ratchetKey: ec.ratchetKey,
    previousCount: session.ec.previousCount,
    count,
    floor,
    tagCounter: init.tagCounter,
    serial,
    highestSerialOpened: session.openedSerial,
    pqEpoch: pq.epoch,
    pqCount: pq.count,
    highestPqEpoch: currentEpoch(turned),
    piece: pieceOf(turned),
  })
  const associated = concat(session.th3, prefix)
  const encryptedHeader = seal(ec.headerKey, random(NONCE_BYTES), header, associated)
  const messageKey = combineKeys(ec.key, pq.key)
  const padded = pad(init.payload, payloadRoom(size) + 1)
  const sealed = seal(messageKey, random(NONCE_BYTES), padded, concat(associated, encryptedHeader))
  wipe(messageKey, padded)
  return {
    session: { ...session, sentSerial: serial, ec: ec.state, pq: pq.state },
    prefix,
    body: concat(encryptedHeader, sealed),
    size,
    chain: ec.number,
    count,
    serial,
  }
}

function chooseSize(length: number, wanted: EnvelopeSize | undefined): EnvelopeSize {
  const size = wanted ?? ENVELOPE_BYTES.find((candidate) => length <= payloadRoom(candidate))
  if (size === undefined || length > payloadRoom(size)) {
    const room = payloadRoom(size ?? ENVELOPE_BYTES[2])
    throw new UsageError('TOO_LONG', `expected a payload of at most ${room} bytes, got ${length}`)
  }
  return size
}

/** What an opened header says, beside its keys. */
type OpenedHeader = Omit<RatchetHeader, 'ratchetKey' | 'piece'>

export interface OpenedEnvelope {
  /** To be adopted with the payload in one batch: the key is gone from it. */
  session: SessionState
  payload: Uint8Array
  /** A `highestSerialOpened` above our own `sentSerial` means that this state is older than the friend's memory. */
  header: OpenedHeader
  /**
   * The header contradicts what the friend said before about a post-quantum epoch, and that was not told yet: one of both
   * homes exists twice, or was put back.
   */
  alarm: boolean
}

/**
 * Opens the body of an envelope on a copy; `session` is never written to.
 * @param envelope the first 20 bytes of the envelope, its body, and the local clock in seconds
 * @throws ForgedError for what does not authenticate, was opened before, is dead, or contradicts itself: one error
 * @throws PeerError `TOO_FAR` when an authentic header asks for more steps than the limits allow; no key was derived
 */
export function openEnvelope(
  session: SessionState,
  { prefix, body, now }: { prefix: Uint8Array; body: Uint8Array; now: number },
): OpenedEnvelope {
  if (prefix.length !== ENVELOPE_PREFIX_BYTES || !isBodyLength(body.length)) throw new ForgedError()
  const encryptedHeader = body.subarray(0, ENCRYPTED_HEADER_BYTES)
  const associated = concat(session.th3, prefix)
  const located = locateHeader(session.ec, session.skipped, encryptedHeader, associated)
  const taken = takeMessageKey(session, located, now)
  let padded: Uint8Array
  try {
    padded = open(taken.key, body.subarray(ENCRYPTED_HEADER_BYTES), concat(associated, encryptedHeader))
  } finally {
    wipe(taken.key)
  }
  const payload = unpad(padded)
  // from here on the friend has said it
  const { ratchetKey: _key, piece: _piece, ...header } = located.header
  const heard = hearPiece(taken.pq, located.header, pqRoleOf(session), now)
  const pq = hearEpoch(heard.state, header.highestPqEpoch)
  return {
    session: {
      ...session,
      confirmed: 1,
      openedSerial: Math.max(session.openedSerial, header.serial),
      ec: taken.ec,
      pq,
      skipped: pruneSkipped(dropBelow(taken.skipped, located.headerKey, header.floor), currentEpoch(pq), now),
    },
    payload,
    header,
    alarm: heard.alarm,
  }
}

/** The key of a located message and the session's parts without it. */
function takeMessageKey(
  session: SessionState,
  located: LocatedHeader,
  now: number,
): Pick<SessionState, 'ec' | 'pq' | 'skipped'> & { key: Uint8Array } {
  const { header, headerKey } = located
  if (header.highestPqEpoch < header.pqEpoch) throw new ForgedError()
  const gaps = planGaps(session.ec, located)
  if (!gaps) {
    const { key, chains } = takeSkipped(session.skipped, headerKey, header)
    return { key, ec: session.ec, pq: session.pq, skipped: chains }
  }
  const plan = planPq(session.pq, header, gaps)
  const ec = takeReceivingKey(session.ec, located, gaps)
  const pq = takePqReceivingKey(session.pq, plan)
  const skipped = joinPassed(session.skipped, ec.passed, pq.passed, now)
  return { key: combineKeys(ec.key, pq.key), ec: ec.state, pq: pq.state, skipped }
}

/** Both halves passed over the same messages in the same order: one key of each two is kept. */
function joinPassed(
  before: SkippedChain[],
  chains: readonly PassedChain[],
  pqKeys: readonly PassedPqKey[],
  now: number,
): SkippedChain[] {
  let at = 0
  let skipped = before
  for (const { headerKey, keys } of chains) {
    const added = keys.map(({ count, key }) => {
      const { epoch, count: pqCount, key: pqKey } = pqKeys[at++]!
      return { count, epoch, pqCount, stored: now, key: combineKeys(key, pqKey) }
    })
    skipped = addSkipped(skipped, headerKey, added)
  }
  return skipped
}

/**
 * What the header of a body that does not open says our highest opened serial is: a header is authentic by itself. Above
 * our own `sentSerial` it tells that this state is an older one. Undefined when no header key of this state fits.
 */
export function echoedSerial(
  session: SessionState,
  { prefix, body }: { prefix: Uint8Array; body: Uint8Array },
): number | undefined {
  try {
    const encrypted = body.subarray(0, ENCRYPTED_HEADER_BYTES)
    return locateHeader(session.ec, session.skipped, encrypted, concat(session.th3, prefix)).header.highestSerialOpened
  } catch (error) {
    if (error instanceof ForgedError) return undefined
    throw error
  }
}

function isBodyLength(length: number): boolean {
  return ENVELOPE_BYTES.some((size) => length === size - ENVELOPE_HEADER_BYTES)
}
