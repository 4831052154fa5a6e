/** What the API offers of people: who asks, who is a friend, whose safety number was compared. */
import type { ContactState, ContactView, NodeService, RequestView, SafetyNumberView } from '../api/service.ts'
import { type Contact, isUnaccepted } from '../friendship/contact.ts'
import { claimOf } from '../friendship/incoming-requests.ts'
import { idToText } from '../identity/root.ts'
import type { Parts } from './parts.ts'

type ContactMethods =
  | 'add'
  | 'requests'
  | 'accept'
  | 'decline'
  | 'block'
  | 'unfriend'
  | 'friends'
  | 'rename'
  | 'verify'
  | 'trust'

/** In front of the digits in a QR code: whoever scans it elsewhere sees what it is. */
const CODE_PREFIX = 'KITH-SAFETY:'

export class ContactService implements Pick<NodeService, ContactMethods> {
  readonly #parts: Pick<Parts, 'friendship' | 'delivery' | 'conversations'>

  constructor(parts: Pick<Parts, 'friendship' | 'delivery' | 'conversations'>) {
    this.#parts = parts
  }

  async add(options: {
    target: string
    petname?: string
    note?: string
  }): Promise<{ id: string; state: ContactState; reason?: string }> {
    return this.#stateOf(await this.#parts.friendship.add(options))
  }

  async requests(): Promise<RequestView[]> {
    return this.#parts.friendship
      .all()
      .flatMap((contact) =>
        contact.asking
          ? [{ id: idToText(contact.id), ...claimOf(contact.asking.request), receivedAt: contact.asking.receivedAt }]
          : [],
      )
      .toSorted((a, b) => a.receivedAt - b.receivedAt)
  }

  async accept(who: string, petname?: string): Promise<{ id: string; state: ContactState }> {
    const { friendship } = this.#parts
    return this.#stateOf(await friendship.accept(friendship.resolveRequester(who), petname))
  }

  async decline(who: string): Promise<{ id: string; state: ContactState }> {
    const { friendship } = this.#parts
    return this.#stateOf(await friendship.decline(friendship.resolveRequester(who)))
  }

  async block(who: string): Promise<{ id: string; state: ContactState }> {
    const { friendship } = this.#parts
    return this.#stateOf(await friendship.end(friendship.resolveAnybody(who), true))
  }

  async unfriend(who: string): Promise<{ id: string; state: ContactState }> {
    const { friendship } = this.#parts
    return this.#stateOf(await friendship.end(friendship.resolve(who), false))
  }

  async friends(): Promise<ContactView[]> {
    return this.#parts.friendship
      .all()
      .filter((contact) => contact.state !== 'none')
      .map((contact) => this.view(contact))
      .toSorted((a, b) => (a.petname < b.petname ? -1 : 1))
  }

  async rename(who: string, petname: string): Promise<ContactView> {
    const { friendship } = this.#parts
    return this.view(await friendship.rename(friendship.resolve(who), petname))
  }

  /** What the API says of one contact. */
  view(contact: Contact): ContactView {
    const { delivery, conversations } = this.#parts
    return {
      id: idToText(contact.id),
      petname: contact.petname,
      name: contact.name,
      state: contact.state,
      ...this.#reasonOf(contact),
      verified: this.#isVerified(contact),
      trust: this.#trustOf(contact),
      ...(isUnaccepted(contact) && { keysChanged: true as const }),
      ...(contact.isUnconfirmed && { freshness: 'unconfirmed' as const }),
      online: delivery.status.isOnline(contact.id),
      unread: conversations.unread(contact.id),
    }
  }

  async verify(who: string, confirm?: { number?: string }): Promise<SafetyNumberView> {
    const { friendship } = this.#parts
    const contact = friendship.resolve(who)
    const safetyNumber = friendship.keys.safetyNumber(contact)
    const compared = confirm ? await friendship.keys.verify(contact, confirm.number) : contact
    return { safetyNumber, code: `${CODE_PREFIX}${safetyNumber}`, verified: this.#isVerified(compared) }
  }

  async trust(who: string): Promise<{ id: string; state: ContactState; verified: boolean }> {
    const { friendship } = this.#parts
    const contact = await friendship.keys.accept(friendship.resolve(who))
    return { ...this.#stateOf(contact), verified: this.#isVerified(contact) }
  }

  #trustOf(contact: Contact): ContactView['trust'] {
    if (this.#isVerified(contact)) return 'verified'
    return contact.keyChange?.wasVerified === true ? 'changed' : 'unverified'
  }

  #stateOf(contact: Contact): { id: string; state: ContactState; reason?: string } {
    return { id: idToText(contact.id), state: contact.state, ...this.#reasonOf(contact) }
  }

  /** Why a request was given up, or what it waits for. */
  #reasonOf(contact: Contact): { reason?: string } {
    if (contact.reason !== undefined) return { reason: contact.reason }
    return this.#parts.friendship.isSought(contact) ? { reason: 'their records were not found yet' } : {}
  }

  /** An older home may hold what was taken back since: while it is in doubt nobody is shown as verified. */
  #isVerified(contact: Contact): boolean {
    const why = this.#parts.delivery.status.behind(contact.id)
    return contact.verified && why !== 'home' && why !== 'friend'
  }
}
