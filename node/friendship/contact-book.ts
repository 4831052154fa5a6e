/**
 * The contact book: everybody who asked, was asked, is or was a friend, or is blocked (PROTOCOL 7). The rows and the memory of
 * them, changed together; who may change what, and when, is the other parts' work.
 */
import { utf8 } from '../crypto/bytes.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import * as limits from '../limits.ts'
import type { Store } from '../ports.ts'
import {
  type Contact,
  contactKey,
  deleteContact,
  findContacts,
  freePetname,
  loadContacts,
  putContact,
} from './contact.ts'

export class ContactBook {
  readonly #journal: Journal
  readonly #store: Store
  readonly #contacts = new Map<string, Contact>()
  /** Contacts as transactions that are not written yet leave them. */
  readonly #staged = new WeakMap<Transaction, Map<string, Contact>>()
  /** Petnames on their way to the disk, and whose: two people must not get one at the same time. */
  readonly #reserved = new Map<string, string>()

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

  /** The contact as it is, or as it will be after the transaction. */
  get(id: Uint8Array, tx?: Transaction): Contact | undefined {
    const key = contactKey(id)
    return (tx && this.#staged.get(tx)?.get(key)) ?? this.#contacts.get(key)
  }

  /** @throws UsageError `UNKNOWN_FRIEND` or `AMBIGUOUS` */
  resolve(who: string): Contact {
    const contact = onlyOne(findContacts(this.all(), who))
    if (!contact) throw new UsageError('UNKNOWN_FRIEND', 'no contact matches', { hint: '`kith friends` lists them' })
    return contact
  }

  /**
   * Somebody who asks: by petname or ID, or by the name they claim when that fits nobody else who asks.
   * @throws UsageError `AMBIGUOUS`
   */
  findRequester(who: string): Contact | undefined {
    const asking = this.all().filter((one) => one.asking)
    const found = findContacts(asking, who)
    return onlyOne(found.length > 0 ? found : asking.filter((one) => one.asking!.request.request.name === who))
  }

  /** The petname that the person chose for `id`. @throws UsageError `TOO_LONG`, `WRONG_STATE` when another has it */
  checkPetname(petname: string, id: Uint8Array): string {
    if (utf8(petname).length > limits.MAX_NAME_BYTES) {
      throw new UsageError('TOO_LONG', `expected a petname of at most ${limits.MAX_NAME_BYTES} bytes`)
    }
    if (petname !== '' && this.#othersPetnames(id).has(petname)) {
      throw new UsageError('WRONG_STATE', 'another contact has this petname', { hint: 'choose one with --as' })
    }
    return petname
  }

  /** A petname for `id` that nobody else has, made from what they call themselves. */
  freePetname(wanted: string, id: Uint8Array): string {
    return freePetname(this.#othersPetnames(id), wanted, id)
  }

  #othersPetnames(id: Uint8Array): Set<string> {
    const key = contactKey(id)
    const others = [...this.#contacts].filter(([other]) => other !== key).map(([, contact]) => contact.petname)
    const reserved = [...this.#reserved].filter(([, other]) => other !== key).map(([petname]) => petname)
    return new Set([...others, ...reserved])
  }

  /** Writes a contact as it will be after the transaction. Of somebody who never was anything no row is kept. */
  put(tx: Transaction, contact: Contact): void {
    const key = contactKey(contact.id)
    const isNobody = contact.state === 'none' && contact.petname === '' && contact.rekey === 0 && !contact.pin
    if (isNobody) deleteContact(tx, this.#store, contact.id)
    else putContact(tx, this.#store, contact)
    this.#reserve(tx, contact.petname, key)
    const staged = this.#staged.get(tx) ?? new Map<string, Contact>()
    this.#staged.set(tx, staged.set(key, contact))
    tx.afterCommit(() => (isNobody ? this.#contacts.delete(key) : this.#contacts.set(key, contact)))
  }

  #reserve(tx: Transaction, petname: string, key: string): void {
    if (petname === '' || this.#reserved.has(petname)) return
    this.#reserved.set(petname, key)
    const free = (): boolean => this.#reserved.delete(petname)
    tx.afterCommit(free)
    tx.onRollback(free)
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

function onlyOne(found: readonly Contact[]): Contact | undefined {
  if (found.length > 1) {
    throw new UsageError('AMBIGUOUS', `${found.length} contacts match`, { hint: 'give more of the ID' })
  }
  return found[0]
}
