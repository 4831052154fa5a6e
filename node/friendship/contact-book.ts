/**
 * The contact book: everybody who asked, was asked, is or was a friend, or is blocked (PROTOCOL 7). The rows and the memory of
 * them, changed together; who may change what, and when, is the other parts' work.
 */
import { equal, utf8 } from '../crypto/bytes.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { Store } from '../ports.ts'
import { type Contact, contactKey, findContacts, freePetname, loadContacts, putContact } from './contact.ts'

export class ContactBook {
  readonly #journal: Journal
  readonly #store: Store
  readonly #contacts = new Map<string, Contact>()

  constructor({ journal, store }: { journal: Journal; store: Store }) {
    this.#journal = journal
    this.#store = store
  }

  async load(): Promise<void> {
    for (const contact of await loadContacts(this.#store)) this.#contacts.set(contactKey(contact.id), contact)
  }

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

  /** The petname that the person chose for `id`. @throws UsageError `TOO_LONG`, `WRONG_STATE` when another has it */
  checkPetname(petname: string, id: Uint8Array): string {
    if (utf8(petname).length > limits.MAX_NAME_BYTES) {
      throw new UsageError('TOO_LONG', `expected a petname of at most ${limits.MAX_NAME_BYTES} bytes`)
    }
    const taken = this.all().some((one) => one.petname === petname && petname !== '' && !equal(one.id, id))
    if (taken) throw new UsageError('WRONG_STATE', 'another contact has this petname', { hint: 'choose one with --as' })
    return petname
  }

  /** A petname for `id` that nobody else has, made from what they call themselves. */
  freePetname(wanted: string, id: Uint8Array): string {
    return freePetname(this.all(), wanted, id)
  }

  /** Writes a contact as it will be after the transaction. */
  put(tx: Transaction, contact: Contact): void {
    putContact(tx, this.#store, contact)
    tx.afterCommit(() => this.#contacts.set(contactKey(contact.id), contact))
  }

  /** One durable step with `contact` as it is after it, and what `more` adds. */
  async save(contact: Contact, more?: (tx: Transaction) => void): Promise<Contact> {
    const tx = new Transaction()
    this.put(tx, contact)
    more?.(tx)
    await this.#journal.commit(tx)
    return contact
  }
}
