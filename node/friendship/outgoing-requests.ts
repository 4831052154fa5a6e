/**
 * Asking (PROTOCOL 7): looks the other up, builds leg 1, leaves it at the relays of the invite, or in the open box of whoever
 * takes requests from anybody, and reads the reply mailbox until c3 opens or nobody can answer any more.
 */
import { equal } from '../crypto/bytes.ts'
import { Transaction } from '../delivery/journal.ts'
import type { Found } from '../directory/directory.ts'
import { UsageError } from '../errors.ts'
import { type IdentityView, readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import { drawFrom } from '../session/draw.ts'
import { createLeg1 } from '../session/leg1.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import { decode, encode } from '../wire/schema.ts'
import { type Asked, type Contact, contactKey, withAcceptedKeys } from './contact.ts'
import { replyName } from './contract.ts'
import { Drives, type StepResult } from './drives.ts'
import { isInWindow } from './leg-opening.ts'
import { followKeys, isDeviceOf } from './key-changes.ts'
import { type ReplyMailboxInit, ReplyMailboxes, stillAnswerable } from './reply-mailbox.ts'
import {
  type Attempt,
  DAY_MS,
  HOUR_MS,
  isClosed,
  isGone,
  isRefused,
  isUnclaimed,
  newAttempt,
  standBefore,
} from './request-attempt.ts'
import { boxDoor, type Door, inviteDoor, needsInvite } from './request-door.ts'

/** A request that lies at the relays is left there again, since one of them may have lost it. */
const REPEAT: StepResult = { ms: DAY_MS }
/** The reply mailbox is read for so long before a request is given up that, as far as is known, no relay took. */
const READ_FIRST = { ms: HOUR_MS }
const CLOSED = 'they take requests by invite only: ask them for one'
const SERVER_TIMEOUT_MS = 15_000
/** Two steps of one day's round are never quite a day apart. */
const LOOK_AGAIN_MS = DAY_MS / 2

/** Whom a person asks, and with which words. */
export interface Question {
  /** How to knock; by the ID alone when there is none. */
  invite?: Invite
  /** Their records, where a lookup has just found them. */
  found?: Found
  petname?: string
  note: string
}

export class OutgoingRequests {
  readonly #init: ReplyMailboxInit
  readonly #drives: Drives
  readonly #replies: ReplyMailboxes
  readonly #attempts = new Map<string, Attempt>()

  constructor(init: ReplyMailboxInit) {
    this.#init = init
    this.#replies = new ReplyMailboxes(init)
    this.#drives = new Drives({ ...init, step: (id) => this.#step(id) })
  }

  /** Goes on with what was under way. */
  start(): void {
    for (const { id, asked } of this.#init.book.all()) if (asked) this.#drives.go(id)
  }

  stop(): void {
    this.#replies.stop()
    this.#drives.stop()
  }

  /**
   * The records of somebody who is asked by ID; undefined while nobody has them. Never throws.
   * @param contact what is known of them
   */
  async lookUp({ id, pin, record }: Contact): Promise<Found | undefined> {
    const { directory } = this.#init
    if (!pin) return await directory.lookup(id)
    return await directory.lookupFrom(id, pin, (record && readIdentityRecord(record).record.relays) ?? [])
  }

  /** Whether the request is by ID, and nobody has had the other's records yet. */
  isSought({ id, asked }: Contact): boolean {
    if (!asked || asked.invite || asked.leg || asked.earlier.length > 0) return false
    return this.#attempts.get(contactKey(id))?.found === undefined
  }

  /**
   * Makes a request durable, in place of an earlier one, and sends it off. The caller holds the contact's queue.
   * @throws UsageError `NO_RELAY`, `TOO_LONG`, `WRONG_STATE` for a petname that another has
   */
  async ask(contact: Contact, { invite, found, petname, note }: Question): Promise<Contact> {
    const { relays, random, protocolTime, book, clock } = this.#init
    if (relays().length === 0) {
      throw new UsageError('NO_RELAY', 'without a relay nobody can answer', {
        hint: 'add one: `kith config set relays ADDRESS`, then start again',
      })
    }
    const before = contact.asked
    const asked: Asked = {
      ...(invite && { invite: encode(inviteShape, invite) }),
      // somebody who opened an earlier leg answers where it says, and the answer still counts
      replySecret: before?.replySecret ?? random.bytes(32),
      earlier: before ? stillAnswerable(before, protocolTime()) : [],
      sentTo: [],
      note,
    }
    const name = book.checkPetname(petname ?? contact.petname, contact.id)
    const changed: Contact = { ...contact, state: 'outgoing', reason: undefined, petname: name, asked }
    await book.save(changed, (tx) => tx.event('contact', { id: idToText(contact.id), state: 'outgoing' }))
    if (found) this.#attemptOf(contact.id, asked).found = { records: found, at: clock.now() }
    this.#drives.go(contact.id)
    return changed
  }

  /** Another record of a contact is believed: a leg that was made for a device which is gone is answered by nobody. */
  look(id: Uint8Array): void {
    if (this.#init.book.get(id)?.asked) this.#drives.go(id)
  }

  /** The own keys are replaced: what was asked with the old ones is asked anew, and the answer to either counts. */
  askAnew(tx: Transaction, contact: Contact): void {
    const { asked } = contact
    if (!asked?.leg) return
    const earlier = stillAnswerable(asked, this.#init.protocolTime())
    const { leg: _, ...rest } = asked
    this.#init.book.put(tx, { ...contact, asked: { ...rest, earlier, sentTo: [] } })
    tx.afterCommit(() => this.#drives.go(contact.id))
  }

  async #step(id: Uint8Array): Promise<StepResult> {
    const { book, reader, clock, protocolTime } = this.#init
    const contact = book.get(id)
    const asked = contact?.asked
    if (!asked) {
      this.#attempts.delete(contactKey(id))
      return 'done'
    }
    const attempt = this.#attemptOf(id, asked)
    const now = protocolTime()
    // somebody who opened an earlier leg may answer at any time
    if (stillAnswerable(asked, now).length > 0) this.#replies.watch(id, asked.replySecret)
    await this.#findAgain(contact, asked, attempt)
    if (this.#reasonToEnd(contact, asked) !== undefined) return (await this.#giveUp(id)) ? 'done' : 'again'
    const canOpen = isOpenable(contact, now)
    const isOver = !canOpen && (endOf(asked) <= now || isClosed(attempt))
    if (!isOver && !canOpen && !(await this.#buildLeg(id, asked, attempt))) return 'again'
    if (!(await reader.ready(replyName(contactKey(id))))) return 'again'
    attempt.readSince ??= clock.now()
    if (isOver) return isPlaced(asked) ? REPEAT : READ_FIRST
    const door = this.#doorOf(book.get(id), attempt)
    if (!door) return REPEAT
    const missing = this.#withoutLeg(id, door)
    // where it lies it need not be left again, except on the day's round: each time costs postage
    const due = (missing.length > 0 ? missing : door.relays).filter(
      (address) => !isRefused(attempt, address, clock.now()),
    )
    await Promise.allSettled(due.map((address) => this.#leaveAt(id, door, address, attempt)))
    const waiting = this.#withoutLeg(id, door).filter((address) => !isRefused(attempt, address, clock.now()))
    if (waiting.length > 0) return 'again'
    if (isUnclaimed(door, attempt)) return { ms: HOUR_MS }
    return isGone(door, attempt) && !isPlaced(asked) ? READ_FIRST : REPEAT
  }

  #attemptOf(id: Uint8Array, { invite }: Asked): Attempt {
    const key = contactKey(id)
    const known = this.#attempts.get(key)
    if (known && isSameInvite(known.invite, invite)) return known
    const attempt = newAttempt(invite)
    this.#attempts.set(key, attempt)
    return attempt
  }

  /** Looks for newer records: the device that was asked may be gone, and who is asked by ID may have another box, or none. */
  async #findAgain(contact: Contact, { invite, leg }: Asked, attempt: Attempt): Promise<void> {
    const { clock, freshness, pins } = this.#init
    if (leg && clock.now() - (attempt.lookedAt ?? 0) >= LOOK_AGAIN_MS) {
      attempt.lookedAt = clock.now()
      pins.ask(contact.id)
    }
    if (invite || (attempt.found && clock.now() - attempt.found.at < LOOK_AGAIN_MS)) return
    const records = await this.lookUp(contact)
    if (!records) return
    attempt.found = { records, at: clock.now() }
    await freshness.askAgain(contact)
  }

  /** The identity record of somebody who is asked by ID, as it was found last. */
  #recordOf({ asked, record }: Contact, { found }: Attempt): IdentityView | undefined {
    if (found) return found.records.identity
    return asked?.leg && record ? readIdentityRecord(record) : undefined
  }

  /** Where the request is left; undefined while that is not known, and where there is no box any more. */
  #doorOf(contact: Contact | undefined, attempt: Attempt): Door | undefined {
    if (!contact?.asked) return undefined
    const { invite, replySecret } = contact.asked
    const view = this.#recordOf(contact, attempt)
    const door = invite ? inviteDoor(readInvite(invite)) : view && boxDoor(view, replySecret)
    if (door) standBefore(attempt, door)
    return door
  }

  /** Relays at which the present leg was not left yet. */
  #withoutLeg(id: Uint8Array, door: Door): string[] {
    const sentTo = this.#init.book.get(id)?.asked?.sentTo ?? []
    return door.relays.filter((address) => {
      const server = this.#init.network.serverId(address)
      return !sentTo.some((known) => equal(known, server))
    })
  }

  /** Why nobody can answer any more; undefined while somebody may. */
  #reasonToEnd(contact: Contact, asked: Asked): string | undefined {
    const now = this.#init.protocolTime()
    const attempt = this.#attemptOf(contact.id, asked)
    const { readSince } = attempt
    const isExpired = endOf(asked) <= now
    if (stillAnswerable(asked, now).length === 0) {
      if (isClosed(attempt)) return CLOSED
      if (isExpired) return 'the invite expired before they answered'
    }
    // a relay may have taken the leg and its word been lost: then the answer lies in the reply mailbox
    const hasRead = readSince !== undefined && this.#init.clock.now() - readSince >= READ_FIRST.ms
    if (isPlaced(asked) || !hasRead) return undefined
    if (isClosed(attempt)) return CLOSED
    if (isExpired && !isOpenable(contact, now)) return 'the invite expired before a relay took the request'
    // who is asked by ID may have another box by tomorrow
    const door = asked.invite && this.#doorOf(contact, attempt)
    return door && isGone(door, attempt) ? 'the invite was used up or taken back before' : undefined
  }

  /** Nobody can answer any more: false when the person has asked anew meanwhile. */
  async #giveUp(id: Uint8Array): Promise<boolean> {
    const { book, delivery, reader } = this.#init
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.asked) return true
      const reason = this.#reasonToEnd(contact, contact.asked)
      if (reason === undefined) return false
      const changed = { ...contact, asked: undefined }
      // who accepted a request of theirs meanwhile loses nothing by it
      const failed = contact.state === 'outgoing'
      await book.save(failed ? { ...changed, state: 'failed', reason } : changed, (tx) => {
        reader.giveUp(tx, replyName(contactKey(id)))
        if (failed) tx.event('contact', { id: idToText(id), state: 'failed', petname: contact.petname, reason })
      })
      this.#attempts.delete(contactKey(id))
      return true
    })
  }

  /** Builds a leg for the request that the step began with. */
  async #buildLeg(id: Uint8Array, asked: Asked, attempt: Attempt): Promise<boolean> {
    const { book, directory, delivery, random, self, relays, protocolTime, freshness } = this.#init
    const invite = asked.invite && readInvite(asked.invite)
    const found = invite ? await directory.lookupFrom(id, invite.pin, invite.relays) : attempt.found?.records
    const prekey = found?.prekeys.toSorted((a, b) => b.head.seq - a.head.seq)[0]
    if (!invite && !prekey) attempt.found = undefined
    if (!found || !prekey || (!invite && needsInvite(found.identity))) return false
    // an invite says itself which record is meant
    const isFresh = invite !== undefined || (await freshness.isConfirmed(found.identity))
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      // the records were looked for as one invite says: another one may demand a newer record
      if (!contact?.asked || !isSame(contact.asked, asked) || !isInWindow(self.record, protocolTime())) return false
      const { outgoing } = createLeg1({
        random: drawFrom(random),
        now: Math.floor(protocolTime()),
        self: { record: self.record.bytes, device: self.device, identitySecret: self.identitySecret },
        peer: { record: found.identity.bytes, prekeyRecord: prekey.bytes },
        request: {
          replySecret: contact.asked.replySecret,
          relays: [...relays()],
          ...this.#init.direct.told(),
          rekey: contact.rekey,
          name: self.name,
          note: contact.asked.note,
        },
      })
      const tx = new Transaction()
      const followed = followKeys(this.#init, tx, contact, found.identity)
      // an invite that names this very record is the person's word for it
      const isNamed = invite !== undefined && equal(invite.pin.hash, found.identity.hash)
      book.put(tx, {
        ...(isNamed ? withAcceptedKeys(followed) : followed),
        isUnconfirmed: isFresh ? undefined : true,
        asked: { ...contact.asked, leg: outgoing, earlier: stillAnswerable(contact.asked, protocolTime()), sentTo: [] },
      })
      if (!isFresh) tx.event('contact', { id: idToText(id), state: contact.state, freshness: 'unconfirmed' })
      await this.#init.journal.commit(tx)
      attempt.lookedAt = this.#init.clock.now()
      directory.pin(id, found.identity.head, found.identity.bytes)
      this.#replies.watch(id, asked.replySecret)
      return true
    })
  }

  async #leaveAt(id: Uint8Array, door: Door, address: string, attempt: Attempt): Promise<void> {
    const { book, delivery, pool, clock } = this.#init
    const leg = book.get(id)?.asked?.leg
    if (!leg) return
    const left = door.wrap(leg.leg)
    attempt.refused.delete(address)
    const server = await pool.withServer(address, SERVER_TIMEOUT_MS, async ({ client, peerId }) => {
      const answer = await client.request({
        address: door.address,
        writerSeed: door.writerSeed,
        leg: left,
        expires: leg.expires,
      })
      if (answer.status === 'placed') return peerId
      // there may be room soon; every other word stands for longer
      if (answer.status !== 'full' && answer.status !== 'busy')
        attempt.refused.set(address, { status: answer.status, at: clock.now() })
      return undefined
    })
    if (!server) return
    await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      // meanwhile the person may have asked anew: that leg lies nowhere yet
      if (contact?.asked?.leg === undefined || !equal(contact.asked.leg.leg, leg.leg)) return
      if (contact.asked.sentTo.some((known) => equal(known, server))) return
      await book.save({ ...contact, asked: { ...contact.asked, sentTo: [...contact.asked.sentTo, server] } })
    })
  }
}

function readInvite(encoded: Uint8Array): Invite {
  return decode(inviteShape, encoded, MAX_INVITE_BYTES)
}

/** Seconds: from when on no new leg is made. */
function endOf({ invite }: Asked): number {
  return invite ? readInvite(invite).expires : Number.POSITIVE_INFINITY
}

/** Whether there is a leg that may still be opened for the first time, by a device that is the other's. */
function isOpenable(contact: Contact, now: number): boolean {
  const leg = contact.asked?.leg
  return leg !== undefined && leg.expires > now && isDeviceOf(contact, leg.peerDevice)
}

/** Whether a relay may have taken a leg, as far as it is written down. */
function isPlaced({ sentTo, earlier }: Asked): boolean {
  return sentTo.length > 0 || earlier.length > 0
}

/** Whether it is the same request still, at the same leg. */
function isSame(one: Asked, other: Asked): boolean {
  return isSameInvite(one.invite, other.invite) && equal(one.replySecret, other.replySecret) && one.leg === other.leg
}

function isSameInvite(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one && other ? equal(one, other) : one === other
}
