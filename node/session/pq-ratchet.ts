/**
 * Post-quantum half of the triple ratchet (PROTOCOL 8): epochs of symmetric chains, one for each direction. Epoch 0 comes
 * from the handshake; each later one from ML-KEM-768, whose keys and ciphertexts (`pq-pieces.ts`) travel whole in the headers.
 *
 *   s of epoch 0 = pq root      s of epoch e = HKDF(salt root key of e-1, shared secret, L(pq/root), 32)
 *   A's chain | B's chain = HKDF(no salt, s, L(pq/chains), 64)      root key = HKDF(no salt, s, L(pq/root), 32)
 *   MAC key = HKDF(no salt, s, L(pq/mac), 32)
 *
 * A writer goes over to an epoch when the reader has shown to hold it, and never back; the reader has opened something of
 * every epoch before the next one is written in. So what was passed over lies in two epochs at most, the place of every
 * message follows from the classical counts, and only the last two epochs have chains.
 */
import { hkdfSha256, NO_SALT, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { ForgedError } from '../errors.ts'
import { PIECE_TYPE, type RatchetHeader } from '../wire/header.ts'
import type { Chain, PqEpoch, PqRatchetState } from './session-state.ts'
import { type Gap, type PassedKey, passOver, sizeOf, splitGaps, takeKey, takeKeyAfter } from './symmetric-chain.ts'
import { wipe } from './wipe.ts'

/** Which side of the session this is: A generates the keys of odd epochs, B those of even ones. */
export type PqRole = 'A' | 'B'

/** State after the handshake. */
export function createPqRatchet(pqRoot: Uint8Array, role: PqRole): PqRatchetState {
  const { epoch, ...keys } = startEpoch(0, pqRoot, role)
  return { ...keys, theirEpoch: 0, epochs: [epoch], since: 0, messages: 0, heard: [], alarmed: 0 }
}

/** Chains, root key and MAC key of an epoch. */
function startEpoch(epoch: number, secret: Uint8Array, role: PqRole) {
  const [chainA, chainB] = split(hkdfSha256(NO_SALT, secret, L('pqChains'), 64), 32, 32)
  const [own, theirs] = role === 'A' ? [chainA!, chainB!] : [chainB!, chainA!]
  return {
    rootKey: hkdfSha256(NO_SALT, secret, L('pqRoot'), 32),
    macKey: hkdfSha256(NO_SALT, secret, L('pqMac'), 32),
    epoch: { epoch, sending: { key: own, count: 0 }, receiving: { key: theirs, count: 0 } },
  }
}

/** Highest epoch that is held. */
export function currentEpoch(state: PqRatchetState): number {
  return state.epochs.at(-1)!.epoch
}

/** The state that holds the next epoch too; overwrites the shared secret (32 bytes), destroys the root of before. */
export function enterEpoch(before: PqRatchetState, shared: Uint8Array, role: PqRole, now: number): PqRatchetState {
  const secret = hkdfSha256(before.rootKey, shared, L('pqRoot'), 32)
  const { epoch, ...keys } = startEpoch(currentEpoch(before) + 1, secret, role)
  wipe(secret, shared)
  return { ...before, ...keys, epochs: [...before.epochs, epoch], since: now, messages: 0 }
}

/** The next sending key, 32 bytes, the caller's to wipe, with its place: the highest epoch that the friend holds. */
export function takePqSendingKey(before: PqRatchetState): {
  state: PqRatchetState
  key: Uint8Array
  epoch: number
  count: number
} {
  const epoch = before.epochs.find((candidate) => candidate.epoch === before.theirEpoch)!
  const { count } = epoch.sending!
  const { key, chain } = takeKey(epoch.sending!)
  const state = withEpoch(before, { ...epoch, sending: chain })
  return { state: { ...state, messages: before.messages + 1 }, key, epoch: epoch.epoch, count }
}

/** A passed key with its epoch. */
export type PassedPqKey = PassedKey & { epoch: number }

/** Where a message and what was passed over before it lie in the epochs. */
export interface PqPlan {
  /** The epoch that everything received so far lies in, and what is left of it; undefined when the message is of the same. */
  left: { chain: Chain; epoch: number; gaps: Gap[] } | undefined
  epoch: PqEpoch & { receiving: Chain }
  gaps: Gap[]
}

/**
 * Finds the place of a message that is no late one, without deriving anything.
 * @param gaps what the classical half passes over
 * @throws ForgedError for an epoch that it cannot be of, or a count that does not follow from the classical ones
 */
export function planPq(state: PqRatchetState, header: RatchetHeader, gaps: readonly Gap[]): PqPlan {
  // epochs that something may still be opened in, in order
  const [first, next] = state.epochs.filter(hasReceiving)
  if (!first) throw new ForgedError()
  const size = sizeOf(gaps)
  if (header.pqEpoch === first.epoch) {
    if (header.pqCount !== first.receiving.count + size) throw new ForgedError()
    return { left: undefined, epoch: first, gaps: [...gaps] }
  }
  if (header.pqEpoch !== next?.epoch || header.pqCount > size) throw new ForgedError()
  const [before, after] = splitGaps(gaps, size - header.pqCount)
  return { left: { chain: first.receiving, epoch: first.epoch, gaps: before }, epoch: next, gaps: after }
}

function hasReceiving(epoch: PqEpoch): epoch is PqEpoch & { receiving: Chain } {
  return epoch.receiving !== undefined
}

/**
 * The key of a message, 32 bytes, the caller's to wipe, the state without it and without the chain of an epoch that is
 * left, and the keys that were passed over, oldest first. Adopt the state only when the message opened.
 * @param plan what `planPq` gave
 */
export function takePqReceivingKey(
  before: PqRatchetState,
  { left, epoch, gaps }: PqPlan,
): { state: PqRatchetState; key: Uint8Array; passed: PassedPqKey[] } {
  const passed: PassedPqKey[] = []
  let epochs = before.epochs
  if (left) {
    if (left.gaps.some(({ kept }) => kept > 0)) {
      const over = passOver(left.chain, left.gaps)
      if (over.chain.key !== left.chain.key) wipe(over.chain.key)
      passed.push(...over.passed.map((one) => ({ ...one, epoch: left.epoch })))
    }
    epochs = epochs.map((one) => (one.epoch === left.epoch ? withoutReceiving(one) : one)).filter(isUsed)
  }
  const taken = takeKeyAfter(epoch.receiving, gaps)
  passed.push(...taken.passed.map((one) => ({ ...one, epoch: epoch.epoch })))
  return { key: taken.key, state: withEpoch({ ...before, epochs }, { ...epoch, receiving: taken.chain }), passed }
}

/** What an authentic header tells of the friend's epochs; destroys what is not sealed with any more. */
export function hearEpoch(before: PqRatchetState, highest: number): PqRatchetState {
  // a friend who claims more than can be is believed no more than that
  const theirEpoch = Math.max(before.theirEpoch, Math.min(highest, currentEpoch(before)))
  const state = { ...before, messages: before.messages + 1 }
  if (theirEpoch === before.theirEpoch) return state
  const epochs = state.epochs.map((one) => (one.epoch < theirEpoch ? withoutSending(one) : one)).filter(isUsed)
  const { outgoing, ...rest } = state
  const isAnswered = outgoing?.type === PIECE_TYPE.ciphertext && outgoing.epoch <= theirEpoch
  return { ...rest, theirEpoch, epochs, ...(outgoing && !isAnswered && { outgoing }) }
}

function withEpoch(state: PqRatchetState, changed: PqEpoch): PqRatchetState {
  return { ...state, epochs: state.epochs.map((epoch) => (epoch.epoch === changed.epoch ? changed : epoch)) }
}

function withoutReceiving({ receiving: _receiving, ...rest }: PqEpoch): PqEpoch {
  return rest
}

function withoutSending({ sending: _sending, ...rest }: PqEpoch): PqEpoch {
  return rest
}

function isUsed({ sending, receiving }: PqEpoch): boolean {
  return sending !== undefined || receiving !== undefined
}
