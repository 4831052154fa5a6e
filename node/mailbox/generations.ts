/**
 * The mailboxes of a friendship over time (PROTOCOL 3): each direction has a secret, which its reader replaces now and then.
 * Generations order them without a clock. A pure state machine: every step gives a new state, and whoever holds it writes
 * it in the batch of the event that caused the step.
 *
 * The reader holds the new mailbox before the writer hears of it, and gives the old one up only when the writer was seen to
 * have moved and nothing that was put there before can be alive. The writer moves upwards alone. So what was given up is
 * never written to again, however slowly and in which order updates travel.
 */
import { compare, equal } from '../crypto/bytes.ts'
import {
  MAILBOX_LIFE_DAYS,
  MAILBOX_MESSAGES,
  MAX_ENVELOPE_DAYS,
  MAX_FORMER_MAILBOXES,
  MAX_MAILBOXES_PER_FRIEND,
} from '../limits.ts'
import { hash32 } from '../wire/records.ts'
import { bytesBetween, decode, encode, type Infer, list, optional, struct, uint } from '../wire/schema.ts'

const DAY = 86_400
/** An envelope is dead from the first second of its expiry day: up to a day more than its nominal life. */
const READ_ON_SECONDS = (MAX_ENVELOPE_DAYS + 1) * DAY
const MAX_STATE_BYTES = 8192

const generationFields = {
  /** Rekey number of the session that brought the secret, or in which it was replaced. */
  rekey: [1, uint()],
  /** 0 for a secret of a handshake, then one more each time. */
  replacement: [2, uint()],
  /** First 8 bytes of the session's th1 for replacement 0, else nothing: sessions that crossed have one rekey number. */
  session: [3, bytesBetween(0, 8)],
  secret: [4, hash32],
} as const

const readMailbox = struct({
  ...generationFields,
  /** Protocol time in seconds, and the friend's messages up to then: when the next replacement is due. */
  madeAt: [5, uint()],
  heard: [6, uint()],
  /** Seconds: since when the friend is known to write here. */
  usedAt: [7, optional(uint())],
  /** Seconds: until when it is read; absent while the friend may write here. */
  until: [8, optional(uint())],
})
/** A mailbox that the friend writes and this node reads. */
export type ReadMailbox = Infer<typeof readMailbox>

const writtenMailbox = struct({
  ...generationFields,
  /** 1 when the friend is known to read it. */
  held: [5, uint(1)],
})
/** The mailbox that this node writes. */
export type WrittenMailbox = Infer<typeof writtenMailbox>

const state = struct({
  reading: [1, list(readMailbox, MAX_MAILBOXES_PER_FRIEND)],
  writing: [2, optional(writtenMailbox)],
  /** Secrets of what was written before, newest first. */
  former: [3, list(hash32, MAX_FORMER_MAILBOXES)],
})
/** Both directions; `reading` in rising order. */
export type Mailboxes = Infer<typeof state>

/** What names a secret: a higher one stands above a lower one, whenever it came. */
export type Generation = Pick<ReadMailbox, 'rekey' | 'replacement' | 'session'>

export const NO_MAILBOXES: Mailboxes = { reading: [], former: [] }
/** Every replacement of one rekey number stands above the handshakes', so it needs no session to tell it apart. */
const NO_SESSION = new Uint8Array(0)

export function encodeMailboxes(mailboxes: Mailboxes): Uint8Array {
  return encode(state, mailboxes)
}

/** @throws PeerError for anything that `encodeMailboxes` did not make */
export function decodeMailboxes(encoded: Uint8Array): Mailboxes {
  return decode(state, encoded, MAX_STATE_BYTES)
}

/** Rekey number, then replacement, then the order of sessions (lowest th1 highest); 0 for one generation. */
export function compareGenerations(a: Generation, b: Generation): number {
  return a.rekey - b.rekey || a.replacement - b.replacement || compare(b.session, a.session)
}

/** The generation that is read and that the friend shall write to. */
export function newestOf({ reading }: Mailboxes): ReadMailbox | undefined {
  return reading.at(-1)
}

/**
 * A handshake brought the secrets of both directions.
 * @param held whether the friend is known to hold the session
 * @param heard messages of the friend's that opened so far
 */
export function openedSession(
  before: Mailboxes,
  session: { rekey: number; session: Uint8Array; mailboxIn: Uint8Array; mailboxOut: Uint8Array; held: boolean },
  at: { now: number; heard: number },
): Mailboxes {
  const { mailboxIn, mailboxOut, held, ...name } = session
  const generation = { ...name, replacement: 0 }
  const box: ReadMailbox = { ...generation, secret: mailboxIn, madeAt: at.now, heard: at.heard }
  const others = before.reading.filter((known) => compareGenerations(known, generation) !== 0)
  const reading = [...others, box].toSorted(compareGenerations).slice(-MAX_MAILBOXES_PER_FRIEND)
  return moved({ ...before, reading }, { ...generation, secret: mailboxOut, held: held ? 1 : 0 })
}

/** The friend showed to hold a session. */
export function heldSession(
  before: Mailboxes,
  session: { rekey: number; session: Uint8Array; mailboxOut: Uint8Array },
): Mailboxes {
  const { rekey, mailboxOut } = session
  return moved(before, { rekey, replacement: 0, session: session.session, secret: mailboxOut, held: 1 })
}

/**
 * The friend replaced the secret of the direction that is written here.
 * @param highestRekey of the sessions that this node holds: an update of a session that does not exist would outlast the
 *   next rekey
 */
export function adoptUpdate(
  before: Mailboxes,
  update: { rekey: number; replacement: number; secret: Uint8Array },
  highestRekey: number,
): Mailboxes {
  if (update.replacement === 0 || update.rekey > highestRekey) return before
  return moved(before, { ...update, session: NO_SESSION, held: 1 })
}

/**
 * Whether the secret of the direction that is read here should be replaced. Never while the friend was not seen to use the
 * newest one: a friend who is away changes nothing.
 */
export function isReplacementDue(mailboxes: Mailboxes, at: { now: number; heard: number }): boolean {
  const newest = newestOf(mailboxes)
  if (newest?.usedAt === undefined || mailboxes.reading.length >= MAX_MAILBOXES_PER_FRIEND) return false
  return newest.madeAt + MAILBOX_LIFE_DAYS * DAY <= at.now || at.heard - newest.heard >= MAILBOX_MESSAGES
}

/** Adds a generation above all others, to be read from now on. @param secret 32 fresh random bytes */
export function replaceSecret(
  before: Mailboxes,
  secret: Uint8Array,
  at: { now: number; heard: number },
): { after: Mailboxes; box: ReadMailbox } {
  const { rekey, replacement } = newestOf(before)!
  const generation = { rekey, replacement: replacement + 1, session: NO_SESSION }
  const box = { ...generation, secret, madeAt: at.now, heard: at.heard }
  return { after: { ...before, reading: [...before.reading, box] }, box }
}

/** Secrets of the mailboxes in which something of ours may lie, the present one first. */
export function writtenSecrets({ writing, former }: Mailboxes): Uint8Array[] {
  return writing ? [writing.secret, ...former] : [...former]
}

/** Something of the friend's was found in the mailbox of this generation: every lower one will only run dry. */
export function foundIn(before: Mailboxes, generation: Generation, now: number): Mailboxes {
  const reading = before.reading.map((box) => {
    const order = compareGenerations(box, generation)
    if (order === 0 && box.usedAt === undefined) return { ...box, usedAt: now }
    return order < 0 && box.until === undefined ? { ...box, until: now + READ_ON_SECONDS } : box
  })
  const isNews = reading.some((box, i) => box !== before.reading[i])
  return isNews ? { ...before, reading } : before
}

/** Takes away what has run dry. */
export function retireMailboxes(before: Mailboxes, now: number): Mailboxes {
  const reading = before.reading.filter(({ until }) => until === undefined || until > now)
  return reading.length < before.reading.length ? { ...before, reading } : before
}

/** Mailboxes that are read in one state and not in another. */
export function goneFrom(before: Mailboxes, after: Mailboxes): ReadMailbox[] {
  return before.reading.filter((box) => !after.reading.some((kept) => equal(kept.secret, box.secret)))
}

/** The writer moves upwards alone, and first of all to where it is known to be read. */
function moved(before: Mailboxes, offer: WrittenMailbox): Mailboxes {
  const { writing } = before
  const order = writing ? offer.held - writing.held || compareGenerations(offer, writing) : 1
  if (order <= 0) return before
  const former = writing ? [writing.secret, ...before.former].slice(0, MAX_FORMER_MAILBOXES) : before.former
  return { ...before, writing: offer, former }
}
