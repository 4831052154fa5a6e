/**
 * Whether the record of somebody who was asked by ID is the newest (PROTOCOL 2): two relays that this person used before sign
 * so, or the friend says it in band. Until then the contact is called unconfirmed: the request goes out all the same.
 */
import { equal } from '../crypto/bytes.ts'
import { describe } from '../errors.ts'
import { identityRecordKey } from '../identity/record-keys.ts'
import type { IdentityView } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import type { Head } from '../wire/records.ts'
import type { Contact } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'

/** One relay alone may be the one that hides the newer record. */
const ENOUGH_RECEIPTS = 2

type FreshnessInit = Pick<FriendshipInit, 'delivery' | 'logger' | 'attest'> & { book: ContactBook }

export class Freshness {
  readonly #init: FreshnessInit

  constructor(init: FreshnessInit) {
    this.#init = init
  }

  /** Asks the relays about a record that was found. Never throws. */
  async isConfirmed({ id, hash }: Pick<IdentityView, 'id' | 'hash'>): Promise<boolean> {
    return (await this.#init.attest(identityRecordKey(id), hash)) >= ENOUGH_RECEIPTS
  }

  /** Asks once more about the record that is believed, if that is in doubt still. */
  async askAgain({ id, pin, isUnconfirmed }: Contact): Promise<void> {
    if (!isUnconfirmed || !pin || !(await this.isConfirmed({ id, hash: pin.hash }))) return
    await this.#confirm(id, pin)
  }

  /** The friend themselves named their head. */
  heard(friend: Uint8Array, head: Head): void {
    if (!this.#isInDoubt(friend, head)) return
    this.#confirm(friend, head).catch((error: unknown) =>
      this.#init.logger.warn('a confirmed record could not be noted', { problem: describe(error) }),
    )
  }

  #isInDoubt(id: Uint8Array, head: Head): boolean {
    const contact = this.#init.book.get(id)
    return contact?.isUnconfirmed === true && contact.pin !== undefined && equal(contact.pin.hash, head.hash)
  }

  async #confirm(id: Uint8Array, head: Head): Promise<void> {
    const { book, delivery } = this.#init
    await delivery.exclusively(id, async () => {
      // meanwhile another record may have been believed
      if (!this.#isInDoubt(id, head)) return
      const contact = book.get(id)!
      await book.save({ ...contact, isUnconfirmed: undefined }, (tx) =>
        tx.event('contact', { id: idToText(id), state: contact.state, freshness: 'confirmed' }),
      )
    })
  }
}
