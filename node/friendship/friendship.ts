/**
 * Friendship (PROTOCOL 7): who may write to whom, and with which keys. States none, outgoing, incoming, accepted, friend,
 * blocked; each change one durable step. The one face of this folder: what the person does and what comes with messages;
 * asking, being asked and consent on its way have files of their own.
 */
import { equal, utf8 } from '../crypto/bytes.ts'
import type { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { checkInviteExpiry, decodeInvite } from '../identity/invite.ts'
import { idFromText, idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import type { ProfileBody } from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import { checkChosenPetname, type Contact, contactKey, isFriend, newContact } from './contact.ts'
import { ContactBook } from './contact-book.ts'
import { type FriendshipInit, replyName } from './contract.ts'
import { Freshness } from './freshness.ts'
import { Healing } from './healing.ts'
import { IncomingRequests } from './incoming-requests.ts'
import { Invites } from './invites.ts'
import { KeyTrust } from './key-trust.ts'
import { OutgoingRequests } from './outgoing-requests.ts'
import { Pins } from './pins.ts'
import { SILENCE_SECONDS } from './rendezvous.ts'
import { Replies } from './replies.ts'
import { Witness } from './witness.ts'
import { RequestBox } from './request-box.ts'
import { needsInvite } from './request-door.ts'

export class Friendship {
  readonly #init: FriendshipInit
  readonly #book: ContactBook
  readonly #pins: Pins
  readonly #witness: Witness
  readonly #freshness: Freshness
  readonly #replies: Replies
  readonly #outgoing: OutgoingRequests
  readonly #incoming: IncomingRequests
  readonly #healing: Healing
  readonly invites: Invites
  readonly keys: KeyTrust
  readonly box: RequestBox

  constructor(init: FriendshipInit) {
    this.#init = init
    const book = new ContactBook(init)
    this.#book = book
    const onFollowed = (id: Uint8Array): void => {
      this.#healing.look(id)
      this.#outgoing.look(id)
    }
    this.#pins = new Pins({ ...init, book, onFollowed })
    this.#witness = new Witness({ ...init, book })
    this.#freshness = new Freshness({ ...init, book })
    this.#replies = new Replies({ ...init, book })
    this.invites = new Invites({ ...init, onRequest: (own, leg) => this.#incoming.receive(own, leg) })
    const { self, requests: policy } = init
    const onRequest = (left: Uint8Array): Promise<boolean> => this.#incoming.receive(undefined, left)
    this.box = new RequestBox({ ...init, id: self.id, policy, onRequest })
    this.#incoming = new IncomingRequests({
      ...init,
      book,
      replies: this.#replies,
      invites: this.invites,
      readBoxAgain: () => this.box.readAgain(),
    })
    const become = (tx: Transaction, contact: Contact): void => this.#become(tx, contact)
    const greet = (friend: Uint8Array): Promise<void> => this.#greet(friend)
    this.#outgoing = new OutgoingRequests({
      ...init,
      book,
      pins: this.#pins,
      freshness: this.#freshness,
      become,
      greet,
    })
    this.#healing = new Healing({ ...init, book, pins: this.#pins, become, greet })
    this.keys = new KeyTrust({ ...init, book, outgoing: this.#outgoing, healing: this.#healing })
  }

  /** Reads all contacts and goes on with what was under way. Delivery starts with the IDs in the answer. */
  async load(): Promise<Uint8Array[]> {
    await this.#book.load()
    for (const { id, pin, record } of this.all()) if (pin) this.#init.directory.pin(id, pin, record)
    await this.invites.start()
    await this.box.start()
    return this.all()
      .filter(isFriend)
      .map(({ id }) => id)
  }

  /** Delivery knows the sessions, and nothing has left yet: none goes on, or stands still, against what the person wants now. */
  async prepare(): Promise<void> {
    await this.keys.prepare()
  }

  async start(): Promise<void> {
    for (const contact of this.all()) this.#replies.dispatch(contact)
    this.#outgoing.start()
    // ended between the answer and the greeting: the friend waits for our first message to be sure of us
    for (const { id } of this.all()) if (this.#init.delivery.status.isSilent(id)) await this.#greet(id)
    await this.sweep()
    this.#healing.start()
  }

  /** Tells every friend anew what they have to know. */
  async greetAll(): Promise<void> {
    for (const { id } of this.all().filter(isFriend)) await this.#greet(id)
  }

  async #greet(id: Uint8Array): Promise<void> {
    try {
      await this.#init.greet(id)
    } catch (error) {
      // the person may have ended it meanwhile, or there is no room for more
      if (!(error instanceof UsageError)) throw error
      this.#init.logger.warn('a friend cannot be told now', { code: error.code })
    }
  }

  /** Forgets requests whose prekeys are gone and invites that have ended, and leaves unanswered answers once more. */
  async sweep(): Promise<void> {
    this.#init.alarms.write()
    await this.#incoming.sweep()
    await this.invites.sweep()
    this.#replies.dispatchAgain()
    this.#healing.dispatchAgain()
  }

  stop(): void {
    this.#pins.stop()
    this.#incoming.stop()
    this.#outgoing.stop()
    this.#healing.stop()
  }

  // ---- looking ----

  all(): Contact[] {
    return this.#book.all()
  }

  get(id: Uint8Array): Contact | undefined {
    return this.#book.get(id)
  }

  /** @throws UsageError `UNKNOWN_FRIEND` or `AMBIGUOUS` */
  resolve(who: string): Contact {
    return this.#book.resolve(who)
  }

  /** Looks for the records of friends of whom nothing was heard for long: they may have changed without a word. */
  askAfterSilence(): void {
    const now = this.#init.protocolTime()
    for (const { id } of this.all().filter(isFriend)) {
      const silence = this.#init.delivery.status.silence(id)
      if (silence && silence.heardAt + SILENCE_SECONDS <= now) this.#pins.ask(id)
    }
  }

  /** Somebody who asks, else any contact; a name that is only claimed never stands for somebody who has that petname or ID. */
  resolveRequester(who: string): Contact {
    return this.#book.findRequester(who) ?? this.#book.resolve(who)
  }

  /** Any contact, else somebody who asks, by the name they claim, else whoever has this whole ID. */
  resolveAnybody(who: string): Contact {
    try {
      return this.#book.resolve(who)
    } catch (error) {
      if (!(error instanceof UsageError) || error.code !== 'UNKNOWN_FRIEND') throw error
      const anybody = this.#book.findRequester(who) ?? strangerOf(who)
      if (!anybody || equal(anybody.id, this.#init.self.id)) throw error
      return anybody
    }
  }

  /** Whether somebody who was asked by ID has not been found yet. */
  isSought(contact: Contact): boolean {
    return this.#outgoing.isSought(contact)
  }

  /** What is believed of somebody who matters to the person. */
  pinOf(id: Uint8Array): Head | undefined {
    const contact = this.get(id)
    return contact?.state === 'none' || contact?.state === 'blocked' ? undefined : contact?.pin
  }

  /** Whether nothing is sent to this friend before the person accepts the keys that they have now. */
  isHeld(id: Uint8Array): boolean {
    const contact = this.get(id)
    return contact !== undefined && this.keys.isHeld(contact)
  }

  /** What a message to this friend says of records. */
  headsFor(friend: Uint8Array): { mine: Head; yours: Head | undefined } {
    return this.#witness.headsFor(friend)
  }

  // ---- what the person does ----

  /**
   * Asks somebody to be friends, by an invite or by their ID. Who cannot be found by the ID yet is looked for from now on.
   * @throws UsageError `BAD_INVITE`, `INVITE_EXPIRED`, `INVITE_NEEDED`, `WRONG_STATE`, `NO_RELAY`, `TOO_LONG`
   */
  async add(init: { target: string; petname?: string; note?: string }): Promise<Contact> {
    const { petname, note = '' } = init
    if (utf8(note).length > limits.MAX_NOTE_BYTES) {
      throw new UsageError('TOO_LONG', `expected a note of at most ${limits.MAX_NOTE_BYTES} bytes`)
    }
    const byId = init.target.trim().toLowerCase().startsWith('kith1')
    const invite = byId ? undefined : decodeInvite(init.target)
    if (invite) checkInviteExpiry(invite, this.#init.protocolTime())
    const id = invite?.id ?? idFromText(init.target)
    // who asks is answered, and nobody else need be found
    const found = invite || this.get(id)?.asking ? undefined : await this.#outgoing.lookUp(this.#contactToAsk(id))
    return await this.#init.delivery.exclusively(id, async () => {
      const known = this.get(id)
      if (known?.asking) return await this.#incoming.accept(known, petname)
      const contact = this.#contactToAsk(id)
      if (found && needsInvite(found.identity)) {
        throw new UsageError('INVITE_NEEDED', 'this person takes requests by invite only', {
          hint: 'ask them for the output of `kith invite`, and add that',
        })
      }
      return await this.#outgoing.ask(contact, {
        ...(invite && { invite }),
        ...(found && { found }),
        ...(petname !== undefined && { petname }),
        note,
      })
    })
  }

  #contactToAsk(id: Uint8Array): Contact {
    if (equal(id, this.#init.self.id)) throw new UsageError('BAD_INVITE', 'this is yourself')
    const contact = this.get(id) ?? newContact(id)
    if (contact.state === 'friend' || contact.state === 'accepted') {
      throw new UsageError('WRONG_STATE', 'you are friends already')
    }
    const idle = new Set<string>(['none', 'blocked', 'failed'])
    const friends = this.all().filter((one) => !idle.has(one.state)).length
    if (friends >= limits.MAX_FRIENDS) throw new UsageError('TOO_MANY', `there are ${friends} contacts already`)
    return contact
  }

  /** Consents to a request. @throws UsageError `WRONG_STATE` when there is none */
  async accept(contact: Contact, petname?: string): Promise<Contact> {
    const accepted = await this.#init.delivery.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? newContact(contact.id)
      if (!current.asking) throw new UsageError('WRONG_STATE', 'there is no request of this contact to accept')
      return await this.#incoming.accept(current, petname)
    })
    this.#incoming.roomMade()
    return accepted
  }

  /** Refuses a request without a word. @throws UsageError `WRONG_STATE` when there is none */
  async decline(contact: Contact): Promise<Contact> {
    const declined = await this.#init.delivery.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? newContact(contact.id)
      if (!current.asking) throw new UsageError('WRONG_STATE', 'there is no request of this contact to decline')
      const state = current.state === 'incoming' ? 'none' : current.state
      return await this.#book.save({ ...current, state, asking: undefined }, (tx) =>
        tx.event('contact', { id: idToText(current.id), state }),
      )
    })
    this.#incoming.roomMade()
    return declined
  }

  /** Ends it: keys and mailboxes go; the history stays. With `block` nothing of them is looked at any more. */
  async end(contact: Contact, block: boolean): Promise<Contact> {
    const { delivery, directory, reader, alarms } = this.#init
    return await delivery.exclusively(contact.id, async () => {
      const current = this.get(contact.id) ?? newContact(contact.id)
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
      await this.#book.save(changed, (tx) => {
        delivery.closeChannel(tx, current.id)
        reader.giveUp(tx, replyName(contactKey(current.id)))
        alarms.forget(tx, current.id)
        tx.event('contact', { id: idToText(current.id), state })
      })
      directory.unpin(current.id)
      this.#replies.recall(current.id)
      this.#healing.forget(current.id)
      this.#incoming.roomMade()
      return changed
    })
  }

  /** Calls a contact another name. @throws UsageError `BAD_NAME`, `TOO_LONG`, `WRONG_STATE` when another contact has it */
  async rename(contact: Contact, petname: string): Promise<Contact> {
    checkChosenPetname(petname)
    return await this.#init.delivery.exclusively(contact.id, async () => {
      const current = this.get(contact.id)
      if (!current) throw new UsageError('UNKNOWN_FRIEND', 'the contact is gone')
      const chosen = this.#book.checkPetname(petname, contact.id)
      if (chosen === current.petname) return current
      return await this.#book.save({ ...current, petname: chosen }, (tx) =>
        tx.event('contact', { id: idToText(current.id), state: current.state, petname: chosen }),
      )
    })
  }

  // ---- what comes with messages ----

  /** The friend proved to hold the session: from here on both are sure. */
  confirmed(tx: Transaction, friend: Uint8Array): void {
    const contact = this.#book.get(friend, tx)
    if (!contact) return
    if (contact.state !== 'friend') this.#become(tx, contact)
    else if (contact.reply) this.#replies.arrived(tx, contact)
    this.#healing.confirmed(tx, this.#book.get(friend, tx)!)
  }

  /** The session with this friend may need to be replaced. */
  ailing(friend: Uint8Array): void {
    this.#healing.look(friend)
  }

  /** The session with this friend is not what they remember. */
  behind(tx: Transaction, friend: Uint8Array): void {
    tx.event('behind', { id: idToText(friend) })
    tx.afterCommit(() => this.#healing.look(friend))
  }

  /** The friend told us about themselves. */
  applyProfile(tx: Transaction, friend: Uint8Array, profile: ProfileBody): void {
    const contact = this.#book.get(friend, tx)
    if (!contact) return
    this.#book.put(tx, { ...contact, name: profile.name })
    const { relays, peerId, addresses } = profile
    this.#init.delivery.setPlaces(tx, friend, { relays, reach: { peerId, addresses } })
    if (profile.name !== contact.name && contact.name !== '') {
      tx.event('contact', { id: idToText(friend), state: contact.state, name: profile.name })
    }
  }

  /** The directory has a newer record of a contact. */
  recordStored(id: Uint8Array): void {
    this.#pins.recordStored(id)
  }

  /** What a friend's message says of records: a newer one is looked up, one that its owner never signed is an alarm. */
  heads(friend: Uint8Array, said: { mine: Head; yours: Head | undefined; sentAt: number }): void {
    this.#witness.heard(friend, said)
    this.#pins.follow(friend, said.mine)
    this.#freshness.heard(friend, said.mine)
  }

  /** Both sides hold a session. */
  #become(tx: Transaction, contact: Contact): void {
    const petname = contact.petname === '' ? this.#book.freePetname(contact.name, contact.id) : contact.petname
    // when both asked, the session that is confirmed first is enough for both
    const since = Math.floor(this.#init.protocolTime())
    this.#book.put(tx, { ...contact, state: 'friend', petname, since, asked: undefined, reply: undefined })
    tx.event('friend', { id: idToText(contact.id), petname, name: contact.name })
    if (contact.asked) this.#init.reader.giveUp(tx, replyName(contactKey(contact.id)))
    if (contact.reply?.inviteId) this.invites.useUp(tx, contact.reply.inviteId)
    tx.afterCommit(() => this.#replies.recall(contact.id))
  }
}

function strangerOf(who: string): Contact | undefined {
  try {
    return newContact(idFromText(who))
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}
