/**
 * Which record of a contact is believed (PROTOCOL 2 and 4): pinned when a request is built or accepted, and followed when a
 * friend's messages name a newer one. A new root key has another safety number: it has to be compared again.
 */
import { equal } from '../crypto/bytes.ts'
import { describe } from '../errors.ts'
import { compareHeads, type IdentityView, readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import type { Head } from '../wire/records.ts'
import { type Contact, contactKey } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'

/** A friend's newer record is asked for at most this often, whatever their messages say. */
const FOLLOW_MS = 600_000

type PinsInit = Pick<FriendshipInit, 'self' | 'clock' | 'logger' | 'directory' | 'delivery' | 'onUnknownHead'> & {
  book: ContactBook
}

/** A contact whose record is this one from now on. */
export function believe(contact: Contact, view: IdentityView): Contact {
  const sameRoot = contact.record !== undefined && equal(readIdentityRecord(contact.record).root, view.root)
  return { ...contact, record: view.bytes, pin: view.head, verified: contact.verified && sameRoot }
}

export class Pins {
  readonly #init: PinsInit
  /** When a newer record of a friend was last asked for. */
  readonly #followed = new Map<string, number>()
  #stopped = false

  constructor(init: PinsInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
  }

  /** A head that is newer than our pin is looked up; one that we never signed is an alarm. */
  heads(friend: Uint8Array, mine: Head, yours: Head | undefined): void {
    const { book, self, logger, onUnknownHead } = this.#init
    const contact = book.get(friend)
    if (yours && !self.signed(yours)) {
      logger.warn('a friend saw a record of this identity that was not signed here')
      onUnknownHead(friend)
    }
    if (contact?.pin && compareHeads(mine, contact.pin) > 0) this.#follow(contact.id)
  }

  #follow(id: Uint8Array): void {
    const { clock, logger } = this.#init
    const now = clock.now()
    const key = contactKey(id)
    if (now - (this.#followed.get(key) ?? -FOLLOW_MS) < FOLLOW_MS) return
    this.#followed.set(key, now)
    this.#look(id).catch((error: unknown) => logger.warn('following a record failed', { problem: describe(error) }))
  }

  async #look(id: Uint8Array): Promise<void> {
    const { book, directory, delivery } = this.#init
    const found = await directory.lookup(id)
    if (!found || this.#stopped) return
    await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.pin || compareHeads(found.identity.head, contact.pin) <= 0) return
      const changed = believe(contact, found.identity)
      await book.save(changed, (tx) => {
        if (contact.verified && !changed.verified) {
          tx.event('contact', { id: idToText(id), state: contact.state, verified: false, keyChanged: true })
        }
      })
      directory.pin(id, found.identity.head, found.identity.bytes)
      delivery.encourage(id)
    })
  }
}
