/**
 * Conversations: what people see (PROTOCOL 4). Writes history rows in causal order, and is the handler of what delivery
 * opens. The order of two messages is (Lamport clock, blinded message ID); no wall clock takes part in it.
 */
import { compare, concat, equal, toHex, u64, utf8 } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import type { IncomingPayload, PayloadHandler } from '../delivery/contract.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { Transaction } from '../delivery/journal.ts'
import { decodeTrail, MAX_TRAIL_BYTES, trailBytes, type TrailRow } from '../delivery/trail.ts'
import { UsageError } from '../errors.ts'
import type { Friendship } from '../friendship/friendship.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import {
  messageId,
  PAYLOAD_TYPE,
  type Payload,
  payload as payloadShape,
  MAX_PAYLOAD_BYTES,
  type ProfileBody,
  profileBody,
  textBody,
} from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, list, optional, struct, text, uint } from '../wire/schema.ts'

/** A message as the history holds it. */
export interface HistoryMessage {
  messageId: Uint8Array
  direction: 'in' | 'out'
  /** Undefined for what this version cannot show. */
  text: string | undefined
  /** Milliseconds. */
  sentAt: number
  receivedAt: number
  via: (typeof VIA)[number] | undefined
  /** Final state, or undefined while it is on its way. */
  settled: 'delivered' | 'expired' | 'failed' | undefined
  reason: string | undefined
}

export interface ConversationInit {
  store: Store
  /** 32 bytes. */
  selfId: Uint8Array
}

interface Thread {
  conversation: Uint8Array
  lamport: number
  /** Messages that nothing follows yet. */
  heads: Uint8Array[]
  /** Position of the last message in causal order. */
  last: Uint8Array
  unread: number
}

const NO_SCOPE = new Uint8Array(0)
const THREADS = utf8('threads')
const SETTLED = ['delivered', 'expired', 'failed'] as const
const VIA = ['gossip', 'relay', 'direct'] as const
/** Seconds: a year. */
const TEXT_LIFETIME = 365 * 86_400
const MAX_HISTORY_SCAN = 100_000
/** A friend's clock moves ours by at most this: nobody brings it to its end. */
const MAX_LAMPORT_STEP = 2 ** 32

const historyRow = struct({
  messageId: [1, messageId],
  /** 0 in, 1 out. */
  direction: [2, uint(1)],
  payload: [3, bytesBetween(0, MAX_PAYLOAD_BYTES)],
  receivedAt: [4, uint()],
  via: [5, optional(uint(VIA.length - 1))],
})
/** Where a message lies in the history, and how it ended. */
const indexRow = struct({
  messageId: [1, messageId],
  conversation: [2, bytes(16)],
  position: [3, bytes(16)],
  settled: [4, optional(uint(SETTLED.length - 1))],
  reason: [5, optional(text(200))],
  /** Its way through the outbox, once it has left it. */
  trail: [6, optional(trailBytes)],
})
const threadRow = struct({
  lamport: [1, uint(2 ** 48)],
  heads: [2, list(messageId, limits.MAX_PARENTS)],
  last: [3, bytesBetween(0, 16)],
  unread: [4, uint()],
})
/** Note that travels with an outgoing message through the outbox: its conversation and its position. */
const REFERENCE_BYTES = 32

export class Conversations implements PayloadHandler {
  readonly #init: ConversationInit
  readonly #threads = new Map<string, Thread>()
  /** Message before the one that is being applied, when that one belongs before what was told already. */
  readonly #before = new Map<string, string>()
  #delivery: Delivery | undefined
  #friendship: Friendship | undefined

  constructor(init: ConversationInit) {
    this.#init = init
  }

  async start(delivery: Delivery, friendship: Friendship): Promise<void> {
    this.#delivery = delivery
    this.#friendship = friendship
    for (const { id } of friendship.all()) await this.#loadThread(id)
  }

  /** 16 bytes that both friends compute. */
  conversationWith(friend: Uint8Array): Uint8Array {
    const { selfId } = this.#init
    const [low, high] = compare(selfId, friend) < 0 ? [selfId, friend] : [friend, selfId]
    return sha256(L('conversation'), low, high).slice(0, 16)
  }

  unread(friend: Uint8Array): number {
    return this.#thread(friend).unread
  }

  // ---- out ----

  /** Sends text. @throws UsageError `NOT_A_FRIEND`, `TOO_LONG`, `EMPTY`, `TOO_MANY` */
  async sendText(friend: Uint8Array, content: string): Promise<Uint8Array> {
    const size = utf8(content).length
    if (size === 0) throw new UsageError('EMPTY', 'there is no text to send')
    if (!content.isWellFormed()) throw new UsageError('BAD_TEXT', 'the text is not valid unicode')
    if (size > limits.MAX_TEXT_BYTES) {
      throw new UsageError('TOO_LONG', `expected a text of at most ${limits.MAX_TEXT_BYTES} bytes, got ${size}`)
    }
    const body = encode(textBody, { text: content })
    const { messageId: id } = await this.#delivery!.send(friend, () => {
      const thread = this.#thread(friend)
      const lamport = Math.min(thread.lamport + 1, limits.MAX_LAMPORT)
      return {
        type: PAYLOAD_TYPE.text,
        conversation: thread.conversation,
        lamport,
        parents: thread.heads,
        body,
        lifetime: TEXT_LIFETIME,
        reference: (message) => concat(thread.conversation, this.#position(lamport, message)),
        record: (tx, message, encoded) => {
          const sentAt = decode(payloadShape, encoded, MAX_PAYLOAD_BYTES).sentAt
          const position = this.#position(lamport, message)
          this.#putHistory(
            tx,
            thread,
            { messageId: message, direction: 1, payload: encoded, receivedAt: sentAt },
            position,
          )
          this.#putThread(tx, friend, { ...thread, lamport, heads: [message], last: later(thread.last, position) })
          tx.event('message', {
            messageId: toHex(message),
            conversation: toHex(thread.conversation),
            from: idToText(this.#init.selfId),
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
      const thread = this.#thread(friend)
      return {
        type: PAYLOAD_TYPE.profile,
        conversation: thread.conversation,
        lamport: thread.lamport,
        parents: [],
        body: encode(profileBody, profile),
        lifetime: TEXT_LIFETIME,
        reference: () => NO_SCOPE,
        record: () => undefined,
      }
    })
  }

  // ---- in: the handler of delivery ----

  async isKnown(id: Uint8Array): Promise<boolean> {
    return (await this.#findIndex(id)) !== undefined
  }

  async prepare(friend: Uint8Array, incoming: IncomingPayload): Promise<void> {
    const { payload } = incoming
    if (!payload || !isShown(payload)) return
    const thread = this.#thread(friend)
    const position = this.#position(lamportOf(thread, payload), incoming.messageId)
    if (compare(position, thread.last) > 0) return
    const [row] = await this.#init.store.list({
      table: TABLE.history,
      scope: thread.conversation,
      to: position,
      limit: 1,
      reverse: true,
    })
    const before = row ? toHex(decode(historyRow, row.value, 2 * MAX_PAYLOAD_BYTES).messageId) : ''
    this.#before.set(toHex(incoming.messageId), before)
  }

  apply(tx: Transaction, friend: Uint8Array, incoming: IncomingPayload): void {
    const { payload } = incoming
    if (payload?.type === PAYLOAD_TYPE.profile) {
      this.#applyProfile(tx, friend, payload)
      // known from here on, without a place in the history
      this.#putIndex(tx, incoming.messageId, NO_POSITION)
      return
    }
    this.#applyMessage(tx, friend, incoming, payload)
  }

  settled(
    tx: Transaction,
    _friend: Uint8Array,
    message: { messageId: Uint8Array; type: number; reference: Uint8Array; trail: Uint8Array },
    state: 'delivered' | 'expired' | 'failed',
    reason?: string,
  ): void {
    if (message.reference.length !== REFERENCE_BYTES) return
    const conversation = message.reference.slice(0, 16)
    const position = message.reference.slice(16)
    const { messageId: id, trail } = message
    const row = { messageId: id, conversation, position, settled: SETTLED.indexOf(state), reason, trail }
    tx.put(TABLE.historyIndex, NO_SCOPE, this.#init.store.blind(message.messageId), encode(indexRow, row))
    tx.event('state', { messageId: toHex(message.messageId), state, ...(reason && { reason }) })
  }

  confirmed(tx: Transaction, friend: Uint8Array): void {
    this.#friendship!.confirmed(tx, friend)
  }

  behind(tx: Transaction, friend: Uint8Array): void {
    tx.event('behind', { id: idToText(friend) })
  }

  heads(friend: Uint8Array, mine: Head, yours: Head | undefined): void {
    this.#friendship!.heads(friend, mine, yours)
  }

  // ---- looking ----

  /** The newest `limit` messages before `before` that contain `search`, oldest first. @throws UsageError `UNKNOWN_MESSAGE` */
  async history(
    friend: Uint8Array,
    options: { limit: number; before?: Uint8Array; search?: string },
  ): Promise<HistoryMessage[]> {
    const scope = this.conversationWith(friend)
    let to: Uint8Array | undefined
    if (options.before) {
      const index = await this.#findIndex(options.before)
      if (!index || !equal(index.conversation, scope)) {
        throw new UsageError('UNKNOWN_MESSAGE', 'no message of this conversation has this ID')
      }
      to = index.position
    }
    const found: HistoryMessage[] = []
    const needle = options.search?.toLowerCase()
    for (let scanned = 0; found.length < options.limit && scanned < MAX_HISTORY_SCAN; ) {
      const wanted = needle === undefined ? options.limit - found.length : 500
      const rows = await this.#init.store.list({ table: TABLE.history, scope, to, limit: wanted, reverse: true })
      for (const { value } of rows) {
        const message = await this.#readMessage(scope, value)
        if (needle !== undefined && !message.text?.toLowerCase().includes(needle)) continue
        if (found.length < options.limit) found.push(message)
      }
      if (rows.length < wanted) break
      scanned += rows.length
      to = rows.at(-1)!.position
    }
    return found.toReversed()
  }

  /** How a message ended; undefined while it is on its way or when it is unknown. */
  async settledState(id: Uint8Array): Promise<{ state: (typeof SETTLED)[number]; reason?: string } | undefined> {
    const index = await this.#findIndex(id)
    if (index?.settled === undefined) return undefined
    return { state: SETTLED[index.settled]!, ...(index.reason && { reason: index.reason }) }
  }

  /** The conversation in which an own message lies that has left the outbox. */
  async conversationOf(id: Uint8Array): Promise<Uint8Array | undefined> {
    const index = await this.#findIndex(id)
    return index?.settled === undefined ? undefined : index.conversation
  }

  /** The way of a message that has left the outbox, oldest step first; undefined for any other. */
  async trail(id: Uint8Array): Promise<TrailRow[] | undefined> {
    const trail = (await this.#findIndex(id))?.trail
    return trail && decodeTrail(trail)
  }

  /** Marks everything of a friend as read here. The caller holds the friend's queue. */
  markRead(tx: Transaction, friend: Uint8Array): void {
    const thread = this.#thread(friend)
    if (thread.unread > 0) this.#putThread(tx, friend, { ...thread, unread: 0 })
  }

  // ---- rows ----

  /** What cannot be read, or names a conversation that is not known here, has its place too: shown as unsupported. */
  #applyMessage(tx: Transaction, friend: Uint8Array, incoming: IncomingPayload, payload: Payload | undefined): void {
    const thread = this.#thread(friend)
    const { messageId: id, via, receivedAt } = incoming
    const lamport = lamportOf(thread, payload)
    const position = this.#position(lamport, id)
    const parents = new Set((payload?.parents ?? []).map(toHex))
    const heads = [...thread.heads.filter((head) => !parents.has(toHex(head))), id].slice(-limits.MAX_PARENTS)
    this.#putHistory(
      tx,
      thread,
      { messageId: id, direction: 0, payload: incoming.encoded, receivedAt, via: VIA.indexOf(via) },
      position,
    )
    this.#putThread(tx, friend, {
      ...thread,
      lamport: Math.max(thread.lamport, lamport),
      heads,
      last: later(thread.last, position),
      unread: thread.unread + 1,
    })
    const content = payload && equal(payload.conversation, thread.conversation) ? readText(payload) : undefined
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

  /** Lamport clock, then 8 blinded bytes of the ID: no two messages share it, and it says nothing on disk. */
  #position(lamport: number, id: Uint8Array): Uint8Array {
    return concat(u64(lamport), this.#init.store.blind(id))
  }

  #putHistory(
    tx: Transaction,
    thread: Thread,
    row: { messageId: Uint8Array; direction: number; payload: Uint8Array; receivedAt: number; via?: number },
    position: Uint8Array,
  ): void {
    tx.put(TABLE.history, thread.conversation, position, encode(historyRow, row))
    this.#putIndex(tx, row.messageId, position, thread.conversation)
  }

  #putIndex(tx: Transaction, id: Uint8Array, position: Uint8Array, conversation: Uint8Array = NO_POSITION): void {
    const row = { messageId: id, conversation, position }
    tx.put(TABLE.historyIndex, NO_SCOPE, this.#init.store.blind(id), encode(indexRow, row))
  }

  #putThread(tx: Transaction, friend: Uint8Array, thread: Thread): void {
    const { conversation, ...row } = thread
    tx.put(TABLE.historyIndex, THREADS, this.#init.store.blind(conversation), encode(threadRow, row))
    // several messages of one batch follow one another before it is written
    const key = toHex(friend)
    const old = this.#threads.get(key)
    this.#threads.set(key, thread)
    tx.onRollback(() => {
      if (old) this.#threads.set(key, old)
      else this.#threads.delete(key)
    })
  }

  #thread(friend: Uint8Array): Thread {
    return (
      this.#threads.get(toHex(friend)) ?? {
        conversation: this.conversationWith(friend),
        lamport: 0,
        heads: [],
        last: new Uint8Array(0),
        unread: 0,
      }
    )
  }

  async #loadThread(friend: Uint8Array): Promise<void> {
    const conversation = this.conversationWith(friend)
    const position = this.#init.store.blind(conversation)
    const row = await this.#init.store.get({ table: TABLE.historyIndex, scope: THREADS, position })
    if (row) this.#threads.set(toHex(friend), { conversation, ...decode(threadRow, row, 1024) })
  }

  async #findIndex(id: Uint8Array) {
    const position = this.#init.store.blind(id)
    const row = await this.#init.store.get({ table: TABLE.historyIndex, scope: NO_SCOPE, position })
    const index = row && decode(indexRow, row, 1024 + MAX_TRAIL_BYTES)
    return index && equal(index.messageId, id) ? index : undefined
  }

  async #readMessage(conversation: Uint8Array, value: Uint8Array): Promise<HistoryMessage> {
    const row = decode(historyRow, value, 2 * MAX_PAYLOAD_BYTES)
    const payload = readPayload(row.payload)
    const ended = row.direction === 1 ? await this.settledState(row.messageId) : undefined
    return {
      messageId: row.messageId,
      direction: row.direction === 1 ? 'out' : 'in',
      text: payload && equal(payload.conversation, conversation) ? readText(payload) : undefined,
      sentAt: payload?.sentAt ?? row.receivedAt,
      receivedAt: row.receivedAt,
      via: row.via === undefined ? undefined : VIA[row.via],
      settled: ended?.state,
      reason: ended?.reason,
    }
  }
}

const NO_POSITION = new Uint8Array(16)

/** Whether a payload has a place in the history. */
function isShown(payload: Payload): boolean {
  return payload.type !== PAYLOAD_TYPE.profile && payload.type !== PAYLOAD_TYPE.receipt
}

/** Where a friend's message stands in the order; their clock cannot leave ours behind for ever. */
function lamportOf(thread: Thread, payload: Payload | undefined): number {
  return Math.min(payload?.lamport ?? thread.lamport, thread.lamport + MAX_LAMPORT_STEP)
}

function readPayload(encoded: Uint8Array): Payload | undefined {
  try {
    const payload = decode(payloadShape, encoded, MAX_PAYLOAD_BYTES)
    return payload.version === limits.PROTOCOL_VERSION ? payload : undefined
  } catch {
    return undefined
  }
}

function readText(payload: Payload): string | undefined {
  if (payload.type !== PAYLOAD_TYPE.text) return undefined
  try {
    return decode(textBody, payload.body, MAX_PAYLOAD_BYTES).text
  } catch {
    return undefined
  }
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compare(a, b) >= 0 ? a : b
}
