/**
 * Conversations: what people see (PROTOCOL 4), and the handler of what delivery opens. The order of two messages is (Lamport
 * clock, blinded message ID); no wall clock takes part in it. Rows and pages are `history.ts`, where each conversation stands
 * is `threads.ts`.
 */
import { compare, concat, equal, toHex, utf8 } from '../crypto/bytes.ts'
import type { IncomingPayload, PayloadHandler } from '../delivery/contract.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import type { Friendship } from '../friendship/friendship.ts'
import type { KeyNotice } from '../friendship/key-changes.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import type { Clock, Random, Store } from '../ports.ts'
import {
  MAX_PAYLOAD_BYTES,
  PAYLOAD_TYPE,
  type Payload,
  payload as payloadShape,
  type ProfileBody,
  profileBody,
  textBody,
} from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import { decode, encode } from '../wire/schema.ts'
import { Drafts } from './drafts.ts'
import { History, textIn } from './history.ts'
import { withArrived, withRead } from './reading.ts'
import { SendKeys } from './send-keys.ts'
import { type Thread, Threads } from './threads.ts'

export interface ConversationInit {
  store: Store
  random: Random
  clock: Clock
  /** 32 bytes. */
  selfId: Uint8Array
}

/** Seconds: a year. */
const TEXT_LIFETIME = 365 * 86_400
/** A friend's clock moves ours by at most this: nobody brings it to its end. */
const MAX_LAMPORT_STEP = 2 ** 32

/** Note that travels with an outgoing message through the outbox: its conversation and its position. */
const REFERENCE_BYTES = 32

export class Conversations implements PayloadHandler {
  readonly #init: ConversationInit
  readonly #selfId: Uint8Array
  readonly #threads: Threads
  readonly history: History
  readonly drafts: Drafts
  readonly #sendKeys: SendKeys
  /** Message before the one that is being applied, when that one belongs before what was told already. */
  readonly #before = new Map<string, string>()
  #delivery: Delivery | undefined
  #friendship: Friendship | undefined

  constructor(init: ConversationInit) {
    this.#init = init
    this.#selfId = init.selfId
    this.#threads = new Threads(init)
    this.history = new History(init.store)
    this.drafts = new Drafts(init.store)
    this.#sendKeys = new SendKeys(init)
  }

  async start(delivery: Delivery, friendship: Friendship): Promise<void> {
    this.#delivery = delivery
    this.#friendship = friendship
    const markOf = async (conversation: Uint8Array, unread: number): Promise<Uint8Array> =>
      await this.history.positionBefore(conversation, unread)
    for (const { id } of friendship.all()) await this.#threads.load(id, markOf)
    await this.drafts.load()
  }

  /** 16 bytes that both friends compute. */
  conversationWith(friend: Uint8Array): Uint8Array {
    return this.#threads.conversationWith(friend)
  }

  unread(friend: Uint8Array): number {
    return this.#threads.get(friend).unread
  }

  /** Message ID of the first message of a friend's that is unread. */
  async firstUnread(friend: Uint8Array): Promise<Uint8Array | undefined> {
    const { conversation, read, late, unread } = this.#threads.get(friend)
    if (unread === 0) return undefined
    return late[0] ? await this.history.idAt(conversation, late[0]) : await this.history.firstIn(conversation, read)
  }

  // ---- out ----

  /**
   * As `sendText`, once for each key.
   * @param mayBegin throws when nothing new may be sent; what was sent before is answered all the same
   * @throws UsageError as `sendText`, `IDEMPOTENCY_CONFLICT`
   */
  async sendTextOnce(friend: Uint8Array, content: string, key: string, mayBegin: () => void): Promise<Uint8Array> {
    return await this.#sendKeys.once({ key, friend, content }, async (remember) => {
      mayBegin()
      return await this.sendText(friend, content, remember)
    })
  }

  /** Sends text. @throws UsageError `NOT_A_FRIEND`, `TOO_LONG`, `EMPTY`, `TOO_MANY` */
  async sendText(
    friend: Uint8Array,
    content: string,
    remember?: (tx: Transaction, message: Uint8Array) => void,
  ): Promise<Uint8Array> {
    const size = utf8(content).length
    if (size === 0) throw new UsageError('EMPTY', 'there is no text to send')
    if (!content.isWellFormed()) throw new UsageError('BAD_TEXT', 'the text is not valid unicode')
    if (size > limits.MAX_TEXT_BYTES) {
      throw new UsageError('TOO_LONG', `expected a text of at most ${limits.MAX_TEXT_BYTES} bytes, got ${size}`)
    }
    const body = encode(textBody, { text: content })
    const { messageId: id } = await this.#delivery!.send(friend, () => {
      const thread = this.#threads.get(friend)
      const lamport = Math.min(thread.lamport + 1, limits.MAX_LAMPORT)
      return {
        type: PAYLOAD_TYPE.text,
        conversation: thread.conversation,
        lamport,
        parents: thread.heads,
        body,
        lifetime: TEXT_LIFETIME,
        reference: (message) => concat(thread.conversation, this.history.position(lamport, message)),
        record: (tx, message, encoded) => {
          const sentAt = decode(payloadShape, encoded, MAX_PAYLOAD_BYTES).sentAt
          const position = this.history.position(lamport, message)
          this.history.put(tx, thread.conversation, position, {
            messageId: message,
            direction: 'out',
            payload: encoded,
            receivedAt: sentAt,
          })
          this.#threads.put(tx, friend, { ...thread, lamport, heads: [message], last: later(thread.last, position) })
          remember?.(tx, message)
          tx.event('message', {
            messageId: toHex(message),
            conversation: toHex(thread.conversation),
            from: idToText(this.#selfId),
            to: idToText(friend),
            direction: 'out',
            type: 'text',
            text: content,
            sentAt,
          })
        },
      }
    })
    return id
  }

  /** Tells a friend name, relays and addresses; in no history. */
  async sendProfile(friend: Uint8Array, profile: ProfileBody): Promise<void> {
    await this.#delivery!.send(friend, () => {
      const thread = this.#threads.get(friend)
      return {
        type: PAYLOAD_TYPE.profile,
        conversation: thread.conversation,
        lamport: thread.lamport,
        parents: [],
        body: encode(profileBody, profile),
        lifetime: TEXT_LIFETIME,
        reference: () => new Uint8Array(0),
        record: () => undefined,
      }
    })
  }

  /** Says in a conversation, to this person alone, what happened to keys. */
  notice(tx: Transaction, friend: Uint8Array, notice: KeyNotice): void {
    const { random, clock } = this.#init
    const thread = this.#threads.get(friend)
    // behind all that is here; what is written next follows it
    const lamport = Math.min(thread.lamport + 1, limits.MAX_LAMPORT)
    const messageId = random.bytes(16)
    const position = this.history.position(lamport, messageId)
    this.history.putNotice(tx, thread.conversation, position, { messageId, notice, at: clock.now() })
    this.#threads.put(tx, friend, { ...thread, lamport, last: later(thread.last, position) })
  }

  // ---- in: the handler of delivery ----

  async isKnown(id: Uint8Array): Promise<boolean> {
    return await this.history.isKnown(id)
  }

  async prepare(friend: Uint8Array, incoming: IncomingPayload): Promise<void> {
    const { payload } = incoming
    if (!payload || !isShown(payload)) return
    const thread = this.#threads.get(friend)
    const position = this.history.position(lamportOf(thread, payload), incoming.messageId)
    if (compare(position, thread.last) > 0) return
    const before = await this.history.before(thread.conversation, position)
    this.#before.set(toHex(incoming.messageId), before ? toHex(before) : '')
  }

  apply(tx: Transaction, friend: Uint8Array, incoming: IncomingPayload): void {
    const { payload } = incoming
    if (payload?.type === PAYLOAD_TYPE.profile) {
      this.#applyProfile(tx, friend, payload)
      // known from here on, without a place in the history
      this.history.putUnplaced(tx, incoming.messageId)
      return
    }
    this.#applyMessage(tx, friend, incoming, payload)
  }

  settled(
    tx: Transaction,
    friend: Uint8Array,
    message: { messageId: Uint8Array; type: number; reference: Uint8Array; trail: Uint8Array },
    state: 'delivered' | 'expired' | 'failed',
    reason?: string,
  ): void {
    if (message.reference.length !== REFERENCE_BYTES) return
    const conversation = message.reference.slice(0, 16)
    const position = message.reference.slice(16)
    const { messageId: id, trail } = message
    this.history.putSettled(tx, { messageId: id, conversation, position, trail }, state, reason)
    tx.event('state', { messageId: toHex(id), to: idToText(friend), state, ...(reason && { reason }) })
  }

  confirmed(tx: Transaction, friend: Uint8Array): void {
    this.#friendship!.confirmed(tx, friend)
  }

  behind(tx: Transaction, friend: Uint8Array): void {
    this.#friendship!.behind(tx, friend)
  }

  unreadable(friend: Uint8Array): void {
    this.#friendship!.ailing(friend)
  }

  contradiction(tx: Transaction, friend: Uint8Array): void {
    tx.event('alarm', { kind: 'session', id: idToText(friend) })
  }

  heads(friend: Uint8Array, said: { mine: Head; yours: Head | undefined; sentAt: number }): void {
    this.#friendship!.heads(friend, said)
  }

  // ---- looking ----

  /**
   * Marks what a friend wrote as read here, up to a message or all of it. The caller holds the friend's queue.
   * @throws UsageError `UNKNOWN_MESSAGE`
   */
  async markRead(tx: Transaction, friend: Uint8Array, upTo?: Uint8Array): Promise<void> {
    const thread = this.#threads.get(friend)
    const { conversation, last, unread } = thread
    const to = upTo ? await this.history.placeOf(conversation, upTo) : last
    if (unread === 0) return
    const reading = equal(to, last)
      ? { read: last, late: [], unread: 0 }
      : await withRead(thread, to, (after, end) => this.history.countIn(conversation, after, end))
    if (reading.unread === unread) return
    this.#threads.put(tx, friend, { ...thread, ...reading })
    tx.event('read', { id: idToText(friend), conversation: toHex(conversation), unread: reading.unread })
  }

  // ---- what was opened ----

  /** What cannot be read, or names a conversation that is not known here, has its place too: shown as unsupported. */
  #applyMessage(tx: Transaction, friend: Uint8Array, incoming: IncomingPayload, payload: Payload | undefined): void {
    const thread = this.#threads.get(friend)
    const { messageId: id, via, receivedAt } = incoming
    const lamport = lamportOf(thread, payload)
    const position = this.history.position(lamport, id)
    const parents = new Set((payload?.parents ?? []).map(toHex))
    const heads = [...thread.heads.filter((head) => !parents.has(toHex(head))), id].slice(-limits.MAX_PARENTS)
    this.history.put(tx, thread.conversation, position, {
      messageId: id,
      direction: 'in',
      payload: incoming.encoded,
      receivedAt,
      via,
    })
    this.#threads.put(tx, friend, {
      ...thread,
      lamport: Math.max(thread.lamport, lamport),
      heads,
      last: later(thread.last, position),
      ...withArrived(thread, position),
    })
    const content = payload && textIn(payload, thread.conversation)
    const after = this.#before.get(toHex(id))
    this.#before.delete(toHex(id))
    tx.event('message', {
      messageId: toHex(id),
      conversation: toHex(thread.conversation),
      from: idToText(friend),
      direction: 'in',
      type: content === undefined ? 'unsupported' : 'text',
      text: content ?? '',
      sentAt: payload?.sentAt ?? receivedAt,
      via,
      ...(after !== undefined && { after }),
    })
  }

  #applyProfile(tx: Transaction, friend: Uint8Array, payload: Payload): void {
    try {
      this.#friendship!.applyProfile(tx, friend, decode(profileBody, payload.body, MAX_PAYLOAD_BYTES))
    } catch {
      // a profile that this version cannot read changes nothing
    }
  }
}

/** Whether a payload has a place in the history. */
function isShown(payload: Payload): boolean {
  return payload.type !== PAYLOAD_TYPE.profile && payload.type !== PAYLOAD_TYPE.receipt
}

/** Where a friend's message stands in the order; their clock cannot leave ours behind for ever. */
function lamportOf(thread: Thread, payload: Payload | undefined): number {
  return Math.min(payload?.lamport ?? thread.lamport, thread.lamport + MAX_LAMPORT_STEP)
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compare(a, b) >= 0 ? a : b
}
