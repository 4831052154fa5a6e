/**
 * Post-quantum half of the triple ratchet (PROTOCOL 8), epoch 0: one symmetric chain for each direction from the
 * handshake's secret, whose counts run on over the steps of the classical half. Root and MAC key for epoch 1 are laid
 * down; a node that stays at epoch 0 says so in every header and is understood.
 *
 *   HKDF(no salt, pq root, L(pq/chains), 64) -> A's sending chain | B's sending chain
 *
 * Within an epoch the count of every message follows from the classical counts, so only those keys are kept that the
 * classical half keeps.
 */
import { hkdfSha256, NO_SALT, split } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { ForgedError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { RatchetHeader } from '../wire/header.ts'
import type { PqEpoch, PqRatchetState } from './session-state.ts'
import { type Gap, passOver, takeKey } from './symmetric-chain.ts'
import { wipe } from './wipe.ts'

/** Highest epoch that this implementation reaches. Higher needs the KEM; there is no lower. */
export const HIGHEST_PQ_EPOCH = 0

/** State after the handshake, for the requester A or the accepter B. */
export function createPqRatchet(pqRoot: Uint8Array, requester: boolean): PqRatchetState {
  const [chainA, chainB] = split(hkdfSha256(NO_SALT, pqRoot, L('pqChains'), 64), 32, 32)
  const [own, theirs] = requester ? [chainA!, chainB!] : [chainB!, chainA!]
  return {
    rootKey: hkdfSha256(NO_SALT, pqRoot, L('pqRoot'), 32),
    macKey: hkdfSha256(NO_SALT, pqRoot, L('pqMac'), 32),
    theirEpoch: 0,
    epochs: [{ epoch: 0, sending: { key: own, count: 0 }, receiving: { key: theirs, count: 0 }, skipped: [] }],
  }
}

/** The next sending key, 32 bytes, the caller's to wipe, with its place. */
export function takePqSendingKey(before: PqRatchetState): {
  state: PqRatchetState
  key: Uint8Array
  epoch: number
  count: number
} {
  const epoch = before.epochs.at(-1)!
  const { key, chain } = takeKey(epoch.sending)
  return { state: withEpoch(before, { ...epoch, sending: chain }), key, epoch: epoch.epoch, count: epoch.sending.count }
}

/**
 * The key of a message, 32 bytes, the caller's to wipe, and the state without it. Adopt the state only when the message opened.
 * @param gaps what the classical half passes over; undefined when it has the key among the skipped ones
 * @throws ForgedError for an epoch that is not held, or a count that does not follow from the classical ones
 */
export function takePqReceivingKey(
  before: PqRatchetState,
  header: RatchetHeader,
  gaps: readonly Gap[] | undefined,
  now: number,
): { state: PqRatchetState; key: Uint8Array } {
  const epoch = before.epochs.find((candidate) => candidate.epoch === header.pqEpoch)
  if (!epoch) throw new ForgedError()
  const taken = gaps ? takeNew(epoch, header, gaps, now) : takeSkipped(epoch, header)
  // counts of this chain's messages below the floor: nothing of them will come
  const first = header.pqCount - header.count
  const skipped = taken.epoch.skipped.filter(({ count }) => count < first || count >= first + header.floor)
  const state = withEpoch(before, { ...taken.epoch, skipped })
  return { key: taken.key, state: { ...state, theirEpoch: Math.max(before.theirEpoch, header.highestPqEpoch) } }
}

function takeNew(epoch: PqEpoch, header: RatchetHeader, gaps: readonly Gap[], now: number) {
  const { receiving } = epoch
  const missing = gaps.reduce((sum, { dead, kept }) => sum + dead + kept, 0)
  if (header.pqCount !== receiving.count + missing) throw new ForgedError()
  const passed = passOver(receiving, gaps, now)
  const { key, chain } = takeKey(passed.chain)
  if (passed.chain.key !== receiving.key) wipe(passed.chain.key)
  return { key, epoch: { ...epoch, receiving: chain, skipped: [...epoch.skipped, ...passed.skipped] } }
}

function takeSkipped(epoch: PqEpoch, header: RatchetHeader) {
  const found = epoch.skipped.find(({ count }) => count === header.pqCount)
  if (!found) throw new ForgedError()
  return {
    key: found.key.slice(),
    epoch: { ...epoch, skipped: epoch.skipped.filter((candidate) => candidate !== found) },
  }
}

/** The state without skipped keys that are too old or too many, oldest first. */
export function prunePqSkipped(state: PqRatchetState, now: number): PqRatchetState {
  const oldest = now - limits.SKIPPED_KEY_DAYS * 86_400
  let room = limits.MAX_SKIPPED_KEYS
  const epochs = state.epochs.toReversed().map((epoch) => {
    const fresh = epoch.skipped.filter(({ stored }) => stored >= oldest)
    const skipped = fresh.slice(Math.max(0, fresh.length - room))
    room -= skipped.length
    return { ...epoch, skipped }
  })
  return { ...state, epochs: epochs.toReversed() }
}

function withEpoch(state: PqRatchetState, changed: PqEpoch): PqRatchetState {
  return { ...state, epochs: state.epochs.map((epoch) => (epoch.epoch === changed.epoch ? changed : epoch)) }
}
