/**
 * What a person began to write and has not sent, one text for each conversation; nobody else is ever told. In memory as on
 * the disk, since lists of conversations show it.
 */
import { toHex, utf8 } from '../crypto/bytes.ts'
import type { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { MAX_DRAFTS, MAX_TEXT_BYTES } from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import { bytes, decode, encode, struct, text } from '../wire/schema.ts'

const NO_SCOPE = new Uint8Array(0)
const draftRow = struct({ conversation: [1, bytes(16)], text: [2, text(MAX_TEXT_BYTES)] })

export class Drafts {
  readonly #store: Store
  readonly #texts = new Map<string, string>()

  constructor(store: Store) {
    this.#store = store
  }

  async load(): Promise<void> {
    const rows = await this.#store.list({ table: TABLE.draft, scope: NO_SCOPE, limit: MAX_DRAFTS })
    for (const { value } of rows) {
      const draft = decode(draftRow, value, MAX_TEXT_BYTES + 64)
      this.#texts.set(toHex(draft.conversation), draft.text)
    }
  }

  get(conversation: Uint8Array): string | undefined {
    return this.#texts.get(toHex(conversation))
  }

  /**
   * Keeps `content` in place of what was there; an empty one takes it away. Alone: one call at a time of a conversation.
   * @param conversation 16 bytes
   * @returns whether anything changed
   * @throws UsageError `TOO_LONG`, `TOO_MANY`
   */
  set(tx: Transaction, conversation: Uint8Array, content: string): boolean {
    const key = toHex(conversation)
    const before = this.#texts.get(key)
    if (content === (before ?? '')) return false
    const size = utf8(content).length
    if (size > MAX_TEXT_BYTES) {
      throw new UsageError('TOO_LONG', `expected a draft of at most ${MAX_TEXT_BYTES} bytes, got ${size}`)
    }
    if (before === undefined && this.#texts.size >= MAX_DRAFTS) {
      throw new UsageError('TOO_MANY', `there are ${MAX_DRAFTS} drafts already`, { hint: 'send or empty one first' })
    }
    const position = this.#store.blind(conversation)
    if (content === '') tx.delete(TABLE.draft, NO_SCOPE, position)
    else tx.put(TABLE.draft, NO_SCOPE, position, encode(draftRow, { conversation, text: content }))
    this.#put(key, content)
    tx.onRollback(() => this.#put(key, before ?? ''))
    return true
  }

  #put(key: string, content: string): void {
    if (content === '') this.#texts.delete(key)
    else this.#texts.set(key, content)
  }
}
