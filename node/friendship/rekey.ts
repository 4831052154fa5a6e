/**
 * The rekey (PROTOCOL 7 and 8): leg 1 and leg 2 in the reach mailboxes of two friends. Nothing but a leg of the pinned ID
 * counts, nobody becomes a friend or verified by it, and what is accepted of a friend is bounded like what is begun here.
 */
import { equal } from '../crypto/bytes.ts'
import { isRelay } from '../delivery/direct-links.ts'
import { Transaction } from '../delivery/journal.ts'
import type { Ailment } from '../delivery/delivery-status.ts'
import { ForgedError, PeerError } from '../errors.ts'
import { compareHeads, equivocates, readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import type { Timer } from '../ports.ts'
import { drawFrom } from '../session/draw.ts'
import { createLeg1 } from '../session/leg1.ts'
import { acceptRequest, openLeg2 } from '../session/leg2.ts'
import type { IncomingRequest } from '../session/pending-request.ts'
import { LEG1_INNER_BYTES, LEG_KIND } from '../wire/legs.ts'
import { type Contact, contactKey, isFriend, type Rekeying, withReach } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'
import { isInWindow, markReplay, openedLeg1, replayKey } from './leg-opening.ts'
import { behindAtFirst, followKeys, isDeviceOf } from './key-changes.ts'
import type { Pins } from './pins.ts'
import type { ReachMailboxes } from './reach-mailboxes.ts'
import { timesInRow } from './rekey-pace.ts'

/** Seconds between two legs of one friend that are answered. */
const ANSWER_PAUSE = 3600
/** Seconds until a leg that was created too far ahead is looked at again. */
const EARLY_PAUSE = 600
/** The answer to a rekey lies in the reach mailbox of the other direction. */
const NO_REPLY_MAILBOX = new Uint8Array(32)
const NO_REKEYING: Rekeying = { started: 0, times: 0, answered: 0 }

interface RekeyInit extends FriendshipInit {
  book: ContactBook
  pins: Pins
  reach: ReachMailboxes
  /** Both sides hold a session: writes the contact as a friend. */
  become: (tx: Transaction, contact: Contact) => void
}

type OpenedLeg1 = Exclude<ReturnType<typeof openedLeg1>, 'early' | undefined>

export class Rekey {
  readonly #init: RekeyInit
  /** By contact: a leg that came too soon is looked at again then. */
  readonly #later = new Map<string, Timer>()
  #stopped = false

  constructor(init: RekeyInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#later.values()) timer.cancel()
  }

  /** The contact with its reach secrets; of one that was written before there were any they are those of its first session. */
  async withReach(id: Uint8Array): Promise<Contact | undefined> {
    const { book, delivery } = this.#init
    const contact = book.get(id)
    if (!contact || contact.reach) return contact
    return await delivery.exclusively(id, async () => {
      const current = book.get(id)
      const first = delivery.status.firstReach(id)
      if (!current || current.reach || !first || !isFriend(current)) return current
      return await book.save({ ...current, reach: withReach(current, first) })
    })
  }

  /**
   * Builds a leg 1 for the friend's newest keys and puts it, in place of any former one.
   * @param why asked again when their records were found
   * @returns whether that was possible
   */
  async begin(id: Uint8Array, why: (contact: Contact) => Ailment | undefined): Promise<boolean> {
    const { book, directory, delivery, self, random, relays, protocolTime, direct, reach } = this.#init
    const pin = book.get(id)?.pin
    if (!pin) return false
    const found = await directory.lookupFrom(id, pin, delivery.status.serversOf(id).filter(isRelay))
    const prekey = found?.prekeys.toSorted((a, b) => b.head.seq - a.head.seq)[0]
    if (!found || !prekey) return false
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      const ailment = contact && why(contact)
      if (this.#stopped || !contact || !isFriend(contact) || ailment === undefined) return false
      const now = Math.floor(protocolTime())
      if (!isInWindow(self.record, now)) return false
      const { outgoing } = createLeg1({
        random: drawFrom(random),
        now,
        self: { record: self.record.bytes, device: self.device, identitySecret: self.identitySecret },
        peer: { record: found.identity.bytes, prekeyRecord: prekey.bytes },
        request: {
          replySecret: NO_REPLY_MAILBOX,
          relays: [...relays()],
          ...direct.told(),
          rekey: contact.rekey,
          name: self.name,
          note: '',
        },
      })
      if (!hasLegOut(contact)) delivery.giveUpUnreadable(id)
      const before = contact.rekeying ?? NO_REKEYING
      const times = timesInRow(contact.rekeying, now) + 1
      const tx = new Transaction()
      const changed = followKeys(this.#init, tx, contact, found.identity)
      book.put(tx, { ...changed, rekeying: { ...before, leg: outgoing, settled: false, started: now, times } })
      tx.event('healing', { id: idToText(id), state: 'started', reason: REASONS[ailment] })
      await this.#init.journal.commit(tx)
      directory.pin(id, found.identity.head, found.identity.bytes)
      reach.dispatch(changed)
      return true
    })
  }

  /** Legs of a friend's out of a reach mailbox; true for each that is on the disk, or can never count. */
  async receive(id: Uint8Array, legs: Uint8Array[]): Promise<boolean[]> {
    const { delivery, protocolTime } = this.#init
    const greeted = await delivery.exclusively(id, async () => {
      if (this.#stopped) return undefined
      const asked = legs.map((leg) =>
        leg[1] === LEG_KIND.request ? openedLeg1(this.#init, () => leg.subarray(0, LEG1_INNER_BYTES)) : undefined,
      )
      // of several the youngest counts: the keys of the others are gone
      const opened = asked.filter((one): one is OpenedLeg1 => one !== undefined && one !== 'early')
      const credible = opened.filter(({ incoming }) => this.#isCredible(id, incoming))
      const youngest = credible.toSorted((a, b) => b.incoming.request.created - a.incoming.request.created)[0]
      const isDone = !youngest || (await this.#answer(id, youngest, protocolTime()))
      let isHealed = false
      for (const leg of legs) if (leg[1] === LEG_KIND.accept) isHealed = (await this.#finish(id, leg)) || isHealed
      // dropped, it would be built anew from the same clock for ever
      if (asked.includes('early')) this.#lookAgain(id, EARLY_PAUSE)
      const isLeft = (one: (typeof asked)[number]): boolean => one === 'early' || (one === youngest && !isDone)
      return { isHealed, done: asked.map((one) => !isLeft(one)) }
    })
    if (greeted?.isHealed) await this.#init.greet(id)
    return greeted?.done ?? legs.map(() => false)
  }

  /** The friend's first message in a session has come: what they had to be told they know. */
  confirmed(tx: Transaction, contact: Contact): void {
    const { rekeying } = contact
    if (!rekeying || (!rekeying.answer && (!rekeying.leg || rekeying.settled))) return
    this.#settle(tx, contact, { ...rekeying, answer: undefined, settled: true })
  }

  #settle(tx: Transaction, contact: Contact, rekeying: Rekeying): void {
    const { book, reach, protocolTime } = this.#init
    const changed = { ...contact, since: Math.floor(protocolTime()), rekeying }
    book.put(tx, changed)
    tx.event('healing', { id: idToText(contact.id), state: 'healed' })
    tx.afterCommit(() => reach.dispatch(changed))
  }

  /** Opens a leg 2. What does not open burns no key. @returns whether a session was made */
  async #finish(id: Uint8Array, leg: Uint8Array): Promise<boolean> {
    const { book, pins, delivery, journal, self } = this.#init
    const contact = book.get(id)
    const outgoing = contact?.rekeying?.leg
    if (!contact || !outgoing || !isFriend(contact)) return false
    // whoever took a device that is revoked has the keys to answer what was asked of it
    if (!isDeviceOf(contact, outgoing.peerDevice)) return false
    const opened = self.identitySecrets
      .map((identitySecret) => tryOpen(() => ({ ...openLeg2({ outgoing, leg, identitySecret }), identitySecret })))
      .find((one) => one !== undefined)
    if (!opened || opened.accept.rekey > contact.rekey + limits.MAX_REKEY_STEP) return false
    const { accept, session, secrets } = opened
    const { relays, peerId, addresses } = accept
    const tx = new Transaction()
    const devices = { own: equal(opened.identitySecret, self.identitySecret), theirs: true }
    const behind = behindAtFirst(this.#init, contact, devices)
    delivery.openChannel(tx, id, { session, secrets, relays, reach: { peerId, addresses }, behind })
    const changed = { ...contact, rekey: Math.max(contact.rekey, accept.rekey) }
    // the one-time keys go in the batch that makes the session
    const rekeying = { ...contact.rekeying!, leg: undefined }
    if (devices.own) this.#settle(tx, changed, { ...rekeying, settled: true })
    else book.put(tx, { ...changed, rekeying })
    // who answers in a reach mailbox has opened our leg 2
    if (contact.state === 'accepted') this.#init.become(tx, book.get(id, tx)!)
    await journal.commit(tx)
    pins.follow(id, accept.head)
    return true
  }

  /** Answers a leg 1, unless it came before or crossed. @returns false when it is too soon */
  async #answer(id: Uint8Array, { incoming, replayTag }: OpenedLeg1, now: number): Promise<boolean> {
    const { book, store, journal, delivery, directory, self, random, relays, direct, reach } = this.#init
    const contact = book.get(id)!
    const replay = replayKey(store, replayTag)
    if ((await store.get(replay)) || isOvertaken(incoming, contact)) return true
    const before = contact.rekeying ?? NO_REKEYING
    if (now >= before.answered && now < before.answered + ANSWER_PAUSE) {
      this.#lookAgain(id, before.answered + ANSWER_PAUSE - now)
      return false
    }
    if (!hasLegOut(contact)) delivery.giveUpUnreadable(id)
    const rekey = 1 + Math.max(contact.rekey, incoming.request.rekey)
    const { leg, session, secrets } = acceptRequest({
      random: drawFrom(random),
      incoming,
      identitySecret: self.identitySecret,
      accept: { head: self.head, relays: [...relays()], ...direct.told(), rekey, name: self.name },
    })
    const tx = new Transaction()
    markReplay(tx, replay, now)
    const record = readIdentityRecord(incoming.record)
    // a friend whose home is an older one may have an older record, too
    const isBest = !contact.pin || compareHeads(record.head, contact.pin) >= 0
    const believed = isBest ? followKeys(this.#init, tx, contact, record) : contact
    const changed = { ...believed, rekey, rekeying: { ...before, answer: leg, answered: Math.floor(now) } }
    book.put(tx, changed)
    const { peerId, addresses } = incoming.request
    const behind = behindAtFirst(this.#init, changed, { own: true, theirs: true })
    delivery.openChannel(tx, id, {
      session,
      secrets,
      relays: incoming.request.relays,
      reach: { peerId, addresses },
      behind,
    })
    tx.event('healing', { id: idToText(id), state: 'answered' })
    await journal.commit(tx)
    if (isBest) directory.pin(id, record.head, record.bytes)
    reach.dispatch(changed)
    return true
  }

  #lookAgain(id: Uint8Array, seconds: number): void {
    const { clock, reach } = this.#init
    const key = contactKey(id)
    this.#later.get(key)?.cancel()
    this.#later.set(
      key,
      clock.after(Math.ceil(seconds) * 1000, () => reach.readAgain(id)),
    )
  }

  /** Whether a leg is the friend's: of the ID that is pinned, and not of a record that was given up. */
  #isCredible(id: Uint8Array, { id: claimed, record, device, identityKey, request }: IncomingRequest): boolean {
    const contact = this.#init.book.get(id)
    if (!contact || !isFriend(contact) || !equal(claimed, id)) return false
    if (request.rekey > contact.rekey + limits.MAX_REKEY_STEP) return false
    const { pin, record: known } = contact
    if (!pin || !known) return true
    const view = readIdentityRecord(record)
    if (this.#init.alarms.isDisowned(view.hash)) return false
    if (equal(view.hash, pin.hash)) return true
    if (equivocates(view.head, pin)) return false
    if (compareHeads(view.head, pin) > 0) return true
    // an older home signs with an older record; its device is the same
    const { devices, revoked } = readIdentityRecord(known).record
    const isKnown = devices.some((one) => equal(one.signing, device) && equal(one.identity.subarray(1), identityKey))
    return isKnown && !revoked.some((one) => equal(one, device))
  }
}

const REASONS: Readonly<Record<Ailment, string>> = {
  lost: 'there is no session with them here',
  home: 'this home was copied, put back or changed',
  friend: 'they remember messages that this home never sent',
  device: 'a device was revoked',
  unreadable: 'what they write does not open',
  silent: 'they write, and acknowledge nothing',
}

/** Whether the friend may have answered a leg already and seal in a session that is not known here. */
function hasLegOut({ rekeying }: Contact): boolean {
  return rekeying?.leg !== undefined && !rekeying.settled
}

/** Whether a leg was made before the session that both have by now: then it crossed the one that led to it. */
function isOvertaken({ request }: IncomingRequest, { rekey, since = 0 }: Contact): boolean {
  return request.rekey < rekey && request.created <= since
}

function tryOpen<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch (error) {
    if (error instanceof ForgedError || error instanceof PeerError) return undefined
    throw error
  }
}
