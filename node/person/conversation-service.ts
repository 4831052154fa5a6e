/** What the API offers of conversations: the list of them, pages, what is read, and what was begun. */
import type {
  ConversationView,
  DeliveryState,
  HistoryEntry,
  HistoryOptions,
  NodeService,
  SearchResult,
} from '../api/service.ts'
import type { HistoryMessage } from '../conversation/history.ts'
import { fromHex, toHex } from '../crypto/bytes.ts'
import { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { type Contact, isFriend } from '../friendship/contact.ts'
import { idToText } from '../identity/root.ts'
import { MAX_SEARCHED_MESSAGES } from '../limits.ts'
import type { ContactService } from './contact-service.ts'
import type { Parts } from './parts.ts'

type ConversationParts = Pick<Parts, 'self' | 'friendship' | 'conversations' | 'delivery' | 'journal'>
type ConversationMethods = 'history' | 'search' | 'conversations' | 'markRead' | 'setDraft'

export class ConversationService implements Pick<NodeService, ConversationMethods> {
  readonly #parts: ConversationParts
  readonly #contacts: ContactService

  constructor(parts: ConversationParts, contacts: ContactService) {
    this.#parts = parts
    this.#contacts = contacts
  }

  async history({ who, limit, before, after, search, markRead }: HistoryOptions): Promise<HistoryEntry[]> {
    const { friendship, conversations } = this.#parts
    const contact = friendship.resolve(who)
    const messages = await conversations.history.page(conversations.conversationWith(contact.id), {
      limit,
      ...(before !== undefined && { before: parseMessageId(before) }),
      ...(after !== undefined && { after: parseMessageId(after) }),
      ...(search !== undefined && { search }),
    })
    if (markRead) await this.#markRead(contact)
    return messages.map((message) => this.#entry(contact, message))
  }

  async conversations(): Promise<ConversationView[]> {
    const views: { view: ConversationView; active: number }[] = []
    for (const contact of this.#parts.friendship.all()) {
      const newest = await this.#parts.conversations.history.newest(this.#conversationOf(contact))
      if (!newest && !isFriend(contact)) continue
      views.push({
        view: await this.#view(contact, newest),
        active: newest?.receivedAt ?? (contact.since ?? 0) * 1000,
      })
    }
    return views
      .toSorted((a, b) => b.active - a.active || (a.view.petname < b.view.petname ? -1 : 1))
      .map(({ view }) => view)
  }

  async search({ query, who, limit }: { query: string; who?: string; limit: number }): Promise<SearchResult> {
    const { friendship, conversations } = this.#parts
    const needle = query.toLowerCase()
    const budget = { rows: MAX_SEARCHED_MESSAGES }
    const contacts = who === undefined ? await this.#byActivity() : [friendship.resolve(who)]
    const found: SearchResult['messages'] = []
    for (const contact of contacts) {
      const options = { needle, limit, budget }
      const messages = await conversations.history.search(this.#conversationOf(contact), options)
      found.push(...messages.map((message) => ({ ...this.#entry(contact, message), id: idToText(contact.id) })))
    }
    const messages = found.toSorted((a, b) => b.receivedAt - a.receivedAt).slice(0, limit)
    return { messages, complete: budget.rows > 0 }
  }

  /** Who wrote or was written to last comes first. */
  async #byActivity(): Promise<Contact[]> {
    const { friendship, conversations } = this.#parts
    const active = new Map<Contact, number>()
    for (const contact of friendship.all()) {
      const newest = await conversations.history.newest(this.#conversationOf(contact))
      if (newest) active.set(contact, newest.receivedAt)
    }
    return [...active].toSorted(([, a], [, b]) => b - a).map(([contact]) => contact)
  }

  async markRead(who: string, upTo?: string): Promise<{ unread: number }> {
    const { friendship, conversations } = this.#parts
    const contact = friendship.resolve(who)
    await this.#markRead(contact, upTo === undefined ? undefined : parseMessageId(upTo))
    return { unread: conversations.unread(contact.id) }
  }

  async setDraft(who: string, text: string): Promise<void> {
    const { friendship, conversations, delivery, journal } = this.#parts
    const contact = friendship.resolve(who)
    await delivery.exclusively(contact.id, async () => {
      const tx = new Transaction()
      if (!conversations.drafts.set(tx, this.#conversationOf(contact), text)) return
      tx.event('draft', { id: idToText(contact.id) })
      await journal.commit(tx)
    })
  }

  async #markRead(contact: Contact, upTo?: Uint8Array): Promise<void> {
    const { conversations, delivery, journal } = this.#parts
    if (upTo === undefined && conversations.unread(contact.id) === 0) return
    await delivery.exclusively(contact.id, async () => {
      const tx = new Transaction()
      await conversations.markRead(tx, contact.id, upTo)
      if (tx.changes.length > 0) await journal.commit(tx)
    })
  }

  async #view(contact: Contact, newest: HistoryMessage | undefined): Promise<ConversationView> {
    const { conversations } = this.#parts
    const conversation = this.#conversationOf(contact)
    const { reason: _reason, freshness: _freshness, ...person } = this.#contacts.view(contact)
    const firstUnread = await conversations.firstUnread(contact.id)
    const draft = conversations.drafts.get(conversation)
    return {
      conversation: toHex(conversation),
      ...person,
      ...(firstUnread && { firstUnread: toHex(firstUnread) }),
      ...(draft !== undefined && { draft }),
      ...(newest && { last: lastOf(this.#entry(contact, newest)) }),
    }
  }

  #conversationOf(contact: Contact): Uint8Array {
    return this.#parts.conversations.conversationWith(contact.id)
  }

  #entry(contact: Contact, message: HistoryMessage): HistoryEntry {
    const { self, delivery } = this.#parts
    const { messageId, direction, text, notice, sentAt, receivedAt, via, settled, reason, missing } = message
    const state: DeliveryState | undefined =
      settled ?? (direction === 'in' ? 'delivered' : delivery.status.stateOf(contact.id, messageId))
    return {
      messageId: toHex(messageId),
      conversation: toHex(this.#conversationOf(contact)),
      from: direction === 'in' ? idToText(contact.id) : self.idText,
      direction,
      type: notice === undefined ? (text === undefined ? 'unsupported' : 'text') : 'notice',
      text: text ?? '',
      sentAt,
      receivedAt,
      // a message that is neither in the outbox nor settled can only be one whose row is being written
      state: state ?? 'queued',
      ...(reason !== undefined && { reason }),
      ...(via !== undefined && { via }),
      ...(missing > 0 && { missing }),
    }
  }
}

function lastOf({ messageId, direction, from, type, text, sentAt, state }: HistoryEntry): ConversationView['last'] {
  return { messageId, direction, from, type, text, sentAt, state }
}

/** 16 bytes. @throws UsageError `UNKNOWN_MESSAGE` when it is not 32 hexadecimal digits */
export function parseMessageId(text: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/i.test(text)) {
    throw new UsageError('UNKNOWN_MESSAGE', 'expected a message ID of 32 hexadecimal digits')
  }
  return fromHex(text)
}
