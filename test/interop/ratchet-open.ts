/*
 * Opening of messages (section 8) with loss, reordering, late messages and floors. It works on a copy of the state, which
 * is given back only when everything fits.
 */
import { concat, cut, must, Refused, same, unpad } from './bytes.ts'
import { type Header, readHeader } from './header.ts'
import * as pqHalf from './pq.ts'
import { type Chain, type PqPlace, step } from './pq.ts'
import { open } from './primitives.ts'
import { ENCRYPTED_HEADER, type KeptKey, messageKeyOf, PREFIX_AND_POSTAGE, rootStep, type Session } from './ratchet.ts'

/** Message keys stored because of one message. */
const MAX_SKIPPED_AT_ONCE = 1000
/** Message keys stored in one session. */
const MAX_SKIPPED_KEYS = 2000
/** Steps over what is dead because of one message. */
const MAX_DEAD_STEPS = 100_000
/** How long a stored message key is kept. */
const SKIPPED_KEY_DAYS = 31
const DAY = 86_400
const KEPT_EPOCHS = 8
const ENVELOPE_BYTES = [4096, 16384, 65536]

/** `TOO_FAR`: more to store or to step over than the limits allow. */
export class TooFar extends Refused {}

/** A message that opened, and the state after it. */
interface Opened {
  payload: Uint8Array
  header: Header
  headerBytes: Uint8Array
  headerKey: Uint8Array
  messageKey: Uint8Array
  /** A piece contradicted. */
  alarm: boolean
  /** The friend heard more than this state has said. */
  behind: boolean
  session: Session
}

function openHeader(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  try {
    return open(key, sealed, associated)
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

interface Missing {
  headerKey: Uint8Array
  count: number
  dead: boolean
}

function missingIn(
  headerKey: Uint8Array,
  from: number,
  to: number,
  floor: number,
  out: { dead: number; live: number },
) {
  must(to >= from, 'counts that contradict what was heard')
  const dead = Math.max(0, Math.min(floor, to) - from)
  out.dead += dead
  out.live += to - from - dead
  return { headerKey, from, to, floor }
}

function listed(ranges: { headerKey: Uint8Array; from: number; to: number; floor: number }[]): Missing[] {
  return ranges.flatMap(({ headerKey, from, to, floor }) =>
    Array.from({ length: to - from }, (_, i) => ({ headerKey, count: from + i, dead: from + i < floor })),
  )
}

/** Counts the gaps before a message, before any key is derived. */
function gapsBefore(session: Session, header: Header, isNew: boolean): { old: Missing[]; own: Missing[] } {
  const total = { dead: 0, live: 0 }
  const { receiving } = session
  const old = []
  let from = 0
  let floor = header.floor
  let headerKey = session.nextReceivingHeaderKey
  if (isNew) {
    must(session.secret !== undefined, 'a pair that a new chain could answer')
    if (receiving) {
      old.push(missingIn(receiving.headerKey, receiving.count, header.previousCount, receiving.floor, total))
    } else must(header.previousCount === 0, 'no chain before the first')
  } else {
    must(receiving !== undefined, 'a chain')
    must(same(receiving.ratchetKey, header.ratchetKey), 'the ratchet key of this chain')
    from = receiving.count
    floor = Math.max(floor, receiving.floor)
    headerKey = receiving.headerKey
    must(header.count >= receiving.floor, 'below the floor')
  }
  const own = [missingIn(headerKey, from, header.count, floor, total)]
  if (total.live > MAX_SKIPPED_AT_ONCE || total.dead > MAX_DEAD_STEPS) throw new TooFar('too many are missing')
  return { old: listed(old), own: listed(own) }
}

function derive(session: Session, header: Header, isNew: boolean, now: number): Uint8Array {
  const gaps = gapsBefore(session, header, isNew)
  const { pq } = session
  const place = { epoch: header.pqEpoch, count: header.pqCount }
  const places = pqHalf.missingPlaces(pq, place, gaps.old.length + gaps.own.length)
  const pass = (chain: Chain, missing: Missing[]): void => {
    for (const { headerKey, count, dead } of missing) {
      const at = places.shift() as PqPlace
      const ecKey = step(chain)
      const messageKey = messageKeyOf(pqHalf.receiveKey(pq, at), ecKey)
      if (!dead) session.kept.push({ headerKey, count, pqEpoch: at.epoch, pqCount: at.count, messageKey, stored: now })
    }
  }
  if (session.receiving) pass(session.receiving, gaps.old)
  if (isNew) {
    must(session.secret !== undefined, 'a pair')
    const made = rootStep(session.rootKey, session.secret, header.ratchetKey)
    const { ratchetKey, floor } = header
    const headerKey = session.nextReceivingHeaderKey
    session.receiving = { key: made.chainKey, count: 0, headerKey, ratchetKey, floor }
    session.nextReceivingHeaderKey = made.nextHeaderKey
    session.rootKey = made.newRootKey
    session.theirKey = ratchetKey
    delete session.secret
  }
  const { receiving } = session
  must(receiving !== undefined, 'a chain')
  pass(receiving, gaps.own)
  receiving.floor = Math.max(receiving.floor, header.floor)
  const ecKey = step(receiving)
  return messageKeyOf(pqHalf.receiveKey(pq, place), ecKey)
}

function takeKept(session: Session, header: Header, headerKey: Uint8Array): Uint8Array {
  const found = session.kept.find((one) => one.count === header.count && same(one.headerKey, headerKey))
  must(found !== undefined, 'its key is gone')
  must(found.pqEpoch === header.pqEpoch && found.pqCount === header.pqCount, 'the place that was stored')
  session.kept = session.kept.filter((one) => one !== found)
  return found.messageKey
}

function forget(session: Session, header: Header, headerKey: Uint8Array, now: number): void {
  const stays = (one: KeptKey): boolean =>
    !(same(one.headerKey, headerKey) && one.count < header.floor) &&
    now - one.stored < SKIPPED_KEY_DAYS * DAY &&
    one.pqEpoch > session.pq.held - KEPT_EPOCHS
  session.kept = session.kept.filter(stays).slice(-MAX_SKIPPED_KEYS)
}

/** Opens the body of an envelope (from offset 28); the given session does not change. */
export function openMessage(before: Session, prefix: Uint8Array, body: Uint8Array, now: number): Opened {
  must(ENVELOPE_BYTES.includes(body.length + PREFIX_AND_POSTAGE), 'no envelope has this size')
  const session = structuredClone(before)
  const associated = concat(session.th3, prefix)
  const encryptedHeader = cut(body, 0, ENCRYPTED_HEADER)
  const candidates = [
    session.receiving?.headerKey,
    session.nextReceivingHeaderKey,
    ...session.kept.map((k) => k.headerKey),
  ]
  let found: { headerKey: Uint8Array; headerBytes: Uint8Array } | undefined
  for (const headerKey of candidates) {
    if (headerKey === undefined || found) continue
    const headerBytes = openHeader(headerKey, encryptedHeader, associated)
    if (headerBytes) found = { headerKey, headerBytes }
  }
  must(found !== undefined, 'no header key fits')
  const { headerKey, headerBytes } = found
  const header = readHeader(headerBytes)
  const { receiving } = session
  const isNew = same(headerKey, session.nextReceivingHeaderKey)
  const current = receiving !== undefined && same(headerKey, receiving.headerKey)
  const late = !isNew && (!current || header.count < receiving.count)
  const messageKey = late ? takeKept(session, header, headerKey) : derive(session, header, isNew, now)
  const sealed = cut(body, ENCRYPTED_HEADER, body.length)
  const payload = unpad(open(messageKey, sealed, concat(associated, encryptedHeader)))
  const behind = header.highestSerialOpened > session.lastSerial
  const alarm = pqHalf.takePiece(session.pq, header)
  pqHalf.takeShown(session.pq, header)
  pqHalf.countUse(session.pq, now)
  session.highestSerialOpened = Math.max(session.highestSerialOpened, header.serial)
  forget(session, header, headerKey, now)
  return { payload, header, headerBytes, headerKey, messageKey, alarm, behind, session }
}
