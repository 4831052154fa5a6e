/**
 * Our consent on its way (PROTOCOL 7): leg 2 is put in the reply mailbox of the one who asked, and again at each start and
 * with each sweep, until their first message shows that it arrived.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { hmacSha256 } from '../crypto/hash.ts'
import type { Transaction } from '../delivery/journal.ts'
import * as limits from '../limits.ts'
import { friendMailbox, KIND } from '../mailbox/keys.ts'
import { type Contact, contactKey } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import { type FriendshipInit, replyName } from './contract.ts'

const DAY = 86_400

type RepliesInit = Pick<FriendshipInit, 'courier' | 'delivery' | 'protocolTime'> & { book: ContactBook }

export class Replies {
  readonly #init: RepliesInit
  /** Servers at which answers lie, as far as this run knows: by answer and peer ID. */
  readonly #placed = new Set<string>()

  constructor(init: RepliesInit) {
    this.#init = init
  }

  /** Puts the answer of this contact, if there is one, in place of any former one. */
  dispatch({ id, reply }: Contact): void {
    if (!reply) return
    const { book, courier, protocolTime } = this.#init
    courier.set({
      name: replyName(contactKey(id)),
      kind: KIND.friend,
      servers: [
        ...reply.relays.slice(0, limits.MAX_CUSTODY_RELAYS),
        ...(reply.direct === undefined ? [] : [reply.direct]),
      ],
      keysAt: (server) => friendMailbox(reply.secret, server),
      pending: async (server) => {
        const current = book.get(id)?.reply
        if (!current || this.#placed.has(placeName(current.leg, server))) return []
        const expires = Math.floor(protocolTime()) + limits.MAX_ENVELOPE_DAYS * DAY
        return [{ bytes: current.leg, expires, stored: (at) => this.#stored(id, current.leg, at) }]
      },
    })
  }

  /** Leaves every answer once more: one that lies at a relay may have expired or got lost there. */
  dispatchAgain(): void {
    this.#placed.clear()
    for (const { id, reply } of this.#init.book.all()) {
      if (reply) this.#init.courier.nudge(replyName(contactKey(id)))
    }
  }

  /** The answer is needed no more. */
  recall(id: Uint8Array): void {
    this.#init.courier.remove(replyName(contactKey(id)))
  }

  /** They answered: leg 2 arrived. */
  arrived(tx: Transaction, contact: Contact): void {
    const since = Math.floor(this.#init.protocolTime())
    this.#init.book.put(tx, { ...contact, reply: undefined, since })
    tx.afterCommit(() => this.recall(contact.id))
  }

  async #stored(id: Uint8Array, leg: Uint8Array, server: Uint8Array): Promise<void> {
    const { book, delivery } = this.#init
    await delivery.exclusively(id, async () => {
      const contact = book.get(id)
      if (!contact?.reply || !equal(contact.reply.leg, leg)) return
      this.#placed.add(placeName(leg, server))
      if (contact.reply.storedAt.some((known) => equal(known, server))) return
      await book.save({ ...contact, reply: { ...contact.reply, storedAt: [...contact.reply.storedAt, server] } })
    })
  }
}

/** Names an answer at a server. */
function placeName(leg: Uint8Array, server: Uint8Array): string {
  return toHex(hmacSha256(leg, server))
}
