/**
 * The rows of the history (PROTOCOL 4 and 9): messages in causal order by conversation, and an index by message ID that says
 * where each lies, how it ended and the way it took. Reads pages of them.
 */
import { concat, equal, readUint, u8, u64 } from '../crypto/bytes.ts'
import type { Transaction } from '../delivery/journal.ts'
import { decodeTrail, MAX_TRAIL_BYTES, trailBytes, type TrailRow } from '../delivery/trail.ts'
import { UsageError } from '../errors.ts'
import { KEY_NOTICES, type KeyNotice } from '../friendship/key-changes.ts'
import { type Row, type Store, TABLE } from '../ports.ts'
import { MAX_PAYLOAD_BYTES, messageId, PAYLOAD_TYPE, type Payload, readPayload, textBody } from '../wire/payload.ts'
import { bytes, bytesBetween, decode, encode, optional, struct, text, uint } from '../wire/schema.ts'
import { missingBefore, type Placed } from './gaps.ts'

/** A message as the history holds it. */
export interface HistoryMessage {
  messageId: Uint8Array
  direction: 'in' | 'out'
  /** Undefined for what this version cannot show. */
  text: string | undefined
  /** What this node says itself, about keys; nobody sent it. */
  notice: KeyNotice | undefined
  /** Milliseconds. */
  sentAt: number
  receivedAt: number
  via: (typeof VIA)[number] | undefined
  /** Final state, or undefined while it is on its way. */
  settled: SettledState | undefined
  reason: string | undefined
  /** How many messages at least are missing in front of it. Not looked at while text is sought. */
  missing: number
}

/** A message to be written; times in milliseconds. */
export interface NewMessage {
  messageId: Uint8Array
  direction: 'in' | 'out'
  /** Encoded. */
  payload: Uint8Array
  receivedAt: number
  via?: (typeof VIA)[number]
}

const SETTLED = ['delivered', 'expired', 'failed'] as const
type SettledState = (typeof SETTLED)[number]
const VIA = ['gossip', 'relay', 'direct'] as const

const NO_SCOPE = new Uint8Array(0)
/** Of a message that is known and has no place in the history. */
const NO_POSITION = new Uint8Array(16)
const MAX_HISTORY_SCAN = 100_000
/** Rows that are read at once while text is sought. */
const SEARCH_STEP = 500

const INCOMING = 0
/** Direction of what nobody sent. */
const NOTICE = 2
const NOTICE_TEXTS: Readonly<Record<KeyNotice, string>> = {
  root: 'their root key was replaced: the safety number is another one, compare it again',
  device: 'another device speaks for them now',
  revoked: 'they revoked a device',
  own: 'your own keys were replaced: they see another safety number',
}

const historyRow = struct({
  messageId: [1, messageId],
  /** 0 in, 1 out, 2 a notice of this node's: its payload is one byte, of KEY_NOTICES. */
  direction: [2, uint(2)],
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

export class History {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Lamport clock, then 8 blinded bytes of the ID: no two messages share it, and it says nothing on disk. */
  position(lamport: number, id: Uint8Array): Uint8Array {
    return concat(u64(lamport), this.#store.blind(id))
  }

  /** Writes a message at its place in a conversation. */
  put(tx: Transaction, conversation: Uint8Array, position: Uint8Array, message: NewMessage): void {
    const { direction, via, ...rest } = message
    const row = { ...rest, direction: direction === 'out' ? 1 : 0, ...(via !== undefined && { via: VIA.indexOf(via) }) }
    tx.put(TABLE.history, conversation, position, encode(historyRow, row))
    this.#putIndex(tx, { messageId: message.messageId, conversation, position })
  }

  /** Writes what this node has to say of a friend's keys, or the own, at its place. @param messageId 16 random bytes */
  putNotice(
    tx: Transaction,
    conversation: Uint8Array,
    position: Uint8Array,
    { messageId: id, notice, at }: { messageId: Uint8Array; notice: KeyNotice; at: number },
  ): void {
    const payload = u8(KEY_NOTICES.indexOf(notice))
    const row = { messageId: id, direction: NOTICE, payload, receivedAt: at }
    tx.put(TABLE.history, conversation, position, encode(historyRow, row))
    this.#putIndex(tx, { messageId: id, conversation, position })
  }

  /** Writes that a message is known, without a place. */
  putUnplaced(tx: Transaction, id: Uint8Array): void {
    this.#putIndex(tx, { messageId: id, conversation: NO_POSITION, position: NO_POSITION })
  }

  /** Writes how an own message ended; `trail` is encoded. */
  putSettled(
    tx: Transaction,
    message: { messageId: Uint8Array; conversation: Uint8Array; position: Uint8Array; trail: Uint8Array },
    state: SettledState,
    reason: string | undefined,
  ): void {
    const row = { ...message, settled: SETTLED.indexOf(state), reason }
    tx.put(TABLE.historyIndex, NO_SCOPE, this.#store.blind(message.messageId), encode(indexRow, row))
  }

  async isKnown(id: Uint8Array): Promise<boolean> {
    return (await this.#find(id)) !== undefined
  }

  /** The message at or before a position; undefined when none is. */
  async before(conversation: Uint8Array, position: Uint8Array): Promise<Uint8Array | undefined> {
    const [row] = await this.#store.list({
      table: TABLE.history,
      scope: conversation,
      to: position,
      limit: 1,
      reverse: true,
    })
    return row && decode(historyRow, row.value, 2 * MAX_PAYLOAD_BYTES).messageId
  }

  /**
   * Messages that contain `search`, oldest first: the newest `limit` before `before`, or the oldest `limit` after `after`.
   * @throws UsageError `UNKNOWN_MESSAGE`
   */
  async page(
    conversation: Uint8Array,
    options: { limit: number; before?: Uint8Array; after?: Uint8Array; search?: string },
  ): Promise<HistoryMessage[]> {
    const isForward = options.after !== undefined
    let to = options.before && (await this.placeOf(conversation, options.before))
    let from = options.after && behind(await this.placeOf(conversation, options.after))
    const found: (HistoryMessage & Placed)[] = []
    const needle = options.search?.toLowerCase()
    for (let scanned = 0; found.length < options.limit && scanned < MAX_HISTORY_SCAN; ) {
      const wanted = needle === undefined ? options.limit - found.length : SEARCH_STEP
      const rows = await this.#store.list({
        table: TABLE.history,
        scope: conversation,
        ...(from && { from }),
        ...(to && { to }),
        limit: wanted,
        reverse: !isForward,
      })
      for (const row of rows) {
        const message = await this.#read(conversation, row)
        if (needle !== undefined && !message.text?.toLowerCase().includes(needle)) continue
        if (found.length < options.limit) found.push(message)
      }
      if (rows.length < wanted) break
      scanned += rows.length
      if (isForward) from = behind(rows.at(-1)!.position)
      else to = rows.at(-1)!.position
    }
    const messages = isForward ? found : found.toReversed()
    if (needle !== undefined || messages.length === 0) return messages
    const missing = await missingBefore(
      messages,
      (id) => this.isKnown(id),
      await this.#lamportBefore(conversation, messages[0]!),
    )
    return messages.map((message, i) => ({ ...message, missing: missing[i]! }))
  }

  /**
   * The newest messages of a conversation in which `needle` stands, newest first.
   * @param needle in lower case
   * @param budget how many rows may be looked at; what was is taken off
   */
  async search(
    conversation: Uint8Array,
    { needle, limit, budget }: { needle: string; limit: number; budget: { rows: number } },
  ): Promise<HistoryMessage[]> {
    const found: HistoryMessage[] = []
    for (let to: Uint8Array | undefined; budget.rows > 0 && found.length < limit; ) {
      const wanted = Math.min(SEARCH_STEP, budget.rows)
      const range = { table: TABLE.history, scope: conversation, ...(to && { to }), limit: wanted, reverse: true }
      const rows = await this.#store.list(range)
      budget.rows -= rows.length
      for (const row of rows) {
        const message = await this.#read(conversation, row)
        if (message.text?.toLowerCase().includes(needle) && found.length < limit) found.push(message)
      }
      if (rows.length < wanted) break
      to = rows.at(-1)!.position
    }
    return found
  }

  /** The newest message of a conversation. */
  async newest(conversation: Uint8Array): Promise<HistoryMessage | undefined> {
    const [row] = await this.#store.list({ table: TABLE.history, scope: conversation, limit: 1, reverse: true })
    return row && (await this.#read(conversation, row))
  }

  /** Message ID of the first message of the friend's behind a position. */
  async firstIn(conversation: Uint8Array, after: Uint8Array): Promise<Uint8Array | undefined> {
    for await (const { row } of this.#incoming(conversation, { from: behind(after) })) return row.messageId
    return undefined
  }

  /** How many messages of the friend's lie behind a position, up to and with another. */
  async countIn(conversation: Uint8Array, after: Uint8Array, upTo: Uint8Array): Promise<number> {
    let count = 0
    for await (const _ of this.#incoming(conversation, { from: behind(after), to: behind(upTo) })) count++
    return count
  }

  /** Position behind which so many messages of the friend's lie; empty when there are no more than these. */
  async positionBefore(conversation: Uint8Array, count: number): Promise<Uint8Array> {
    let seen = 0
    for await (const { position } of this.#incoming(conversation, { reverse: true })) {
      if (++seen > count) return position
    }
    return new Uint8Array(0)
  }

  async idAt(conversation: Uint8Array, position: Uint8Array): Promise<Uint8Array | undefined> {
    const value = await this.#store.get({ table: TABLE.history, scope: conversation, position })
    return value && decode(historyRow, value, 2 * MAX_PAYLOAD_BYTES).messageId
  }

  async *#incoming(conversation: Uint8Array, range: { from?: Uint8Array; to?: Uint8Array; reverse?: boolean }) {
    let { from, to } = range
    for (;;) {
      const ends = { ...(from && { from }), ...(to && { to }) }
      const rows = await this.#store.list({
        table: TABLE.history,
        scope: conversation,
        ...ends,
        limit: SEARCH_STEP,
        reverse: range.reverse ?? false,
      })
      for (const { position, value } of rows) {
        const row = decode(historyRow, value, 2 * MAX_PAYLOAD_BYTES)
        if (row.direction === INCOMING) yield { position, row }
      }
      const last = rows.at(-1)
      if (!last || rows.length < SEARCH_STEP) return
      if (range.reverse) to = last.position
      else from = behind(last.position)
    }
  }

  /** The count of the message in front of one; 0 when it is the first. */
  async #lamportBefore(conversation: Uint8Array, { lamport, messageId: id }: Placed): Promise<number> {
    const to = this.position(lamport, id)
    const [row] = await this.#store.list({ table: TABLE.history, scope: conversation, to, limit: 1, reverse: true })
    return row ? readUint(row.position, 0, 8) : 0
  }

  /** How a message ended; undefined while it is on its way or when it is unknown. */
  async settledState(id: Uint8Array): Promise<{ state: SettledState; reason?: string } | undefined> {
    const index = await this.#find(id)
    if (index?.settled === undefined) return undefined
    return { state: SETTLED[index.settled]!, ...(index.reason && { reason: index.reason }) }
  }

  /** The conversation in which an own message lies that has left the outbox. */
  async conversationOf(id: Uint8Array): Promise<Uint8Array | undefined> {
    const index = await this.#find(id)
    return index?.settled === undefined ? undefined : index.conversation
  }

  /** The way of a message that has left the outbox, oldest step first; undefined for any other. */
  async trail(id: Uint8Array): Promise<TrailRow[] | undefined> {
    const trail = (await this.#find(id))?.trail
    return trail && decodeTrail(trail)
  }

  #putIndex(tx: Transaction, row: { messageId: Uint8Array; conversation: Uint8Array; position: Uint8Array }): void {
    tx.put(TABLE.historyIndex, NO_SCOPE, this.#store.blind(row.messageId), encode(indexRow, row))
  }

  /** Position of a message. @throws UsageError `UNKNOWN_MESSAGE` when it is none of the conversation */
  async placeOf(conversation: Uint8Array, id: Uint8Array): Promise<Uint8Array> {
    const index = await this.#find(id)
    if (!index || !equal(index.conversation, conversation)) {
      throw new UsageError('UNKNOWN_MESSAGE', 'no message of this conversation has this ID')
    }
    return index.position
  }

  async #find(id: Uint8Array) {
    const position = this.#store.blind(id)
    const row = await this.#store.get({ table: TABLE.historyIndex, scope: NO_SCOPE, position })
    const index = row && decode(indexRow, row, 1024 + MAX_TRAIL_BYTES)
    return index && equal(index.messageId, id) ? index : undefined
  }

  async #read(conversation: Uint8Array, { position, value }: Row): Promise<HistoryMessage & Placed> {
    const row = decode(historyRow, value, 2 * MAX_PAYLOAD_BYTES)
    const notice = row.direction === NOTICE ? KEY_NOTICES[row.payload[0] ?? 0] : undefined
    const payload = notice === undefined ? readPayload(row.payload) : undefined
    const ended = row.direction === 1 ? await this.settledState(row.messageId) : undefined
    return {
      messageId: row.messageId,
      direction: row.direction === 1 ? 'out' : 'in',
      text: notice === undefined ? payload && textIn(payload, conversation) : NOTICE_TEXTS[notice],
      notice,
      sentAt: payload?.sentAt ?? row.receivedAt,
      receivedAt: row.receivedAt,
      via: row.via === undefined ? undefined : VIA[row.via],
      settled: ended?.state,
      reason: ended?.reason,
      missing: 0,
      lamport: readUint(position, 0, 8),
      // what is written here knows what is here
      parents: row.direction === 1 ? [] : (payload?.parents ?? []),
    }
  }
}

/** The first place behind a position. */
function behind(position: Uint8Array): Uint8Array {
  return concat(position, u8(0))
}

/** What a payload says in a conversation; undefined for what this version cannot show, or what names another one. */
export function textIn(payload: Payload, conversation: Uint8Array): string | undefined {
  if (payload.type !== PAYLOAD_TYPE.text || !equal(payload.conversation, conversation)) return undefined
  try {
    return decode(textBody, payload.body, MAX_PAYLOAD_BYTES).text
  } catch {
    return undefined
  }
}
