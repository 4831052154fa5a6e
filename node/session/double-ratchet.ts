/**
 * Classical half of the triple ratchet (PROTOCOL 8): the Double Ratchet with header encryption (Signal's specification,
 * section 4). Which messages belong to which chain, and the ec half of their keys; nothing here seals a payload.
 *
 *   KDF_RK(rk, dh) = HKDF(salt rk, dh, L(rk), 96) -> root key | chain key | next header key
 *
 * The accepter B sends first: its pair stands in c3, A's one-time key is A's first ratchet key, and c3 counts as B's first
 * message, so A steps at once. Header keys: B sends under header key B, A under header key A. The sending half of a step
 * waits for the next message of ours: the wire is the same, and a stolen state holds one secret less. Header keys are
 * tried in the order current, next, then chains with skipped keys from the oldest.
 */
import { equal } from '../crypto/bytes.ts'
import { open } from '../crypto/aead.ts'
import { hkdfSha256, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { x25519, type X25519KeyPair, x25519KeyPair } from '../crypto/x25519.ts'
import { ForgedError, PeerError } from '../errors.ts'
import * as limits from '../limits.ts'
import { decodeHeader, type RatchetHeader } from '../wire/header.ts'
import type { DoubleRatchetState, SkippedChain } from './session-state.ts'
import { type Gap, type PassedKey, passOver, takeKey, takeKeyAfter } from './symmetric-chain.ts'
import { wipe } from './wipe.ts'

type Random = (length: number) => Uint8Array

/** A header that opened, and the chain whose key opened it. */
export interface LocatedHeader {
  header: RatchetHeader
  headerKey: Uint8Array
  chain: 'current' | 'next' | 'skipped'
}

/** State of the accepter: `own` is the pair of c3, `theirKey` the requester's one-time key. */
export function accepterRatchet(
  root: Uint8Array,
  own: X25519KeyPair,
  theirKey: Uint8Array,
  headerKeyA: Uint8Array,
  headerKeyB: Uint8Array,
): DoubleRatchetState {
  const { rootKey, chainKey, nextHeaderKey } = stepRoot(root, own.secret, theirKey)
  return {
    rootKey,
    sending: { key: chainKey, count: 0, headerKey: headerKeyB, secret: own.secret, public: own.public },
    nextSendingHeaderKey: nextHeaderKey,
    nextReceivingHeaderKey: headerKeyA,
    theirKey,
    previousCount: 0,
    sendingNumber: 1,
  }
}

/** State of the requester after its step with the ratchet key of c3; `oneTimeSecret` is not needed any more. */
export function requesterRatchet(
  root: Uint8Array,
  oneTimeSecret: Uint8Array,
  theirKey: Uint8Array,
  headerKeyA: Uint8Array,
  headerKeyB: Uint8Array,
): DoubleRatchetState {
  const { rootKey, chainKey, nextHeaderKey } = stepRoot(root, oneTimeSecret, theirKey)
  return {
    rootKey,
    receiving: { key: chainKey, count: 0, headerKey: headerKeyB, floor: 0 },
    nextSendingHeaderKey: headerKeyA,
    nextReceivingHeaderKey: nextHeaderKey,
    theirKey,
    previousCount: 0,
    sendingNumber: 0,
  }
}

/** What the next message of ours is sealed with; `number` names its chain. */
export interface SendingKey {
  state: DoubleRatchetState
  /** 32 bytes, the caller's to wipe. */
  key: Uint8Array
  headerKey: Uint8Array
  ratchetKey: Uint8Array
  count: number
  number: number
}

/** Takes the next sending key, after the waiting half of a step if there is one. */
export function takeSendingKey(before: DoubleRatchetState, random: Random): SendingKey {
  const state = before.sending ? before : stepSending(before, random)
  const sending = state.sending!
  const { key, chain } = takeKey(sending)
  return {
    state: { ...state, sending: { ...sending, ...chain } },
    key,
    headerKey: sending.headerKey,
    ratchetKey: sending.public,
    count: sending.count,
    number: state.sendingNumber,
  }
}

/**
 * Opens the encrypted header by trial, at most seven keys.
 * @throws ForgedError when none opens it
 */
export function locateHeader(
  state: DoubleRatchetState,
  skippedChains: readonly SkippedChain[],
  encrypted: Uint8Array,
  associated: Uint8Array,
): LocatedHeader {
  const current = state.receiving?.headerKey
  const candidates: [Uint8Array, LocatedHeader['chain']][] = [[state.nextReceivingHeaderKey, 'next']]
  if (current) candidates.unshift([current, 'current'])
  for (const { headerKey } of skippedChains) {
    if (!current || !equal(headerKey, current)) candidates.push([headerKey, 'skipped'])
  }
  for (const [headerKey, chain] of candidates) {
    const plaintext = tryOpen(headerKey, encrypted, associated)
    if (plaintext) return { header: decodeHeader(plaintext), headerKey, chain }
  }
  throw new ForgedError()
}

function tryOpen(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  try {
    return open(key, sealed, associated)
  } catch {
    return undefined // of another chain, or of nobody
  }
}

/**
 * What must be passed over before the message's key, counted without deriving anything: the rest of the previous chain,
 * then the gap in its own; undefined when the key must be among the skipped ones.
 * @throws ForgedError for counts that contradict themselves or what was heard before
 * @throws PeerError `TOO_FAR` when more would be stored or stepped over than the limits allow
 */
export function planGaps(state: DoubleRatchetState, { header, chain }: LocatedHeader): [Gap, Gap] | undefined {
  const { receiving } = state
  if (header.floor > header.count) throw new ForgedError()
  if (chain === 'skipped') return undefined
  let gaps: [Gap, Gap]
  if (chain === 'next') {
    const from = receiving?.count ?? 0
    // without a pair of ours on the way, nobody can have stepped
    if (!state.sending || header.previousCount < from) throw new ForgedError()
    if (!receiving && header.previousCount !== 0) throw new ForgedError()
    gaps = [gap(from, receiving?.floor ?? 0, header.previousCount), gap(0, header.floor, header.count)]
  } else {
    if (!receiving || !equal(header.ratchetKey, state.theirKey)) throw new ForgedError()
    if (header.count < receiving.count) return undefined
    gaps = [gap(0, 0, 0), gap(receiving.count, Math.max(header.floor, receiving.floor), header.count)]
  }
  const [previous, own] = gaps
  if (previous.kept + own.kept > limits.MAX_SKIPPED_AT_ONCE || previous.dead + own.dead > limits.MAX_DEAD_STEPS) {
    throw new PeerError(
      'TOO_FAR',
      `expected at most ${limits.MAX_SKIPPED_AT_ONCE} messages missing and ${limits.MAX_DEAD_STEPS} dead before this one`,
    )
  }
  return gaps
}

/** Messages from `from` up to `to`, of which those below `floor` are dead. */
function gap(from: number, floor: number, to: number): Gap {
  const firstKept = Math.min(Math.max(from, floor), to)
  return { dead: firstKept - from, kept: to - firstKept }
}

/** Keys of one chain that were passed over; the other half's stand beside them in the same order. */
export interface PassedChain {
  headerKey: Uint8Array
  keys: PassedKey[]
}

/**
 * The key of a message that is no late one, 32 bytes, the caller's to wipe, the state without it, and the keys that were
 * passed over, oldest first. Adopt the state only when the message opened.
 * @param gaps what `planGaps` gave
 * @throws ForgedError for a bad ratchet key
 */
export function takeReceivingKey(
  before: DoubleRatchetState,
  { header, headerKey, chain }: LocatedHeader,
  gaps: [Gap, Gap],
): { state: DoubleRatchetState; key: Uint8Array; passed: PassedChain[] } {
  const [previousGap, ownGap] = gaps
  const stepped = chain === 'next' ? stepReceiving(before, header, previousGap) : { state: before, passed: [] }
  const receiving = stepped.state.receiving!
  const taken = takeKeyAfter(receiving, [ownGap])
  const passed = taken.passed.length > 0 ? [...stepped.passed, { headerKey, keys: taken.passed }] : stepped.passed
  if (chain === 'next') wipe(receiving.key)
  const floor = Math.max(receiving.floor, header.floor)
  return { key: taken.key, state: { ...stepped.state, receiving: { ...receiving, ...taken.chain, floor } }, passed }
}

function stepReceiving(
  state: DoubleRatchetState,
  header: RatchetHeader,
  rest: Gap,
): { state: DoubleRatchetState; passed: PassedChain[] } {
  const sending = state.sending!
  const passed: PassedChain[] = []
  // what is dead to the end of the chain need not be stepped over: the chain goes
  if (state.receiving && rest.kept > 0) {
    const { headerKey, key } = state.receiving
    const over = passOver(state.receiving, [rest])
    if (over.chain.key !== key) wipe(over.chain.key)
    if (over.passed.length > 0) passed.push({ headerKey, keys: over.passed })
  }
  const { rootKey, chainKey, nextHeaderKey } = stepRoot(state.rootKey, sending.secret, header.ratchetKey)
  const stepped = {
    rootKey,
    receiving: { key: chainKey, count: 0, headerKey: state.nextReceivingHeaderKey, floor: 0 },
    nextSendingHeaderKey: state.nextSendingHeaderKey,
    nextReceivingHeaderKey: nextHeaderKey,
    theirKey: header.ratchetKey,
    previousCount: sending.count,
    sendingNumber: state.sendingNumber,
  }
  return { state: stepped, passed }
}

function stepSending(state: DoubleRatchetState, random: Random): DoubleRatchetState {
  const own = x25519KeyPair(random(32))
  const { rootKey, chainKey, nextHeaderKey } = stepRoot(state.rootKey, own.secret, state.theirKey)
  return {
    ...state,
    rootKey,
    sending: {
      key: chainKey,
      count: 0,
      headerKey: state.nextSendingHeaderKey,
      secret: own.secret,
      public: own.public,
    },
    nextSendingHeaderKey: nextHeaderKey,
    sendingNumber: state.sendingNumber + 1,
  }
}

function stepRoot(
  root: Uint8Array,
  secret: Uint8Array,
  theirKey: Uint8Array,
): { rootKey: Uint8Array; chainKey: Uint8Array; nextHeaderKey: Uint8Array } {
  const shared = agree(secret, theirKey)
  const [rootKey, chainKey, nextHeaderKey] = split(hkdfSha256(root, shared, L('ratchetRoot'), 96), 32, 32, 32)
  wipe(shared)
  return { rootKey: rootKey!, chainKey: chainKey!, nextHeaderKey: nextHeaderKey! }
}

function agree(secret: Uint8Array, theirKey: Uint8Array): Uint8Array {
  try {
    return x25519(secret, theirKey)
  } catch {
    throw new ForgedError()
  }
}
