/**
 * Friendship (PROTOCOL 7): who may write to whom, and with which keys. States none, outgoing, incoming, accepted, friend,
 * blocked; each change one durable step. Requests go out from here, come in here, and become sessions that delivery carries.
 * Nothing that a stranger claims is shown before both ciphertexts of the request opened, or believed before the person
 * accepted.
 */
import { seal, open } from '../crypto/aead.ts'
import { equal, toHex, utf8 } from '../crypto/bytes.ts'
import { hmacSha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { Backoff } from '../delivery/backoff.ts'
import type { Courier } from '../delivery/courier.ts'
import type { Delivery } from '../delivery/delivery.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import type { Mail, MailReader } from '../delivery/mail-reader.ts'
import type { ServerPool } from '../delivery/server-pool.ts'
import type { Directory } from '../directory/directory.ts'
import { describe, ForgedError, KithError, PeerError, UsageError } from '../errors.ts'
import { checkInviteExpiry, decodeInvite } from '../identity/invite.ts'
import { checkWindow, compareHeads, equivocates, type IdentityView, readIdentityRecord } from '../identity/records.ts'
import { idFromText, idToText } from '../identity/root.ts'
import { safetyNumber } from '../identity/safety-number.ts'
import * as limits from '../limits.ts'
import { friendMailbox, inviteMailbox, KIND, openCopy } from '../mailbox/keys.ts'
import { type Clock, type Logger, type Network, type Random, type Store, TABLE, type Timer } from '../ports.ts'
import { acceptRequest, openLeg2 } from '../session/leg2.ts'
import { createLeg1, openLeg1 } from '../session/leg1.ts'
import type { IncomingRequest, OutgoingRequest } from '../session/pending-request.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import type { ProfileBody } from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import { decode, encode, struct, uint } from '../wire/schema.ts'
import {
  type Asked,
  type Contact,
  contactKey,
  findContacts,
  freePetname,
  loadContacts,
  MAX_EARLIER_LEGS,
  newContact,
  putContact,
} from './contact.ts'
import { Invites, type OwnInvite } from './invites.ts'
import type { Self } from './self.ts'

export interface FriendshipInit {
  self: Self
  journal: Journal
  store: Store
  clock: Clock
  random: Random
  logger: Logger
  network: Network
  directory: Directory
  pool: ServerPool
  reader: MailReader
  courier: Courier
  /** Own relays, where this person reads mail. */
  relays: readonly string[]
  /** Seconds. */
  protocolTime: () => number
  /** A friend saw a record of this identity that was not signed here. */
  onUnknownHead: (friend: Uint8Array) => void
  /** Sends what a new friend has to know first; never waits for the network. */
  greet: (friend: Uint8Array) => Promise<void>
}

const NO_SCOPE = new Uint8Array(0)
const DAY = 86_400
/** Tries to find somebody's records and to leave a request: often at first, for the person waits; hourly in the end. */
const RETRY = { baseMs: 1000, maxMs: 3_600_000 }
/** A request that lies at the relays is left there again, since one of them may have lost it. */
const REPEAT_MS = DAY * 1000
const SERVER_TIMEOUT_MS = 15_000
/** A friend's newer record is asked for at most this often, whatever their messages say. */
const FOLLOW_MS = 600_000
/** A request on its way: one step at a time. */
interface Drive {
  backoff: Backoff
  timer: Timer | undefined
  running: boolean
  /** There is news for it: the next step is due at once. */
  again: boolean
}

const replayRow = struct({ until: [1, uint()] })

export class Friendship {
  readonly #init: FriendshipInit
  readonly #contacts = new Map<string, Contact>()
  readonly #drives = new Map<string, Drive>()
  /** Servers at which the answers to requests lie, as far as this run knows: by name of the consignment and peer ID. */
  readonly #placed = new Set<string>()
  /** When a newer record of a friend was last asked for. */
  readonly #followed = new Map<string, number>()
  readonly invites: Invites
  #delivery: Delivery | undefined
  #stopped = false

  constructor(init: FriendshipInit) {
    this.#init = init
    this.invites = new Invites({ ...init, onRequest: (own, leg) => this.#receiveRequest(own, leg) })
  }

  /** Reads all contacts and goes on with what was under way. Delivery starts with the IDs in the answer. */
  async load(delivery: Delivery): Promise<Uint8Array[]> {
    this.#delivery = delivery
    for (const contact of await loadContacts(this.#init.store)) {
      this.#contacts.set(contactKey(contact.id), contact)
      if (contact.pin) this.#init.directory.pin(contact.id, contact.pin, contact.record)
    }
    await this.invites.start()
    return [...this.#contacts.values()]
      .filter((one) => one.state === 'friend' || one.state === 'accepted')
      .map((one) => one.id)
  }

  async start(): Promise<void> {
    for (const contact of this.#contacts.values()) {
      if (contact.reply) this.#dispatchReply(contact)
      if (contact.asked) this.#driveRequest(contact.id)
      // ended between the answer and the greeting: the friend waits for our first message to be sure of us
      if (this.#delivering.isSilent(contact.id)) await this.#init.greet(contact.id)
    }
    await this.sweep()
  }

  /** Tells every friend anew what they have to know. */
  async greetAll(): Promise<void> {
    for (const { id, state } of this.#contacts.values()) {
      if (state !== 'friend' && state !== 'accepted') continue
      try {
        await this.#init.greet(id)
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
        this.#init.logger.warn('a friend cannot be told now', { code: error.code })
      }
    }
  }

  /** Forgets requests whose prekeys are gone and invites that have ended, and leaves unanswered answers once more. */
  async sweep(): Promise<void> {
    const now = this.#init.protocolTime()
    const rows = await this.#init.store.list({ table: TABLE.replay, scope: NO_SCOPE, limit: 5000 })
    const tx = new Transaction()
    for (const { position, value } of rows) {
      if (decode(replayRow, value, 64).until < now) tx.delete(TABLE.replay, NO_SCOPE, position)
    }
    await this.#init.journal.commit(tx)
    await this.invites.sweep()
    // an answer that lies at a relay may have expired or got lost there: putting it again costs little
    this.#placed.clear()
    for (const contact of this.#contacts.values()) {
      if (contact.reply) this.#init.courier.nudge(replyName(contact.id))
    }
  }

  stop(): void {
    this.#stopped = true
    for (const drive of this.#drives.values()) drive.timer?.cancel()
  }

  // ---- looking ----

  all(): Contact[] {
    return [...this.#contacts.values()]
  }

  get(id: Uint8Array): Contact | undefined {
    return this.#contacts.get(contactKey(id))
  }

  /** @throws UsageError `UNKNOWN_FRIEND` or `AMBIGUOUS` */
  resolve(who: string): Contact {
    const found = findContacts(this.#contacts.values(), who)
    if (found.length > 1) {
      throw new UsageError('AMBIGUOUS', `${found.length} contacts match`, { hint: 'give more of the ID' })
    }
    const [contact] = found
    if (!contact) throw new UsageError('UNKNOWN_FRIEND', 'no contact matches', { hint: '`kith friends` lists them' })
    return contact
  }

  headsFor(friend: Uint8Array): { mine: Head; yours: Head | undefined } {
    return { mine: this.#init.self.head, yours: this.get(friend)?.pin }
  }

  /** 60 digits that are the same on both sides. @throws UsageError `WRONG_STATE` before the other's record is known */
  safetyNumber(contact: Contact): string {
    if (!contact.record) {
      throw new UsageError('WRONG_STATE', 'there is no safety number before the other answered')
    }
    const theirs = readIdentityRecord(contact.record)
    const { self } = this.#init
    return safetyNumber({ root: self.root, id: self.id }, { root: theirs.root, id: theirs.id })
  }

  // ---- what the person does ----

  /**
   * Asks somebody to be friends.
   * @throws UsageError `BAD_INVITE`, `INVITE_EXPIRED`, `INVITE_NEEDED`, `WRONG_STATE`, `NO_RELAY`, `TOO_LONG`
   */
  async add(init: { target: string; petname?: string; note?: string }): Promise<Contact> {
    const note = init.note ?? ''
    if (utf8(note).length > limits.MAX_NOTE_BYTES) {
      throw new UsageError('TOO_LONG', `expected a note of at most ${limits.MAX_NOTE_BYTES} bytes`)
    }
    if (init.target.trim().toLowerCase().startsWith('kith1')) return await this.#addById(init.target, init.petname)
    const invite = decodeInvite(init.target)
    checkInviteExpiry(invite, this.#init.protocolTime())
    return await this.#delivering.exclusively(invite.id, async () => {
      const contact = this.#contactToAsk(invite.id)
      if (contact.asking) return await this.#accept(contact, init.petname)
      if (this.#init.relays.length === 0) {
        throw new UsageError('NO_RELAY', 'without a relay nobody can answer', {
          hint: 'add one: `kith config set relays ADDRESS`, then start again',
        })
      }
      const before = contact.asked
      const asked = {
        invite: encode(inviteShape, invite),
        // somebody who opened an earlier leg answers where it says, and the answer still counts
        replySecret: before?.replySecret ?? this.#init.random.bytes(32),
        earlier: before ? stillAnswerable(before, this.#init.protocolTime()) : [],
        sentTo: [],
        note,
      }
      const petname = this.#checkPetname(init.petname ?? contact.petname, invite.id)
      const changed: Contact = { ...contact, state: 'outgoing', petname, asked }
      await this.#save(changed, (tx) => tx.event('contact', { id: idToText(contact.id), state: 'outgoing' }))
      this.#driveRequest(contact.id)
      return changed
    })
  }

  /** Consents to a request. @throws UsageError `WRONG_STATE` when there is none */
  async accept(contact: Contact, petname?: string): Promise<Contact> {
    return await this.#delivering.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? contact
      if (!current.asking) throw new UsageError('WRONG_STATE', 'there is no request of this contact to accept')
      return await this.#accept(current, petname)
    })
  }

  /** Refuses a request without a word. @throws UsageError `WRONG_STATE` when there is none */
  async decline(contact: Contact): Promise<Contact> {
    return await this.#delivering.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? contact
      if (!current.asking) throw new UsageError('WRONG_STATE', 'there is no request of this contact to decline')
      const state = current.state === 'incoming' ? 'none' : current.state
      return await this.#save({ ...current, state, asking: undefined }, (tx) =>
        tx.event('contact', { id: idToText(current.id), state }),
      )
    })
  }

  /** Ends it: keys and mailboxes go; the history stays. With `block` nothing of them is looked at any more. */
  async end(contact: Contact, block: boolean): Promise<Contact> {
    return await this.#delivering.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? contact
      if (!block && current.state === 'none') throw new UsageError('WRONG_STATE', 'this contact is no friend')
      const state = block ? 'blocked' : 'none'
      const changed: Contact = {
        id: current.id,
        state,
        petname: current.petname,
        name: current.name,
        verified: false,
        rekey: current.rekey,
        record: current.record,
        pin: current.pin,
      }
      await this.#save(changed, (tx) => {
        this.#delivering.closeChannel(tx, current.id)
        tx.event('contact', { id: idToText(current.id), state })
      })
      this.#init.directory.unpin(current.id)
      this.#init.courier.remove(replyName(current.id))
      this.#init.reader.unwatch(replyName(current.id), true)
      return changed
    })
  }

  /** Marks the safety number as compared. @throws UsageError `NOT_TRUSTED` when `number` is another one */
  async verify(contact: Contact, number: string | undefined): Promise<Contact> {
    if (number !== undefined && number.replaceAll(/\D/g, '') !== this.safetyNumber(contact)) {
      throw new UsageError('NOT_TRUSTED', 'the safety numbers differ', {
        hint: 'do not trust this contact: ask them, by another way, to read out their number again',
      })
    }
    return await this.#delivering.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? contact
      if (current.state !== 'friend' && current.state !== 'accepted') {
        throw new UsageError('WRONG_STATE', 'only friends can be verified')
      }
      return await this.#save({ ...current, verified: true }, (tx) =>
        tx.event('contact', { id: idToText(current.id), state: current.state, verified: true }),
      )
    })
  }

  // ---- what comes with messages ----

  /** The friend proved to hold the session: from here on both are sure. */
  confirmed(tx: Transaction, friend: Uint8Array): void {
    const contact = this.get(friend)
    if (!contact) return
    if (contact.state !== 'friend') this.#become(tx, contact)
    else if (contact.reply) this.#forgetReply(tx, contact)
  }

  /** The friend told us about themselves. */
  applyProfile(tx: Transaction, friend: Uint8Array, profile: ProfileBody): void {
    const contact = this.get(friend)
    if (!contact) return
    const changed = { ...contact, name: profile.name }
    this.#put(tx, changed)
    if (profile.relays.length > 0) this.#delivering.setRelays(tx, friend, profile.relays)
    if (profile.name !== contact.name && contact.name !== '') {
      tx.event('contact', { id: idToText(friend), state: contact.state, name: profile.name })
    }
  }

  /** A head that is newer than our pin is looked up; one that we never signed is an alarm. */
  heads(friend: Uint8Array, mine: Head, yours: Head | undefined): void {
    const contact = this.get(friend)
    if (yours && !this.#init.self.signed(yours)) {
      this.#init.logger.warn('a friend saw a record of this identity that was not signed here')
      this.#init.onUnknownHead(friend)
    }
    if (contact?.pin && compareHeads(mine, contact.pin) > 0) this.#follow(contact.id)
  }

  #follow(id: Uint8Array): void {
    const now = this.#init.clock.now()
    const key = contactKey(id)
    if (now - (this.#followed.get(key) ?? -FOLLOW_MS) < FOLLOW_MS) return
    this.#followed.set(key, now)
    const look = async (): Promise<void> => {
      const found = await this.#init.directory.lookup(id)
      if (!found || this.#stopped) return
      await this.#delivering.exclusively(id, async () => {
        const contact = this.get(id)
        if (!contact?.pin || compareHeads(found.identity.head, contact.pin) <= 0) return
        const changed = believe(contact, found.identity)
        await this.#save(changed, (tx) => {
          if (contact.verified && !changed.verified) {
            tx.event('contact', { id: idToText(id), state: contact.state, verified: false, keyChanged: true })
          }
        })
        this.#init.directory.pin(id, found.identity.head, found.identity.bytes)
      })
    }
    look().catch((error: unknown) => this.#init.logger.warn('following a record failed', { problem: describe(error) }))
  }

  // ---- asking ----

  async #addById(target: string, petname: string | undefined): Promise<Contact> {
    const id = idFromText(target)
    return await this.#delivering.exclusively(id, async () => {
      const contact = this.#contactToAsk(id)
      if (contact.asking) return await this.#accept(contact, petname)
      throw new UsageError('INVITE_NEEDED', 'this person takes requests by invite only', {
        hint: 'ask them for the output of `kith invite`, and add that',
      })
    })
  }

  #contactToAsk(id: Uint8Array): Contact {
    if (equal(id, this.#init.self.id)) throw new UsageError('BAD_INVITE', 'this invite is your own')
    const contact = this.get(id) ?? newContact(id)
    if (contact.state === 'friend' || contact.state === 'accepted') {
      throw new UsageError('WRONG_STATE', 'you are friends already')
    }
    const friends = this.all().filter((one) => one.state !== 'none' && one.state !== 'blocked').length
    if (friends >= limits.MAX_FRIENDS) throw new UsageError('TOO_MANY', `there are ${friends} contacts already`)
    return contact
  }

  #checkPetname(petname: string, id: Uint8Array): string {
    if (utf8(petname).length > limits.MAX_NAME_BYTES) {
      throw new UsageError('TOO_LONG', `expected a petname of at most ${limits.MAX_NAME_BYTES} bytes`)
    }
    const taken = this.all().some((one) => one.petname === petname && petname !== '' && !equal(one.id, id))
    if (taken) throw new UsageError('WRONG_STATE', 'another contact has this petname', { hint: 'choose one with --as' })
    return petname
  }

  /** Takes a request of ours one step further, again and again until it is answered or its invite has ended. */
  #driveRequest(id: Uint8Array): void {
    const key = contactKey(id)
    const drive = this.#drives.get(key) ?? {
      backoff: new Backoff({ random: this.#init.random, ...RETRY }),
      timer: undefined,
      running: false,
      again: false,
    }
    this.#drives.set(key, drive)
    drive.timer?.cancel()
    drive.again = drive.running
    if (drive.running || this.#stopped) return
    drive.running = true
    const again = (ms: number): void => {
      drive.running = false
      if (this.#stopped) return
      if (drive.again) drive.backoff.reset()
      drive.timer = this.#init.clock.after(drive.again ? 0 : ms, () => this.#driveRequest(id))
    }
    this.#stepRequest(id).then(
      (next) => {
        if (next === 'done' && !drive.again) this.#drives.delete(key)
        else if (next === 'sent') again(REPEAT_MS)
        else again(drive.backoff.next())
      },
      (error: unknown) => {
        this.#init.logger.debug('request not left yet', { problem: describe(error) })
        again(drive.backoff.next())
      },
    )
  }

  async #stepRequest(id: Uint8Array): Promise<'done' | 'sent' | 'again'> {
    const asked = this.get(id)?.asked
    if (!asked) return 'done'
    const invite = decode(inviteShape, asked.invite, MAX_INVITE_BYTES)
    const now = this.#init.protocolTime()
    // somebody who opened an earlier leg may answer at any time
    if (stillAnswerable(asked, now).length > 0) this.#watchReply(id, asked.replySecret)
    else if (invite.expires <= now) return await this.#giveUp(id)
    if (!asked.leg || asked.leg.expires <= now) {
      if (invite.expires <= now) return 'sent'
      if (!(await this.#buildLeg(id, invite))) return 'again'
      this.#watchReply(id, asked.replySecret)
    }
    if (!(await this.#init.reader.ready(replyName(id)))) return 'again'
    const missing = this.#withoutLeg(id, invite)
    // where it lies it need not be left again, except on the day's round: each time costs postage
    await Promise.allSettled(
      (missing.length > 0 ? missing : invite.relays).map((address) => this.#leaveAt(id, invite, address)),
    )
    return this.#withoutLeg(id, invite).length === 0 ? 'sent' : 'again'
  }

  /** Relays of the invite at which the present leg was not left yet. */
  #withoutLeg(id: Uint8Array, invite: Invite): string[] {
    const sentTo = this.get(id)?.asked?.sentTo ?? []
    return invite.relays.filter((address) => {
      const server = this.#init.network.serverId(address)
      return !sentTo.some((known) => equal(known, server))
    })
  }

  /** Nobody can answer any more. */
  async #giveUp(id: Uint8Array): Promise<'done'> {
    await this.#delivering.exclusively(id, async () => {
      const contact = this.get(id)
      if (!contact?.asked) return
      const state = contact.state === 'outgoing' ? 'none' : contact.state
      await this.#save({ ...contact, state, asked: undefined }, (tx) =>
        tx.event('contact', { id: idToText(id), state, reason: 'the invite expired before they answered' }),
      )
    })
    this.#init.reader.unwatch(replyName(id), true)
    return 'done'
  }

  async #buildLeg(id: Uint8Array, invite: Invite): Promise<boolean> {
    const { directory, random, self, relays, protocolTime } = this.#init
    const found = await directory.lookupFrom(id, invite.pin, invite.relays)
    const prekey = found?.prekeys.toSorted((a, b) => b.head.seq - a.head.seq)[0]
    if (!found || !prekey) return false
    return await this.#delivering.exclusively(id, async () => {
      const contact = this.get(id)
      if (!contact?.asked || !isInWindow(self.record, protocolTime())) return false
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
      await this.#save({
        ...believe(contact, found.identity),
        asked: { ...contact.asked, leg: outgoing, earlier: stillAnswerable(contact.asked, protocolTime()), sentTo: [] },
      })
      directory.pin(id, found.identity.head, found.identity.bytes)
      return true
    })
  }

  async #leaveAt(id: Uint8Array, invite: Invite, address: string): Promise<void> {
    const leg = this.get(id)?.asked?.leg
    if (!leg) return
    // one plaintext under one nonce: the same bytes at every relay and every try
    const nonce = hmacSha256(invite.seal, L('inviteSeal'), leg.leg).subarray(0, 24)
    const sealed = seal(invite.seal, nonce, leg.leg, L('inviteSeal'))
    const { writer, address: mailbox } = inviteMailbox(invite)
    const server = await this.#init.pool.withServer(address, SERVER_TIMEOUT_MS, async ({ client, peerId }) => {
      const answer = await client.request({
        address: mailbox,
        writerSeed: writer.seed,
        leg: sealed,
        expires: leg.expires,
      })
      if (answer.status !== 'placed') throw new PeerError('REFUSED', `the relay answered request with ${answer.status}`)
      return peerId
    })
    await this.#delivering.exclusively(id, async () => {
      const contact = this.get(id)
      if (!contact?.asked || contact.asked.sentTo.some((known) => equal(known, server))) return
      await this.#save({ ...contact, asked: { ...contact.asked, sentTo: [...contact.asked.sentTo, server] } })
    })
  }

  // ---- the answer ----

  #watchReply(id: Uint8Array, secret: Uint8Array): void {
    this.#init.reader.watch({
      name: replyName(id),
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
    const friend = await this.#delivering.exclusively(id, async () => {
      const contact = this.get(id)
      if (this.#stopped) return 'later'
      if (!contact?.asked) return undefined
      const legs = stillAnswerable(contact.asked, this.#init.protocolTime())
      const opened = openReply(legs, secret, mail, this.#init.self.identitySecret)
      if (!opened || opened.accept.rekey > contact.rekey + limits.MAX_REKEY_STEP) return undefined
      const { accept, session, secrets } = opened
      const tx = new Transaction()
      this.#delivering.openChannel(tx, id, { session, secrets, relays: accept.relays })
      // the one-time keys go in the batch that makes the session
      this.#become(tx, { ...contact, name: accept.name, rekey: Math.max(contact.rekey, accept.rekey) })
      await this.#init.journal.commit(tx)
      this.heads(id, accept.head, undefined)
      return contact
    })
    if (friend === 'later') return false
    if (friend) {
      this.#init.reader.unwatch(replyName(id), true)
      await this.#init.greet(id)
    }
    return true
  }

  // ---- being asked ----

  async #receiveRequest(own: OwnInvite, sealed: Uint8Array): Promise<boolean> {
    const { self, protocolTime, store } = this.#init
    let opened: ReturnType<typeof openLeg1>
    try {
      opened = openLeg1({
        leg: open(own.invite.seal, sealed, L('inviteSeal')),
        now: Math.floor(protocolTime()),
        findKeys: (device, prekeySeq, recordSeq) => self.findKeys(device, prekeySeq, recordSeq),
        readRecord: (bytes) => requesterRecord(readIdentityRecord(bytes, { now: protocolTime() })),
      })
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      this.#init.logger.debug('request dropped', { code: error.code })
      return true
    }
    const { incoming, replayTag } = opened
    if (equal(incoming.id, self.id)) return true
    const replay = { table: TABLE.replay, scope: NO_SCOPE, position: store.blind(replayTag) }
    return await this.#delivering.exclusively(incoming.id, async () => {
      if (this.#stopped) return false
      if ((await store.get(replay)) || !this.#isCredible(incoming)) return true
      const contact = this.get(incoming.id) ?? newContact(incoming.id)
      const tx = new Transaction()
      const until = Math.floor(protocolTime()) + limits.PREKEY_DESTROYED_DAYS * DAY
      tx.put(TABLE.replay, NO_SCOPE, replay.position, encode(replayRow, { until }))
      if (contact.state === 'blocked' || !this.#hasRoom(own, contact) || isOvertaken(incoming, own, contact)) {
        await this.#init.journal.commit(tx)
        return true
      }
      this.invites.countRequest(tx, own.inviteId)
      const asking = { request: incoming, inviteId: own.inviteId, receivedAt: this.#init.clock.now() }
      const changed = { ...contact, name: incoming.request.name, asking }
      // we asked them, or accepted them before: their request is consent, and so was ours
      if (contact.asked || contact.state === 'accepted') {
        this.#acceptInto(tx, changed, undefined)
      } else {
        this.#put(tx, { ...changed, state: contact.state === 'none' ? 'incoming' : contact.state })
        const { name, note } = incoming.request
        tx.event('request', { id: idToText(incoming.id), name, note })
      }
      await this.#init.journal.commit(tx)
      return true
    })
  }

  /** Whether a request fits what is known of this ID: no record below the one that was believed, no absurd numbers. */
  #isCredible({ id, record, request }: IncomingRequest): boolean {
    const contact = this.get(id)
    if (request.rekey > (contact?.rekey ?? 0) + limits.MAX_REKEY_STEP) return false
    if (!contact?.pin) return true
    const view = readIdentityRecord(record)
    if (equal(view.hash, contact.pin.hash)) return true
    if (compareHeads(view.head, contact.pin) > 0 && !equivocates(view.head, contact.pin)) return true
    this.#init.logger.warn('a request came with a record that is older than the one believed, or contradicts it')
    return false
  }

  #hasRoom(own: OwnInvite, contact: Contact): boolean {
    if (contact.asking || contact.asked || contact.state === 'accepted') return true
    const asking = this.all().flatMap((one) => (one.asking ? [one.asking] : []))
    const through = asking.filter((one) => equal(one.inviteId, own.inviteId)).length
    return asking.length < limits.MAX_INCOMING_REQUESTS && through < limits.MAX_REQUESTS_PER_INVITE
  }

  async #accept(contact: Contact, petname: string | undefined): Promise<Contact> {
    const tx = new Transaction()
    const changed = this.#acceptInto(tx, contact, petname)
    tx.event('contact', { id: idToText(contact.id), state: changed.state })
    await this.#init.journal.commit(tx)
    return changed
  }

  /** Writes consent: leg 2, the session, and the state that waits for their first message. */
  #acceptInto(tx: Transaction, contact: Contact, petname: string | undefined): Contact {
    const { self, random, relays } = this.#init
    const { request, inviteId } = contact.asking!
    const rekey = 1 + Math.max(contact.rekey, request.request.rekey)
    const { leg, session, secrets } = acceptRequest({
      random: (length) => random.bytes(length),
      incoming: request,
      identitySecret: self.identitySecret,
      accept: { head: self.head, relays: [...relays], rekey, name: self.name },
    })
    const record = readIdentityRecord(request.record)
    // a newer one may have been seen while the request waited for the person
    const isBest = !contact.pin || compareHeads(record.head, contact.pin) >= 0
    const believed = isBest ? believe(contact, record) : contact
    const wanted = petname ?? (contact.petname === '' ? undefined : contact.petname)
    const changed: Contact = {
      ...believed,
      state: contact.state === 'friend' ? 'friend' : 'accepted',
      petname:
        wanted === undefined
          ? freePetname(this.all(), request.request.name, contact.id)
          : this.#checkPetname(wanted, contact.id),
      name: request.request.name,
      rekey,
      asking: undefined,
      // a request of ours that nobody can have seen is not needed any more
      asked: contact.asked?.leg ? contact.asked : undefined,
      reply: { leg, secret: request.request.replySecret, relays: request.request.relays, storedAt: [] },
    }
    this.#put(tx, changed)
    if (contact.verified && !changed.verified) {
      tx.event('contact', { id: idToText(contact.id), state: changed.state, verified: false, keyChanged: true })
    }
    this.#delivering.openChannel(tx, contact.id, { session, secrets, relays: request.request.relays })
    this.invites.useUp(tx, inviteId)
    tx.afterCommit(() => {
      if (isBest) this.#init.directory.pin(contact.id, record.head, record.bytes)
      this.#dispatchReply(changed)
    })
    return changed
  }

  /** Puts leg 2 in their reply mailbox, and again at each start and with each sweep until they answered. */
  #dispatchReply({ id, reply }: Contact): void {
    if (!reply) return
    this.#init.courier.set({
      name: replyName(id),
      kind: KIND.friend,
      servers: reply.relays.slice(0, limits.MAX_CUSTODY_RELAYS),
      keysAt: (server) => friendMailbox(reply.secret, server),
      pending: async (server) => {
        const current = this.get(id)?.reply
        if (!current || this.#placed.has(placeName(current.leg, server))) return []
        const expires = Math.floor(this.#init.protocolTime()) + limits.MAX_ENVELOPE_DAYS * DAY
        return [{ bytes: current.leg, expires, stored: (at) => this.#replyStored(id, current.leg, at) }]
      },
    })
  }

  async #replyStored(id: Uint8Array, leg: Uint8Array, server: Uint8Array): Promise<void> {
    await this.#delivering.exclusively(id, async () => {
      const contact = this.get(id)
      if (!contact?.reply || !equal(contact.reply.leg, leg)) return
      this.#placed.add(placeName(leg, server))
      if (contact.reply.storedAt.some((known) => equal(known, server))) return
      await this.#save({ ...contact, reply: { ...contact.reply, storedAt: [...contact.reply.storedAt, server] } })
    })
  }

  /** They answered: leg 2 arrived. */
  #forgetReply(tx: Transaction, contact: Contact): void {
    this.#put(tx, { ...contact, reply: undefined, since: Math.floor(this.#init.protocolTime()) })
    tx.afterCommit(() => this.#init.courier.remove(replyName(contact.id)))
  }

  // ---- rows ----

  /** Both sides hold a session. */
  #become(tx: Transaction, contact: Contact): void {
    const petname = contact.petname === '' ? freePetname(this.all(), contact.name, contact.id) : contact.petname
    // when both asked, the session that is confirmed first is enough for both
    const since = Math.floor(this.#init.protocolTime())
    this.#put(tx, { ...contact, state: 'friend', petname, since, asked: undefined, reply: undefined })
    tx.event('friend', { id: idToText(contact.id), petname, name: contact.name })
    tx.afterCommit(() => {
      this.#init.courier.remove(replyName(contact.id))
      if (contact.asked) this.#init.reader.unwatch(replyName(contact.id), true)
    })
  }

  #put(tx: Transaction, contact: Contact): void {
    putContact(tx, this.#init.store, contact)
    tx.afterCommit(() => this.#contacts.set(contactKey(contact.id), contact))
  }

  async #save(contact: Contact, more?: (tx: Transaction) => void): Promise<Contact> {
    const tx = new Transaction()
    this.#put(tx, contact)
    more?.(tx)
    await this.#init.journal.commit(tx)
    return contact
  }

  get #delivering(): Delivery {
    return this.#delivery!
  }
}

function replyName(id: Uint8Array): string {
  return `reply/${toHex(id)}`
}

/** Names an answer at a server. */
function placeName(leg: Uint8Array, server: Uint8Array): string {
  return toHex(hmacSha256(leg, server))
}

/**
 * Whether a request came too late: made after its invite had ended, or by a friend before both were sure, when two
 * requests crossed.
 */
function isOvertaken({ request }: IncomingRequest, { invite }: OwnInvite, { state, since, rekey }: Contact): boolean {
  if (request.created > invite.expires) return true
  if (state !== 'friend' || since === undefined) return false
  // their clock and ours may differ by what records are allowed to
  return request.rekey < rekey && request.created <= since + limits.MAX_RECORD_AHEAD_SECONDS
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

function requesterRecord(view: IdentityView) {
  const { devices, revoked, minVersion, maxVersion } = view.record
  return { id: view.id, devices, revoked, minVersion, maxVersion }
}

/** A contact whose record is this one from now on. A new root key has another safety number: it has to be compared again. */
function believe(contact: Contact, view: IdentityView): Contact {
  const sameRoot = contact.record !== undefined && equal(readIdentityRecord(contact.record).root, view.root)
  return { ...contact, record: view.bytes, pin: view.head, verified: contact.verified && sameRoot }
}

/** The legs whose one-time keys are kept when a new one is built. */
function stillAnswerable(asked: Asked, now: number): OutgoingRequest[] {
  const legs = asked.leg ? [asked.leg, ...asked.earlier] : asked.earlier
  return legs.filter((leg) => leg.created + limits.ONE_TIME_KEY_DAYS * DAY > now).slice(0, MAX_EARLIER_LEGS)
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

/** What a request says of the one who asks, as they claim it. */
export function claimOf(request: IncomingRequest): { name: string; note: string } {
  return { name: request.request.name, note: request.request.note }
}
