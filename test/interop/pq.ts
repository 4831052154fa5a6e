/*
 * The post-quantum half (section 8): epochs of chains, pieces of the next epoch, and who enters it when.
 */
import { concat, L, must, Refused, same, split, toHex, u32, u8 } from './bytes.ts'
import { PIECE, type Header, type Piece } from './header.ts'
import { kemDecapsulate, kemPublic, MLKEM768, typed, untyped } from './keys.ts'
import { encapsulate } from './mlkem.ts'
import { H, HKDF, HMAC, none } from './primitives.ts'

/** Side of a friendship: A asked, B was asked. */
export type Side = 'A' | 'B'

/** A symmetric chain and how many of its keys are used. */
export interface Chain {
  key: Uint8Array
  count: number
}

/** Takes the next message key of a chain. */
export function step(chain: Chain): Uint8Array {
  const messageKey = HMAC(chain.key, u8(1))
  chain.key = HMAC(chain.key, u8(2))
  chain.count++
  return messageKey
}

/** Keys of an epoch. */
export interface EpochKeys {
  s: Uint8Array
  chainA: Uint8Array
  chainB: Uint8Array
  rootKey: Uint8Array
  macKey: Uint8Array
}

/** Keys of an epoch from its s. */
export function epochKeys(s: Uint8Array): EpochKeys {
  const [chainA, chainB] = split(HKDF(none, s, L('pq/chains'), 64), [32, 32])
  return { s, chainA, chainB, rootKey: HKDF(none, s, L('pq/root'), 32), macKey: HKDF(none, s, L('pq/mac'), 32) }
}

/** s of the epoch after the one with this root key. */
export function nextS(rootKey: Uint8Array, sharedSecret: Uint8Array): Uint8Array {
  return HKDF(rootKey, sharedSecret, L('pq/root'), 32)
}

/** State of the half on one side. */
export interface PqState {
  side: Side
  /** Highest epoch held, with what enters the next. */
  held: number
  rootKey: Uint8Array
  macKey: Uint8Array
  /** Highest epoch that the friend has shown. */
  shown: number
  /** Epoch of the last message opened in order. */
  reads: number
  sending: Map<number, Chain>
  receiving: Map<number, Chain>
  /** Messages since this epoch is held, and the second of the first. */
  used: number
  firstUsed: number
  /** Own key pair that waits. */
  offer?: { seed: Uint8Array; piece: Piece }
  /** The friend's key that waits. */
  offered?: Uint8Array
  /** Ciphertext that is repeated. */
  answer?: Piece
  /** Names of the pieces heard, by epoch. */
  heard: Map<number, string>
}

const KEPT_EPOCHS = 8
const USED_UP_MESSAGES = 64
const USED_UP_SECONDS = 86_400

/** Epoch 0. */
export function beginPq(side: Side, pqRoot: Uint8Array): PqState {
  const { chainA, chainB, rootKey, macKey } = epochKeys(pqRoot)
  const [own, theirs] = side === 'A' ? [chainA, chainB] : [chainB, chainA]
  return {
    side,
    held: 0,
    rootKey,
    macKey,
    shown: 0,
    reads: 0,
    sending: new Map([[0, { key: own, count: 0 }]]),
    receiving: new Map([[0, { key: theirs, count: 0 }]]),
    used: 0,
    firstUsed: 0,
    heard: new Map(),
  }
}

function enter(pq: PqState, keys: EpochKeys): void {
  const [own, theirs] = pq.side === 'A' ? [keys.chainA, keys.chainB] : [keys.chainB, keys.chainA]
  pq.held++
  pq.rootKey = keys.rootKey
  pq.macKey = keys.macKey
  pq.sending.set(pq.held, { key: own, count: 0 })
  pq.receiving.set(pq.held, { key: theirs, count: 0 })
  pq.used = 0
  delete pq.offer
  delete pq.offered
  for (const epoch of pq.heard.keys()) if (epoch <= pq.held - KEPT_EPOCHS) pq.heard.delete(epoch)
}

/** Whose key pair an epoch has. */
const generatorOf = (epoch: number): Side => (epoch % 2 === 1 ? 'A' : 'B')

const macOf = (macKey: Uint8Array, type: number, epoch: number, bytes: Uint8Array): Uint8Array =>
  HMAC(macKey, u8(type), u32(epoch), bytes)

/** Counts a message that was sealed or opened since the epoch is held. */
export function countUse(pq: PqState, now: number): void {
  if (pq.used === 0) pq.firstUsed = now
  pq.used++
}

/** Whether the generator-to-be offers the next epoch when it next seals. */
function isUsedUp(pq: PqState, now: number): boolean {
  return pq.used >= USED_UP_MESSAGES || (pq.used > 0 && now - pq.firstUsed >= USED_UP_SECONDS)
}

/** What is drawn when a piece is made. */
export interface PieceDraw {
  pieceSeed?: Uint8Array
  pieceCoins?: Uint8Array
}

/** The piece of the next message to be sealed; makes it where it is time. */
export function pieceToSend(pq: PqState, now: number, drawn: PieceDraw): Piece | undefined {
  const next = pq.held + 1
  if (pq.offer === undefined && generatorOf(next) === pq.side && pq.shown === pq.held && isUsedUp(pq, now)) {
    must(drawn.pieceSeed !== undefined, 'a seed for the key pair')
    const bytes = kemPublic(drawn.pieceSeed)
    const piece = { type: PIECE.key, epoch: next, bytes, mac: macOf(pq.macKey, PIECE.key, next, bytes) }
    pq.offer = { seed: drawn.pieceSeed, piece }
  } else if (pq.offered !== undefined) {
    must(drawn.pieceCoins !== undefined, 'coins for the ciphertext')
    const { ciphertext, secret } = encapsulate(pq.offered, drawn.pieceCoins)
    enter(pq, epochKeys(nextS(pq.rootKey, secret)))
    const mac = macOf(pq.macKey, PIECE.ciphertext, next, ciphertext)
    pq.answer = { type: PIECE.ciphertext, epoch: next, bytes: ciphertext, mac }
  }
  return pq.offer?.piece ?? pq.answer
}

const nameOf = (piece: Piece): string => toHex(H(concat(u8(piece.type), u32(piece.epoch), piece.bytes, piece.mac)))

function takeKey(pq: PqState, piece: Piece): boolean {
  if (generatorOf(piece.epoch) === pq.side || piece.type !== PIECE.key) return false
  if (!same(piece.mac, macOf(pq.macKey, PIECE.key, piece.epoch, piece.bytes))) return false
  try {
    pq.offered = untyped(MLKEM768, typed(MLKEM768, piece.bytes))
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
  return true
}

function takeCiphertext(pq: PqState, piece: Piece): boolean {
  if (pq.offer === undefined || piece.type !== PIECE.ciphertext) return false
  const keys = epochKeys(nextS(pq.rootKey, kemDecapsulate(pq.offer.seed, piece.bytes)))
  if (!same(piece.mac, macOf(keys.macKey, PIECE.ciphertext, piece.epoch, piece.bytes))) return false
  enter(pq, keys)
  return true
}

/** Looks at the piece of a header that opened, in the order of the document; true means an alarm. */
export function takePiece(pq: PqState, header: Header): boolean {
  const { piece } = header
  if (piece === undefined) return false
  if (piece.epoch !== 0 && piece.epoch <= pq.held - KEPT_EPOCHS) return false
  const known = pq.heard.get(piece.epoch)
  if (known === nameOf(piece)) return false
  if (piece.epoch !== pq.held + 1 || known !== undefined || header.pqEpoch !== pq.held) return true
  if (!takeKey(pq, piece) && !takeCiphertext(pq, piece)) return true
  pq.heard.set(piece.epoch, nameOf(piece))
  return false
}

/** Takes to the state which epoch the writer of a header holds. */
export function takeShown(pq: PqState, header: Header): void {
  const shown = Math.min(header.highestPqEpoch, pq.held)
  if (shown <= pq.shown) return
  pq.shown = shown
  delete pq.answer
  for (const epoch of pq.sending.keys()) if (epoch < shown) pq.sending.delete(epoch)
}

/** Place of a message in the post-quantum half. */
export interface PqPlace {
  epoch: number
  count: number
}

/** Places of `gap` messages missing before one at a place; a place that cannot be is refused. */
export function missingPlaces(pq: PqState, place: PqPlace, gap: number): PqPlace[] {
  const received = pq.receiving.get(pq.reads)?.count ?? 0
  const crossing = place.epoch === pq.reads + 1
  must(place.epoch === pq.reads || (crossing && place.epoch <= pq.held), 'an epoch that the reader holds')
  if (crossing) must(place.count <= gap, 'the pq count of a new epoch')
  else must(place.count === received + gap, 'the pq count that follows from the classical counts')
  const before = crossing ? gap - place.count : gap
  return Array.from({ length: gap }, (_, i) =>
    i < before ? { epoch: pq.reads, count: received + i } : { epoch: place.epoch, count: i - before },
  )
}

/** Steps the receiving chain of an epoch to the key at a place, which is the next one in it. */
export function receiveKey(pq: PqState, place: PqPlace): Uint8Array {
  const chain = pq.receiving.get(place.epoch)
  must(chain?.count === place.count, 'the next key of its chain')
  if (place.epoch > pq.reads) {
    pq.receiving.delete(pq.reads)
    pq.reads = place.epoch
  }
  return step(chain)
}
