/**
 * Where each conversation stands (PROTOCOL 4): its Lamport clock, the messages that nothing follows yet, the last position
 * told, and what is unread. In memory as soon as a transaction says so, since several messages of one batch follow one
 * another; taken back when the batch is not written.
 */
import { compare, toHex, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import type { Transaction } from '../delivery/journal.ts'
import { MAX_LATE_UNREAD, MAX_PARENTS } from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import { messageId } from '../wire/payload.ts'
import { bytesBetween, decode, encode, list, optional, struct, uint } from '../wire/schema.ts'
import type { Reading } from './reading.ts'

export interface Thread extends Reading {
  /** 16 bytes that both friends compute. */
  conversation: Uint8Array
  lamport: number
  /** Messages that nothing follows yet. */
  heads: Uint8Array[]
  /** Position of the last message in causal order. */
  last: Uint8Array
}

const THREADS = utf8('threads')
const threadRow = struct({
  lamport: [1, uint(2 ** 48)],
  heads: [2, list(messageId, MAX_PARENTS)],
  last: [3, bytesBetween(0, 16)],
  unread: [4, uint()],
  /** Absent in rows that were written when reading was all or nothing. */
  read: [5, optional(bytesBetween(0, 16))],
  late: [6, optional(list(bytesBetween(16, 16), MAX_LATE_UNREAD))],
})
const MAX_ROW_BYTES = 1024 + MAX_LATE_UNREAD * 20

export class Threads {
  readonly #store: Store
  readonly #selfId: Uint8Array
  readonly #threads = new Map<string, Thread>()

  /** @param init `selfId` of 32 bytes */
  constructor({ store, selfId }: { store: Store; selfId: Uint8Array }) {
    this.#store = store
    this.#selfId = selfId
  }

  /** @param markOf position behind which the given number of the friend's messages lie, for a row that names none */
  async load(
    friend: Uint8Array,
    markOf: (conversation: Uint8Array, unread: number) => Promise<Uint8Array>,
  ): Promise<void> {
    const conversation = this.conversationWith(friend)
    const position = this.#store.blind(conversation)
    const row = await this.#store.get({ table: TABLE.historyIndex, scope: THREADS, position })
    if (!row) return
    const { read, late = [], ...thread } = decode(threadRow, row, MAX_ROW_BYTES)
    const mark = read ?? (thread.unread === 0 ? thread.last : await markOf(conversation, thread.unread))
    this.#threads.set(toHex(friend), { conversation, ...thread, read: mark, late })
  }

  /** 16 bytes that both friends compute. */
  conversationWith(friend: Uint8Array): Uint8Array {
    const [low, high] = compare(this.#selfId, friend) < 0 ? [this.#selfId, friend] : [friend, this.#selfId]
    return sha256(L('conversation'), low, high).slice(0, 16)
  }

  get(friend: Uint8Array): Thread {
    return (
      this.#threads.get(toHex(friend)) ?? {
        conversation: this.conversationWith(friend),
        lamport: 0,
        heads: [],
        last: new Uint8Array(0),
        read: new Uint8Array(0),
        late: [],
        unread: 0,
      }
    )
  }

  put(tx: Transaction, friend: Uint8Array, thread: Thread): void {
    const { conversation, ...row } = thread
    tx.put(TABLE.historyIndex, THREADS, this.#store.blind(conversation), encode(threadRow, row))
    const key = toHex(friend)
    const old = this.#threads.get(key)
    this.#threads.set(key, thread)
    tx.onRollback(() => {
      if (old) this.#threads.set(key, old)
      else this.#threads.delete(key)
    })
  }
}
