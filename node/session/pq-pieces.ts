/**
 * How the post-quantum epochs turn (PROTOCOL 8): one side's encapsulation key, the other's ciphertext, each in every header
 * until its reader has shown to have it.
 *
 *   MAC of a key for epoch e = HMAC(MAC key of e-1, u8 1 || u32 e || key)
 *   MAC of a ciphertext for epoch e = HMAC(MAC key of e, u8 2 || u32 e || ciphertext), which proves that both hold e
 *
 * A piece never decides whether a message opens. One that does not fit changes nothing and is an alarm: the friend's home
 * exists twice, or was put back.
 */
import { concat, equal, u32, u8 } from '../crypto/bytes.ts'
import { hmacSha256, sha256 } from '../crypto/hash.ts'
import { isCanonicalKem, KEM_SEED_BYTES, kemDecapsulate, kemKeyPair } from '../crypto/kem.ts'
import * as limits from '../limits.ts'
import { type HeaderPiece, PIECE_TYPE, type RatchetHeader } from '../wire/header.ts'
import { type Draw, encapsulateTo } from './draw.ts'
import { currentEpoch, enterEpoch, type PqRole } from './pq-ratchet.ts'
import type { PqRatchetState } from './session-state.ts'

/** Whether this side makes the encapsulation key of an epoch. */
function isGenerator(role: PqRole, epoch: number): boolean {
  return (role === 'A') === (epoch % 2 === 1)
}

/**
 * What has to happen before a message of ours is sealed: a key of the friend's is answered, and the next epoch is
 * started when the present one is used up and the friend has it.
 */
export function turnPq(before: PqRatchetState, role: PqRole, random: Draw, now: number): PqRatchetState {
  const state = before.since === 0 ? { ...before, since: now } : before
  if (state.offered) return answer(state, state.offered, role, random, now)
  const next = currentEpoch(state) + 1
  const isUsedUp = state.messages >= limits.PQ_EPOCH_MESSAGES || now - state.since >= limits.PQ_EPOCH_SECONDS
  if (!isUsedUp || !isGenerator(role, next) || state.outgoing || state.theirEpoch !== currentEpoch(state)) return state
  const { seed, public: bytes } = kemKeyPair(random(KEM_SEED_BYTES))
  const type = PIECE_TYPE.encapsulationKey
  return { ...state, outgoing: { type, epoch: next, bytes, mac: macOf(state.macKey, type, next, bytes), seed } }
}

function answer(
  { offered: _offered, ...before }: PqRatchetState,
  key: Uint8Array,
  role: PqRole,
  random: Draw,
  now: number,
): PqRatchetState {
  const { ciphertext, secret } = encapsulateTo(key, random)
  const state = enterEpoch(before, secret, role, now)
  const type = PIECE_TYPE.ciphertext
  const epoch = currentEpoch(state)
  return {
    ...state,
    outgoing: { type, epoch, bytes: ciphertext, mac: macOf(state.macKey, type, epoch, ciphertext) },
  }
}

/** The piece that goes into the next header. */
export function pieceOf({ outgoing }: PqRatchetState): HeaderPiece | undefined {
  return outgoing && { type: outgoing.type, epoch: outgoing.epoch, bytes: outgoing.bytes, mac: outgoing.mac }
}

/**
 * What the piece in the header of a message that opened changes.
 * @returns `alarm` for one that contradicts what was heard before or cannot be the friend's; told once for each epoch
 */
export function hearPiece(
  state: PqRatchetState,
  header: RatchetHeader,
  role: PqRole,
  now: number,
): { state: PqRatchetState; alarm: boolean } {
  const { piece } = header
  if (!piece) return { state, alarm: false }
  const current = currentEpoch(state)
  // of the past, and nothing is known of it any more
  if (piece.epoch > 0 && piece.epoch <= current - limits.KEPT_PQ_EPOCHS) return { state, alarm: false }
  const digest = sha256(u8(piece.type), u32(piece.epoch), piece.bytes, piece.mac)
  const heard = state.heard.find(({ epoch }) => epoch === piece.epoch)
  if (heard && equal(heard.digest, digest)) return { state, alarm: false }
  // an honest friend speaks of an epoch first in the one before it
  const isNew = !heard && piece.epoch === current + 1 && header.pqEpoch === current
  const after = isNew ? takePiece(state, piece, role, now) : undefined
  if (after) {
    return { state: { ...after, heard: withHeard(state, { epoch: piece.epoch, digest }) }, alarm: false }
  }
  if (piece.epoch < state.alarmed) return { state, alarm: false }
  return { state: { ...state, alarmed: piece.epoch + 1 }, alarm: true }
}

/** The state with a piece of the next epoch; undefined when it is not what the friend has to send. */
function takePiece(before: PqRatchetState, piece: HeaderPiece, role: PqRole, now: number): PqRatchetState | undefined {
  if (!isGenerator(role, piece.epoch)) {
    const isKey = piece.type === PIECE_TYPE.encapsulationKey && isCanonicalKem(piece.bytes)
    if (!isKey || !equal(piece.mac, macOf(before.macKey, piece.type, piece.epoch, piece.bytes))) return undefined
    return { ...before, offered: piece.bytes }
  }
  const { outgoing, ...rest } = before
  if (piece.type !== PIECE_TYPE.ciphertext || outgoing?.seed === undefined || outgoing.epoch !== piece.epoch) {
    return undefined
  }
  const state = enterEpoch(rest, kemDecapsulate(outgoing.seed, piece.bytes), role, now)
  return equal(piece.mac, macOf(state.macKey, piece.type, piece.epoch, piece.bytes)) ? state : undefined
}

function withHeard(state: PqRatchetState, one: PqRatchetState['heard'][number]): PqRatchetState['heard'] {
  return [...state.heard, one].slice(-limits.KEPT_PQ_EPOCHS)
}

function macOf(key: Uint8Array, type: number, epoch: number, bytes: Uint8Array): Uint8Array {
  return hmacSha256(key, concat(u8(type), u32(epoch), bytes))
}
