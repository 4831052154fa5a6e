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
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { friendMailbox, inviteMailbox, KIND, openCopy } from '../mailbox/keys.ts'
import { createLeg1 } from '../session/leg1.ts'
import { openLeg2 } from '../session/leg2.ts'
import type { OutgoingRequest } from '../session/pending-request.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import { decode, encode } from '../wire/schema.ts'
import { type Asked, type Contact, contactKey, MAX_EARLIER_LEGS, withAcceptedKeys, withReach } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import { type FriendshipInit, replyName } from './contract.ts'
import { Drives, type StepResult } from './drives.ts'
import { isInWindow } from './leg-opening.ts'
import { believe } from './key-changes.ts'
import type { Pins } from './pins.ts'

const DAY = 86_400
/** A request that lies at the relays is left there again, since one of them may have lost it. */
const REPEAT: StepResult = { ms: DAY * 1000 }
/** The reply mailbox is read for so long before a request is given up that, as far as is known, no relay took. */
const READ_FIRST = { ms: 3_600_000 }
/** The one refusal that stands for ever. */
const RELEASED = 'released'
const SERVER_TIMEOUT_MS = 15_000

/** What this run has seen of a request. */
interface Attempt {
  /** R of the invite. */
  reader: Uint8Array
  /** Milliseconds: since when the reply mailbox is read. */
  readSince: number | undefined
  /** What relays said that do not take the request, by address, and when (milliseconds). */
  refused: Map<string, { status: string; at: number }>
}

interface OutgoingRequestsInit extends FriendshipInit {
  book: ContactBook
  pins: Pins
  /** Both sides hold a session: writes the contact as a friend. */
  become: (tx: Transaction, contact: Contact) => void
}

export class OutgoingRequests {
  readonly #init: OutgoingRequestsInit
  readonly #drives: Drives
  readonly #attempts = new Map<string, Attempt>()
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
    if (relays().length === 0) {
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
    const changed: Contact = { ...contact, state: 'outgoing', reason: undefined, petname: name, asked }
    await book.save(changed, (tx) => tx.event('contact', { id: idToText(contact.id), state: 'outgoing' }))
    this.#drives.go(contact.id)
    return changed
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
    const asked = book.get(id)?.asked
    if (!asked) {
      this.#attempts.delete(contactKey(id))
      return 'done'
    }
    const invite = decode(inviteShape, asked.invite, MAX_INVITE_BYTES)
    const attempt = this.#attemptOf(id, invite)
    const now = protocolTime()
    // somebody who opened an earlier leg may answer at any time
    if (stillAnswerable(asked, now).length > 0) this.#watchReply(id, asked.replySecret)
    if (this.#reasonToEnd(id, asked) !== undefined) return (await this.#giveUp(id)) ? 'done' : 'again'
    const isOver = !isOpenable(asked, now) && invite.expires <= now
    if (!isOver && !isOpenable(asked, now) && !(await this.#buildLeg(id, asked, invite))) return 'again'
    if (!(await reader.ready(replyName(contactKey(id))))) return 'again'
    attempt.readSince ??= clock.now()
    if (isOver) return isPlaced(asked) ? REPEAT : READ_FIRST
    const missing = this.#withoutLeg(id, invite)
    // where it lies it need not be left again, except on the day's round: each time costs postage
    const due = (missing.length > 0 ? missing : invite.relays).filter((address) => !this.#isRefused(attempt, address))
    await Promise.allSettled(due.map((address) => this.#leaveAt(id, invite, address, attempt)))
    const waiting = this.#withoutLeg(id, invite).filter((address) => !this.#isRefused(attempt, address))
    if (waiting.length > 0) return 'again'
    return isGone(invite, attempt) && !isPlaced(asked) ? READ_FIRST : REPEAT
  }

  /** Whether a relay need not be asked now: each time costs postage. */
  #isRefused({ refused }: Attempt, address: string): boolean {
    const said = refused.get(address)
    return said !== undefined && (said.status === RELEASED || this.#init.clock.now() - said.at < DAY * 1000)
  }

  #attemptOf(id: Uint8Array, invite: Invite): Attempt {
    const key = contactKey(id)
    const known = this.#attempts.get(key)
    if (known && equal(known.reader, invite.reader)) return known
    const attempt: Attempt = { reader: invite.reader, readSince: undefined, refused: new Map() }
    this.#attempts.set(key, attempt)
    return attempt
  }

  /** Relays of the invite at which the present leg was not left yet. */
  #withoutLeg(id: Uint8Array, invite: Invite): string[] {
    const sentTo = this.#init.book.get(id)?.asked?.sentTo ?? []
    return invite.relays.filter((address) => {
      const server = this.#init.network.serverId(address)
      return !sentTo.some((known) => equal(known, server))
    })
  }

  /** Why nobody can answer any more; undefined while somebody may. */
  #reasonToEnd(id: Uint8Array, asked: Asked): string | undefined {
    const invite = decode(inviteShape, asked.invite, MAX_INVITE_BYTES)
    const now = this.#init.protocolTime()
    const isExpired = invite.expires <= now
    if (isExpired && stillAnswerable(asked, now).length === 0) return 'the invite expired before they answered'
    const { readSince, ...attempt } = this.#attemptOf(id, invite)
    // a relay may have taken the leg and its word been lost: then the answer lies in the reply mailbox
    const hasRead = readSince !== undefined && this.#init.clock.now() - readSince >= READ_FIRST.ms
    if (isPlaced(asked) || !hasRead) return undefined
    if (isExpired && !isOpenable(asked, now)) return 'the invite expired before a relay took the request'
    return isGone(invite, attempt) ? 'the invite was used up or taken back before' : undefined
  }

  /** Nobody can answer any more: false when the person has asked anew meanwhile. */
  async #giveUp(id: Uint8Array): Promise<boolean> {
    const { book, delivery, reader } = this.#init
    return await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.asked) return true
      const reason = this.#reasonToEnd(id, contact.asked)
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
          relays: [...relays()],
          ...this.#init.direct.told(),
          rekey: contact.rekey,
          name: self.name,
          note: contact.asked.note,
        },
      })
      await book.save({
        ...withAcceptedKeys(believe(contact, found.identity)),
        asked: { ...contact.asked, leg: outgoing, earlier: stillAnswerable(contact.asked, protocolTime()), sentTo: [] },
      })
      directory.pin(id, found.identity.head, found.identity.bytes)
      this.#watchReply(id, asked.replySecret)
      return true
    })
  }

  async #leaveAt(id: Uint8Array, invite: Invite, address: string, attempt: Attempt): Promise<void> {
    const { book, delivery, pool, clock } = this.#init
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
    const { book, pins, journal, delivery, self, protocolTime, become, greet } = this.#init
    const friend = await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (this.#stopped) return 'later'
      if (!contact?.asked) return undefined
      const opened = openReply(stillAnswerable(contact.asked, protocolTime()), secret, mail, self.identitySecrets)
      if (!opened || opened.accept.rekey > contact.rekey + limits.MAX_REKEY_STEP) return undefined
      const { accept, session, secrets } = opened
      const tx = new Transaction()
      const { relays, peerId, addresses } = accept
      delivery.openChannel(tx, id, { session, secrets, relays, reach: { peerId, addresses } })
      // the one-time keys go in the batch that makes the session
      const rekey = Math.max(contact.rekey, accept.rekey)
      become(tx, { ...contact, name: accept.name, rekey, reach: withReach(contact, secrets) })
      await journal.commit(tx)
      pins.heads(id, accept.head, undefined)
      return contact
    })
    if (friend === 'later') return false
    if (friend) await greet(id)
    return true
  }
}

/** The legs whose one-time keys are kept when a new one is built. */
function stillAnswerable(asked: Asked, now: number): OutgoingRequest[] {
  const legs = asked.leg ? [asked.leg, ...asked.earlier] : asked.earlier
  return legs.filter((leg) => leg.created + limits.ONE_TIME_KEY_DAYS * DAY > now).slice(0, MAX_EARLIER_LEGS)
}

/** Whether there is a leg that may still be opened for the first time. */
function isOpenable({ leg }: Asked, now: number): boolean {
  return leg !== undefined && leg.expires > now
}

/** Whether a relay may have taken a leg, as far as it is written down. */
function isPlaced({ sentTo, earlier }: Asked): boolean {
  return sentTo.length > 0 || earlier.length > 0
}

/** Whether every relay of an invite says that it was given up. */
function isGone({ relays }: Invite, { refused }: Pick<Attempt, 'refused'>): boolean {
  return relays.every((address) => refused.get(address)?.status === RELEASED)
}

/** Whether it is the same request still, at the same leg. */
function isSame(one: Asked, other: Asked): boolean {
  const isOne = equal(one.invite, other.invite) && equal(one.replySecret, other.replySecret)
  return isOne && one.leg === other.leg
}

function openReply(legs: readonly OutgoingRequest[], secret: Uint8Array, mail: Mail, identitySecrets: Uint8Array[]) {
  for (const [outgoing, identitySecret] of legs.flatMap((leg) => identitySecrets.map((one) => [leg, one] as const))) {
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
