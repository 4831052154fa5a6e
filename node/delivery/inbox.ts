/**
 * The receiving half of delivery (PROTOCOL 4, 6 and 8): opens envelopes of one friend on a copy of the session, drops what
 * was seen, hands what is new upwards, and writes it all as one batch. What does not open changes no byte.
 */
import { concat, readUint, toHex, u16 } from '../crypto/bytes.ts'
import { ForgedError, PeerError } from '../errors.ts'
import { friendMailbox, openCopy } from '../mailbox/keys.ts'
import { PROTOCOL_VERSION } from '../limits.ts'
import { TABLE } from '../ports.ts'
import { echoedSerial, openEnvelope } from '../session/triple-ratchet.ts'
import { type SessionState, wipeReplaced } from '../session/session-state.ts'
import { decodeEnvelope, ENVELOPE_PREFIX_BYTES, envelopeId } from '../wire/envelope.ts'
import {
  MAX_PAYLOAD_BYTES,
  PAYLOAD_TYPE,
  type Payload,
  payload as payloadShape,
  payloadMessageId,
} from '../wire/payload.ts'
import { bytes, decode, encode, struct, uint } from '../wire/schema.ts'
import { BEHIND, type Channel, type Lane, putLane } from './channel.ts'
import type { DeliveryInit, IncomingPayload, Via } from './contract.ts'
import { Transaction } from './journal.ts'
import type { Mail } from './mail-reader.ts'

/** An envelope on its way in. */
export interface InboundMail {
  bytes: Uint8Array
  via: Via
}

export interface InboxHooks {
  acknowledged: (tx: Transaction, channel: Channel, ids: readonly Uint8Array[]) => void
  /** Something authentic came. */
  heard: (channel: Channel) => void
  /** The friend proved to hold a session. */
  confirmed: (channel: Channel) => void
  receiptDue: (channel: Channel) => void
}

const DAY = 86_400
const NO_SCOPE = new Uint8Array(0)
const seenRow = struct({ messageId: [1, bytes(16)], at: [2, uint()] })
/** An envelope that comes by gossip again this long after it was read tells that the receipt was lost; senders publish again at this pace. */
const REPEAT_MS = 600_000
/** Receipts are not acknowledged, however often they come. */
const NEVER_REPEATED = Number.MAX_SAFE_INTEGER
/** Envelopes between two yields: opening one takes about a millisecond. */
const YIELD_EVERY = 8

/** What one batch has gathered so far. */
interface Batch {
  tx: Transaction
  session: SessionState
  highestTag: number
  seen: Set<string>
  messages: Set<string>
  due: Uint8Array[]
  opened: number
  behind: number
}

export class Inbox {
  readonly #init: DeliveryInit
  readonly #hooks: InboxHooks

  constructor(init: DeliveryInit, hooks: InboxHooks) {
    this.#init = init
    this.#hooks = hooks
  }

  /** The envelope in a copy; undefined when the friend did not write it. */
  openCopy(lane: Lane, mail: Mail): InboundMail | undefined {
    try {
      return { bytes: openCopy(friendMailbox(lane.mailboxIn, mail.server).copyKey, mail.copy), via: 'relay' }
    } catch (error) {
      if (error instanceof ForgedError) return undefined
      throw error
    }
  }

  /**
   * Reads envelopes of one lane and writes them as one batch; the caller holds the friend's queue.
   * True for each that needs no second try: it is on the disk, was there before, or can never be read.
   */
  async receive(channel: Channel, lane: Lane, mail: InboundMail[]): Promise<boolean[]> {
    const before = lane.session
    const batch: Batch = {
      tx: new Transaction(),
      session: before,
      highestTag: lane.window.highest,
      seen: new Set(),
      messages: new Set(),
      due: [],
      opened: 0,
      behind: lane.behind,
    }
    const done: boolean[] = []
    try {
      for (const [i, one] of mail.entries()) {
        done.push(await this.#read(channel, lane, batch, one))
        if (i % YIELD_EVERY === YIELD_EVERY - 1) await this.#init.clock.yield()
      }
    } catch (error) {
      batch.tx.rolledBack()
      throw error
    }
    await this.#commit(channel, lane, batch, before)
    return done
  }

  /** Forgets the envelopes that nobody may bring again. */
  async sweep(): Promise<void> {
    const today = Math.floor(this.#init.protocolTime() / DAY)
    const rows = await this.#init.store.list({ table: TABLE.seen, scope: NO_SCOPE, to: u16(today - 1), limit: 5000 })
    const tx = new Transaction()
    for (const { position } of rows) {
      if (readUint(position, 0, 2) < today - 1) tx.delete(TABLE.seen, NO_SCOPE, position)
    }
    await this.#init.journal.commit(tx)
  }

  async #commit(channel: Channel, lane: Lane, batch: Batch, before: SessionState): Promise<void> {
    const { tx } = batch
    for (const id of batch.due) {
      tx.put(TABLE.receiptDue, channel.friend, this.#init.store.blind(id), id)
    }
    if (batch.opened > 0 || batch.behind !== lane.behind) {
      const { session, highestTag, behind } = batch
      putLane(tx, channel.friend, lane, { session, tagCounter: lane.tagCounter, highestTag, behind })
      if (behind !== lane.behind) this.#init.handler.behind(tx, channel.friend)
      if (before.confirmed === 0 && session.confirmed === 1) this.#init.handler.confirmed(tx, channel.friend)
    }
    tx.afterCommit(() => {
      lane.session = batch.session
      lane.behind = batch.behind
      lane.window.seen(batch.highestTag)
      const known = new Set(channel.receiptsDue.map(toHex))
      channel.receiptsDue.push(...batch.due.filter((id) => !known.has(toHex(id))))
    })
    await this.#init.journal.commit(tx)
    if (batch.opened > 0) {
      const isNew = before.confirmed === 0
      wipeReplaced(before, batch.session)
      this.#hooks.heard(channel)
      if (isNew) this.#hooks.confirmed(channel)
    }
    if (batch.due.length > 0) this.#hooks.receiptDue(channel)
  }

  async #read(channel: Channel, lane: Lane, batch: Batch, mail: InboundMail): Promise<boolean> {
    let expiryDay: number
    let body: Uint8Array
    try {
      ;({ expiryDay, body } = decodeEnvelope(mail.bytes))
    } catch (error) {
      if (error instanceof PeerError) return true
      throw error
    }
    const eid = envelopeId(mail.bytes)
    if (batch.seen.has(toHex(eid))) return true
    const position = concat(u16(expiryDay), this.#init.store.blind(eid))
    const seen = await this.#init.store.get({ table: TABLE.seen, scope: NO_SCOPE, position })
    if (seen) {
      this.#repeatReceipt(batch, mail, position, decode(seenRow, seen, 64))
      return true
    }
    const parts = { prefix: mail.bytes.subarray(0, ENVELOPE_PREFIX_BYTES), body }
    const opened = this.#open(lane, batch.session, parts)
    if (!opened) {
      const isAlive = expiryDay * DAY > this.#init.protocolTime()
      if (tellsOlder(batch.session, parts, mail.via === 'relay' && isAlive)) batch.behind = BEHIND.friend
      return false
    }
    batch.opened++
    // the friend cannot have opened what was never sent: this home is older than the friend's memory, or a copy
    if (opened.header.highestSerialOpened > batch.session.sentSerial) batch.behind = BEHIND.friend
    batch.session = opened.session
    batch.highestTag = Math.max(batch.highestTag, opened.header.tagCounter)
    batch.seen.add(toHex(eid))
    const messageId = payloadMessageId(opened.payload)
    const now = this.#init.clock.now()
    const payload = readPayload(opened.payload)
    const at = payload?.type === PAYLOAD_TYPE.receipt ? NEVER_REPEATED : now
    batch.tx.put(TABLE.seen, NO_SCOPE, position, encode(seenRow, { messageId, at }))
    await this.#accept(channel, batch, {
      messageId,
      payload,
      encoded: opened.payload,
      via: mail.via,
      receivedAt: now,
    })
    return true
  }

  #open(lane: Lane, session: SessionState, parts: { prefix: Uint8Array; body: Uint8Array }) {
    try {
      return openEnvelope(session, { ...parts, now: Math.floor(this.#init.clock.now() / 1000) })
    } catch (error) {
      if (!(error instanceof ForgedError) && !(error instanceof PeerError)) throw error
      // on gossip anybody may copy a tag; in a mailbox only the friend writes, and the copy stays there for another try
      this.#init.logger.debug('envelope does not open', { lane: toHex(lane.id) })
      return undefined
    }
  }

  async #accept(channel: Channel, batch: Batch, incoming: IncomingPayload): Promise<void> {
    const { payload, messageId } = incoming
    if (payload?.acknowledged) this.#hooks.acknowledged(batch.tx, channel, payload.acknowledged)
    if (payload) this.#init.handler.heads(channel.friend, payload.mine, payload.yours)
    if (payload?.type === PAYLOAD_TYPE.receipt) return
    batch.due.push(messageId)
    const name = toHex(messageId)
    if (batch.messages.has(name) || (await this.#init.handler.isKnown(messageId))) return
    batch.messages.add(name)
    await this.#init.handler.prepare(channel.friend, incoming)
    this.#init.handler.apply(batch.tx, channel.friend, incoming)
  }

  #repeatReceipt(
    batch: Batch,
    mail: InboundMail,
    position: Uint8Array,
    { messageId, at }: { messageId: Uint8Array; at: number },
  ): void {
    const now = this.#init.clock.now()
    if (mail.via !== 'gossip' || now - at < REPEAT_MS) return
    // anybody can play an old envelope again: each brings one receipt in this time, and no more
    batch.tx.put(TABLE.seen, NO_SCOPE, position, encode(seenRow, { messageId, at: now }))
    batch.due.push(messageId)
  }
}

/**
 * Whether an envelope that does not open tells that our state is older than the friend's memory. Its header may say so; a
 * header under a key that we never had says it too, when the friend is known to have written it: whoever keeps a copy for
 * longer than it lives cannot make one.
 */
function tellsOlder(
  session: SessionState,
  parts: { prefix: Uint8Array; body: Uint8Array },
  isFriends: boolean,
): boolean {
  const echoed = echoedSerial(session, parts)
  return echoed === undefined ? isFriends : echoed > session.sentSerial
}

/** Undefined for what this version cannot read: it is authentic, so it is kept and shown as unsupported. */
function readPayload(encoded: Uint8Array): Payload | undefined {
  try {
    const payload = decode(payloadShape, encoded, MAX_PAYLOAD_BYTES)
    return payload.version === PROTOCOL_VERSION ? payload : undefined
  } catch {
    return undefined
  }
}
