/**
 * What the person says of keys (PROTOCOL 1 and 2): the safety number was compared, changed keys are the friend's, and the own
 * root key is to be replaced. What follows by itself when a friend's keys change is `key-changes.ts`.
 */
import { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import { safetyNumber } from '../identity/safety-number.ts'
import { type Contact, contactKey, isFriend, isUnaccepted, newContact, withAcceptedKeys } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'
import type { Healing } from './healing.ts'
import { ACCEPT_HINT, isHeld } from './key-changes.ts'
import type { OutgoingRequests } from './outgoing-requests.ts'

type KeyTrustNeeds = 'self' | 'delivery' | 'journal' | 'random' | 'protocolTime' | 'trust' | 'notice'
type KeyTrustInit = Pick<FriendshipInit, KeyTrustNeeds> & {
  book: ContactBook
  outgoing: OutgoingRequests
  healing: Healing
}

export class KeyTrust {
  readonly #init: KeyTrustInit

  constructor(init: KeyTrustInit) {
    this.#init = init
  }

  /**
   * The person may have changed since whether keys have to be accepted: what was held goes on, or what went on to keys that
   * nobody accepted is held.
   */
  async prepare(): Promise<void> {
    const { book, delivery, journal } = this.#init
    for (const { id } of book.all().filter(isFriend)) {
      await delivery.exclusively(id, async () => {
        const contact = book.get(id)
        if (!contact || !isFriend(contact)) return
        const tx = new Transaction()
        if (this.isHeld(contact)) delivery.hold(tx, id)
        else delivery.release(tx, id)
        await journal.commit(tx)
      })
    }
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

  /** Whether nothing is sent to this friend before the person accepts the keys that they have now. */
  isHeld(contact: Contact): boolean {
    return isHeld(this.#init, contact)
  }

  /** @throws UsageError `KEY_CHANGED` as `isHeld` */
  checkAccepted(contact: Contact): void {
    if (!this.isHeld(contact)) return
    throw new UsageError('KEY_CHANGED', `the keys of ${contact.petname} changed: nothing was sent`, {
      hint: ACCEPT_HINT,
    })
  }

  /** Marks the safety number as compared. @throws UsageError `NOT_TRUSTED` when `number` is another one */
  async verify(contact: Contact, number: string | undefined): Promise<Contact> {
    const { delivery } = this.#init
    return await delivery.exclusively(contact.id, async () => {
      const current = this.#init.book.get(contact.id) ?? newContact(contact.id)
      // of the keys that are believed now: they may have changed since the number was shown
      if (number !== undefined && number.replaceAll(/\D/g, '') !== this.safetyNumber(current)) {
        throw new UsageError('NOT_TRUSTED', 'the safety numbers differ', {
          hint: 'do not trust this contact: ask them, by another way, to read out their number again',
        })
      }
      if (current.state !== 'friend' && current.state !== 'accepted') {
        throw new UsageError('WRONG_STATE', 'only friends can be verified')
      }
      return await this.#init.book.save({ ...current, verified: true, keyChange: undefined }, (tx) => {
        delivery.release(tx, current.id)
        tx.event('contact', { id: idToText(current.id), state: current.state, verified: true })
      })
    })
  }

  /** Accepts the keys that a friend has now, without a comparison. @throws UsageError `WRONG_STATE` */
  async accept(contact: Contact): Promise<Contact> {
    const { delivery } = this.#init
    return await delivery.exclusively(contact.id, async () => {
      const current = this.#init.book.get(contact.id) ?? newContact(contact.id)
      if (!isFriend(current)) throw new UsageError('WRONG_STATE', 'only friends can be trusted')
      if (!isUnaccepted(current)) return current
      return await this.#init.book.save(withAcceptedKeys(current), (tx) => {
        delivery.release(tx, current.id)
        tx.event('contact', {
          id: idToText(current.id),
          state: current.state,
          verified: current.verified,
          accepted: true,
        })
      })
    })
  }

  /**
   * Reveals the next root key of this identity, with a new device, in one durable step; new sessions with every friend follow.
   * Nothing else may renew the own keys meanwhile.
   * @param entropy what the words stand for, 32 bytes; not kept
   * @throws UsageError `WRONG_WORDS`, `TOO_MANY`
   */
  async rotate(entropy: Uint8Array): Promise<void> {
    const { book, delivery, healing } = this.#init
    for (let isDone = false; !isDone; ) {
      const ids = book.all().map(({ id }) => id)
      const held = new Set(ids.map(contactKey))
      isDone = await delivery.exclusivelyAll(ids, async () => {
        // who became a contact while the queues were waited for has a queue of their own
        if (book.all().some(({ id }) => !held.has(contactKey(id)))) return false
        await this.#rotateNow(entropy)
        return true
      })
    }
    for (const { id } of book.all().filter(isFriend)) healing.look(id)
  }

  /** The caller holds the queues of all contacts. */
  async #rotateNow(entropy: Uint8Array): Promise<void> {
    const { book, outgoing, delivery, self, journal, random, protocolTime, notice } = this.#init
    const tx = new Transaction()
    self.rotate(tx, entropy, random, Math.floor(protocolTime()))
    for (const contact of book.all()) {
      outgoing.askAnew(tx, contact)
      if (!isFriend(contact)) continue
      delivery.retire(tx, contact.id)
      // what was begun with the device of before delays nothing
      const { rekeying } = contact
      if (rekeying) book.put(tx, { ...book.get(contact.id, tx)!, rekeying: { ...rekeying, started: 0, times: 0 } })
      notice(tx, contact.id, 'own')
    }
    tx.event('identity', { id: self.idText, state: 'rotated' })
    await journal.commit(tx)
  }
}
