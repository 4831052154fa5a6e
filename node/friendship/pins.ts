/**
 * Which record of a contact is believed (PROTOCOL 2 and 4): pinned when a request is built or accepted, and followed when a
 * friend's messages name a newer one. A new root key has another safety number: it has to be compared again.
 */
import { isRelay } from '../delivery/direct-links.ts'
import { Transaction } from '../delivery/journal.ts'
import { describe } from '../errors.ts'
import { compareHeads } from '../identity/records.ts'
import type { Head } from '../wire/records.ts'
import type { Found } from '../directory/directory.ts'
import type { Timer } from '../ports.ts'
import { contactKey } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'
import { followKeys } from './key-changes.ts'

/** A friend's newer record is asked for at most this often, whatever their messages say. */
const FOLLOW_MS = 600_000

type PinsNeeds = 'clock' | 'logger' | 'journal' | 'directory' | 'delivery' | 'trust' | 'notice'
type PinsInit = Pick<FriendshipInit, PinsNeeds> & {
  book: ContactBook
  /** A newer record of this contact is believed. */
  onFollowed: (id: Uint8Array) => void
}

export class Pins {
  readonly #init: PinsInit
  /** When a newer record of a friend was last asked for. */
  readonly #followed = new Map<string, number>()
  /** Contacts of whom the directory has a newer record, and when one was last taken from it. */
  readonly #stored = new Map<string, Timer>()
  readonly #taken = new Map<string, number>()
  #stopped = false

  constructor(init: PinsInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#stored.values()) timer.cancel()
  }

  /** The directory has a newer record of a contact: it is followed, at most so often, and the last one in any case. */
  recordStored(id: Uint8Array): void {
    const { clock, directory, logger } = this.#init
    const key = contactKey(id)
    if (this.#stored.has(key) || this.#stopped) return
    const wait = FOLLOW_MS - sinceThen(this.#taken.get(key), clock.now())
    const take = (): void => {
      this.#stored.delete(key)
      this.#taken.set(key, clock.now())
      this.#take(id, directory.known(id)).catch((error: unknown) =>
        logger.warn('following a record failed', { problem: describe(error) }),
      )
    }
    this.#stored.set(key, clock.after(wait, take))
  }

  /** A friend's head that is newer than our pin is looked up. */
  follow(friend: Uint8Array, mine: Head): void {
    const contact = this.#init.book.get(friend)
    if (contact?.pin && compareHeads(mine, contact.pin) > 0) this.ask(contact.id)
  }

  /** Looks for a newer record of a friend than the believed one, unless that was done a moment ago. */
  ask(id: Uint8Array): void {
    const { clock, logger } = this.#init
    const now = clock.now()
    const key = contactKey(id)
    if (sinceThen(this.#followed.get(key), now) < FOLLOW_MS) return
    this.#followed.set(key, now)
    this.#look(id).catch((error: unknown) => logger.warn('following a record failed', { problem: describe(error) }))
  }

  async #look(id: Uint8Array): Promise<void> {
    const { book, directory, delivery } = this.#init
    const pin = book.get(id)?.pin
    if (!pin) return
    // the friend's relays have it although every peer of the DHT hides it
    await this.#take(id, await directory.lookupFrom(id, pin, delivery.status.serversOf(id).filter(isRelay)))
  }

  async #take(id: Uint8Array, found: Found | undefined): Promise<void> {
    const { book, directory, delivery, journal, onFollowed } = this.#init
    if (!found || this.#stopped) return
    await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.pin || compareHeads(found.identity.head, contact.pin) <= 0) return
      const tx = new Transaction()
      book.put(tx, followKeys(this.#init, tx, contact, found.identity))
      await journal.commit(tx)
      directory.pin(id, found.identity.head, found.identity.bytes)
      delivery.encourage(id)
      onFollowed(id)
    })
  }
}

/** Milliseconds since something was done, at most `FOLLOW_MS`: so much too if never, or if the clock was put back since. */
function sinceThen(at: number | undefined, now: number): number {
  return at === undefined || at > now ? FOLLOW_MS : Math.min(now - at, FOLLOW_MS)
}
