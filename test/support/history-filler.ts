/** Fills the history of a home whose node is down with messages of a friend's, as the conversation itself writes them. */
import { readFile } from 'node:fs/promises'
import { Conversations } from '../../node/conversation/conversation.ts'
import { toHex } from '../../node/crypto/bytes.ts'
import { Transaction } from '../../node/delivery/journal.ts'
import { idFromText } from '../../node/identity/root.ts'
import { PROTOCOL_VERSION } from '../../node/limits.ts'
import type { RowChange, Store } from '../../node/ports.ts'
import { openHome } from '../../node/store/home.ts'
import { systemClock, systemRandom } from '../../node/system.ts'
import { PAYLOAD_TYPE, type Payload, payload, payloadMessageId, textBody } from '../../node/wire/payload.ts'
import { encode } from '../../node/wire/schema.ts'
import type { KithProcess } from './kith-process.ts'

const BATCH = 500
const HEAD = { events: 1, seq: 1, hash: new Uint8Array(32) }

export class HistoryFiller {
  readonly #node: KithProcess
  readonly #self: Uint8Array
  readonly #friend: Uint8Array
  #filled = 0

  constructor(node: KithProcess, self: string, friend: string) {
    this.#node = node
    this.#self = idFromText(self)
    this.#friend = idFromText(friend)
  }

  /** Until there are `size` messages; the ID of the one in the middle. */
  async fill(size: number): Promise<string> {
    await this.#node.stop()
    const passphrase = (await readFile(this.#node.passphraseFile, 'utf8')).trim()
    const { store } = await openHome({
      path: this.#node.home,
      role: 'node',
      unlock: { passphrase },
      random: systemRandom,
    })
    try {
      return await this.#fillStore(store, size)
    } finally {
      await store.close()
    }
  }

  async #fillStore(store: Store, size: number): Promise<string> {
    const conversations = new Conversations({ store, random: systemRandom, clock: systemClock, selfId: this.#self })
    const middleAt = Math.floor((this.#filled + size) / 2)
    let middle = ''
    while (this.#filled < size) {
      const tx = new Transaction()
      for (let i = 0; i < BATCH && this.#filled < size; i++) {
        const one = this.#message(conversations.conversationWith(this.#friend))
        const encoded = encode(payload, one)
        const messageId = payloadMessageId(encoded)
        if (this.#filled === middleAt) middle = toHex(messageId)
        const incoming = { messageId, payload: one, encoded, via: 'relay' as const, receivedAt: one.sentAt }
        conversations.apply(tx, this.#friend, incoming)
      }
      // as a journal writes them, but for the log of events and for rows that a later one of the batch replaces
      const rows = new Map(tx.changes.map((change) => [keyOf(change), change]))
      await store.write([...rows.values()])
    }
    return middle
  }

  #message(conversation: Uint8Array): Payload {
    this.#filled++
    return {
      version: PROTOCOL_VERSION,
      type: PAYLOAD_TYPE.text,
      salt: systemRandom.bytes(16),
      conversation,
      lamport: this.#filled,
      parents: [],
      sentAt: systemClock.now(),
      body: encode(textBody, { text: `message ${this.#filled} ${'x'.repeat(200)}` }),
      lifetime: 86_400,
      mine: HEAD,
    }
  }
}

function keyOf({ key: { table, scope, position } }: RowChange): string {
  return [String(table), toHex(scope), toHex(position)].join('/')
}
