/**
 * Asking (PROTOCOL 7): looks the other up, builds leg 1, leaves it at the relays of the invite and reads the reply mailbox,
 * until c3 opens or nobody can answer any more.
 */
import { seal } from '../crypto/aead.ts'
import { equal } from '../crypto/bytes.ts'
import { hmacSha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { Transaction } from '../delivery/journal.ts'
import type { Mail } from '../delivery/mail-reader.ts'
import { ForgedError, PeerError, UsageError } from '../errors.ts'
import { checkWindow, type IdentityView } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { friendMailbox, inviteMailbox, KIND, openCopy } from '../mailbox/keys.ts'
import { createLeg1 } from '../session/leg1.ts'
import { openLeg2 } from '../session/leg2.ts'
import type { OutgoingRequest } from '../session/pending-request.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import { decode, encode } from '../wire/schema.ts'
import { type Asked, type Contact, contactKey, MAX_EARLIER_LEGS } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import { type FriendshipInit, replyName } from './contract.ts'
import { Drives, type StepResult } from './drives.ts'
import { believe, type Pins } from './pins.ts'

const DAY = 86_400
/** A request that lies at the relays is left there again, since one of them may have lost it. */
const REPEAT: StepResult = { ms: DAY * 1000 }
const SERVER_TIMEOUT_MS = 15_000

interface OutgoingRequestsInit extends FriendshipInit {
  book: ContactBook
  pins: Pins
  /** Both sides hold a session: writes the contact as a friend. */
  become: (tx: Transaction, contact: Contact) => void
}

export class OutgoingRequests {
  readonly #init: OutgoingRequestsInit
  readonly #drives: Drives
  #stopped = false

  constructor(init: OutgoingRequestsInit) {
    this.#init = init
    this.#drives = new Drives({ ...init, step: (id) => this.#step(id) })
  }

  /** Goes on with what was under way. */
  start(): void {
    for (const { id, asked } of this.#init.book.all()) if (asked) this.#drives.go(id)
  }

  stop(): void {
    this.#stopped = true
    this.#drives.stop()
  }

  /**
   * Makes a request durable, in place of an earlier one, and sends it off. The caller holds the contact's queue.
   * @throws UsageError `NO_RELAY`, `TOO_LONG`, `WRONG_STATE` for a petname that another has
   */
  async ask(contact: Contact, invite: Invite, { petname, note }: { petname?: string; note: string }): Promise<Contact> {
    const { relays, random, protocolTime, book } = this.#init
    if (relays.length === 0) {
      throw new UsageError('NO_RELAY', 'without a relay nobody can answer', {
        hint: 'add one: `kith config set relays ADDRESS`, then start again',
      })
    }
    const before = contact.asked
    const asked = {
      invite: encode(inviteShape, invite),
      // somebody who opened an earlier leg answers where it says, and the answer still counts
      replySecret: before?.replySecret ?? random.bytes(32),
      earlier: before ? stillAnswerable(before, protocolTime()) : [],
      sentTo: [],
      note,
    }
    const name = book.checkPetname(petname ?? contact.petname, contact.id)
    const changed: Contact = { ...contact, state: 'outgoing', petname: name, asked }
    await book.save(changed, (tx) => tx.event('contact', { id: idToText(contact.id), state: 'outgoing' }))
    this.#drives.go(contact.id)
    return changed
  }

  async #step(id: Uint8Array): Promise<StepResult> {
    const asked = this.#init.book.get(id)?.asked
    if (!asked) return 'done'
    const invite = decode(inviteShape, asked.invite, MAX_INVITE_BYTES)
    const now = this.#init.protocolTime()
    // somebody who opened an earlier leg may answer at any time
    if (stillAnswerable(asked, now).length > 0) this.#watchReply(id, asked.replySecret)
    else if (isUnanswerable(asked, now)) return (await this.#giveUp(id)) ? 'done' : 'again'
    if (!asked.leg || asked.leg.expires <= now) {
      if (invite.expires <= now) return REPEAT
      if (!(await this.#buildLeg(id, asked, invite))) return 'again'
    }
    if (!(await this.#init.reader.ready(replyName(contactKey(id))))) return 'again'
    const missing = this.#withoutLeg(id, invite)
    // where it lies it need not be left again, except on the day's round: each time costs postage
    await Promise.allSettled(
      (missing.length > 0 ? missing : invite.relays).map((address) => this.#leaveAt(id, invite, address)),
    )
    return this.#withoutLeg(id, invite).length === 0 ? REPEAT : 'again'
  }

  /** Relays of the invite at which the present leg was not left yet. */
  #withoutLeg(id: Uint8Array, invite: Invite): string[] {
    const sentTo = this.#init.book.get(id)?.asked?.sentTo ?? []
    return invite.relays.filter((address) => {
      const server = this.#init.network.serverId(address)
      return !sentTo.some((known) => equal(known, server))
    })
  }

  /** Nobody can answer any more: false when the person has asked anew meanwhile. */
  async #giveUp(id: Uint8Array): Promise<boolean> {
    const { book, delivery, reader, protocolTime } = this.#init
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.asked) return true
      if (!isUnanswerable(contact.asked, protocolTime())) return false
      const state = contact.state === 'outgoing' ? 'none' : contact.state
      await book.save({ ...contact, state, asked: undefined }, (tx) =>
        tx.event('contact', { id: idToText(id), state, reason: 'the invite expired before they answered' }),
      )
      reader.unwatch(replyName(contactKey(id)), true)
      return true
    })
  }

  /** Builds a leg for the request that the step began with. */
  async #buildLeg(id: Uint8Array, asked: Asked, invite: Invite): Promise<boolean> {
    const { book, directory, delivery, random, self, relays, protocolTime } = this.#init
    const found = await directory.lookupFrom(id, invite.pin, invite.relays)
    const prekey = found?.prekeys.toSorted((a, b) => b.head.seq - a.head.seq)[0]
    if (!found || !prekey) return false
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      // the records were looked for as one invite says: another one may demand a newer record
      if (!contact?.asked || !isSame(contact.asked, asked) || !isInWindow(self.record, protocolTime())) return false
      const { outgoing } = createLeg1({
        random: (length) => random.bytes(length),
        now: Math.floor(protocolTime()),
        self: { record: self.record.bytes, device: self.device, identitySecret: self.identitySecret },
        peer: { record: found.identity.bytes, prekeyRecord: prekey.bytes },
        request: {
          replySecret: contact.asked.replySecret,
          relays: [...relays],
          rekey: contact.rekey,
          name: self.name,
          note: contact.asked.note,
        },
      })
      await book.save({
        ...believe(contact, found.identity),
        asked: { ...contact.asked, leg: outgoing, earlier: stillAnswerable(contact.asked, protocolTime()), sentTo: [] },
      })
      directory.pin(id, found.identity.head, found.identity.bytes)
      this.#watchReply(id, asked.replySecret)
      return true
    })
  }

  async #leaveAt(id: Uint8Array, invite: Invite, address: string): Promise<void> {
    const { book, delivery, pool } = this.#init
    const leg = book.get(id)?.asked?.leg
    if (!leg) return
    // one plaintext under one nonce: the same bytes at every relay and every try
    const nonce = hmacSha256(invite.seal, L('inviteSeal'), leg.leg).subarray(0, 24)
    const sealed = seal(invite.seal, nonce, leg.leg, L('inviteSeal'))
    const { writer, address: mailbox } = inviteMailbox(invite)
    const server = await pool.withServer(address, SERVER_TIMEOUT_MS, async ({ client, peerId }) => {
      const answer = await client.request({
        address: mailbox,
        writerSeed: writer.seed,
        leg: sealed,
        expires: leg.expires,
      })
      if (answer.status !== 'placed') throw new PeerError('REFUSED', `the relay answered request with ${answer.status}`)
      return peerId
    })
    await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      // meanwhile the person may have asked anew: that leg lies nowhere yet
      if (contact?.asked?.leg === undefined || !equal(contact.asked.leg.leg, leg.leg)) return
      if (contact.asked.sentTo.some((known) => equal(known, server))) return
      await book.save({ ...contact, asked: { ...contact.asked, sentTo: [...contact.asked.sentTo, server] } })
    })
  }

  #watchReply(id: Uint8Array, secret: Uint8Array): void {
    this.#init.reader.watch({
      name: replyName(contactKey(id)),
      kind: KIND.friend,
      keysAt: (server) => {
        const { writer, reader } = friendMailbox(secret, server)
        return { writer: writer.public, reader }
      },
      receive: async (mail) => {
        const done: boolean[] = []
        for (const one of mail) done.push(await this.#receiveReply(id, secret, one))
        return done
      },
    })
  }

  async #receiveReply(id: Uint8Array, secret: Uint8Array, mail: Mail): Promise<boolean> {
    const { book, pins, journal, delivery, reader, self, protocolTime, become, greet } = this.#init
    const friend = await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (this.#stopped) return 'later'
      if (!contact?.asked) return undefined
      const opened = openReply(stillAnswerable(contact.asked, protocolTime()), secret, mail, self.identitySecret)
      if (!opened || opened.accept.rekey > contact.rekey + limits.MAX_REKEY_STEP) return undefined
      const { accept, session, secrets } = opened
      const tx = new Transaction()
      delivery.openChannel(tx, id, { session, secrets, relays: accept.relays })
      // the one-time keys go in the batch that makes the session
      become(tx, { ...contact, name: accept.name, rekey: Math.max(contact.rekey, accept.rekey) })
      await journal.commit(tx)
      pins.heads(id, accept.head, undefined)
      return contact
    })
    if (friend === 'later') return false
    if (friend) {
      reader.unwatch(replyName(contactKey(id)), true)
      await greet(id)
    }
    return true
  }
}

/** Whether others will believe the own record; after a start with a wrong clock it is renewed first. */
function isInWindow(view: IdentityView, now: number): boolean {
  try {
    checkWindow(view, now)
    return true
  } catch {
    return false
  }
}

/** The legs whose one-time keys are kept when a new one is built. */
function stillAnswerable(asked: Asked, now: number): OutgoingRequest[] {
  const legs = asked.leg ? [asked.leg, ...asked.earlier] : asked.earlier
  return legs.filter((leg) => leg.created + limits.ONE_TIME_KEY_DAYS * DAY > now).slice(0, MAX_EARLIER_LEGS)
}

/** Whether nobody can answer any more, and no leg can be built that somebody could. */
function isUnanswerable(asked: Asked, now: number): boolean {
  return stillAnswerable(asked, now).length === 0 && decode(inviteShape, asked.invite, MAX_INVITE_BYTES).expires <= now
}

/** Whether it is the same request still, at the same leg. */
function isSame(one: Asked, other: Asked): boolean {
  return equal(one.invite, other.invite) && one.leg === other.leg
}

function openReply(legs: readonly OutgoingRequest[], secret: Uint8Array, mail: Mail, identitySecret: Uint8Array) {
  for (const outgoing of legs) {
    try {
      const leg = openCopy(friendMailbox(secret, mail.server).copyKey, mail.copy)
      return openLeg2({ outgoing, leg, identitySecret })
    } catch (error) {
      // garbage in place of the answer burns no key: the true one still opens
      if (!(error instanceof ForgedError) && !(error instanceof PeerError)) throw error
    }
  }
  return undefined
}
