/**
 * The receiving half of delivery (PROTOCOL 4, 6 and 8): opens envelopes of one friend on a copy of the session, drops what
 * was seen, hands what is new upwards, and writes it all as one batch. What does not open changes no byte.
 */
import { concat, equal, readUint, toHex, u16 } from '../crypto/bytes.ts'
import { ForgedError, PeerError } from '../errors.ts'
import {
  adoptUpdate,
  foundIn,
  type Generation,
  heldSession,
  type Mailboxes,
  type ReadMailbox,
} from '../mailbox/generations.ts'
import { friendMailbox, openCopy } from '../mailbox/keys.ts'
import { TABLE } from '../ports.ts'
import { openEnvelope } from '../session/triple-ratchet.ts'
import { type SessionState, wipeReplaced } from '../session/session-state.ts'
import { decodeEnvelope, type Envelope, ENVELOPE_PREFIX_BYTES, envelopeId } from '../wire/envelope.ts'
import { mailboxUpdateBody, MAX_PAYLOAD_BYTES, PAYLOAD_TYPE, payloadMessageId, readPayload } from '../wire/payload.ts'
import { bytes, decode, encode, struct, uint } from '../wire/schema.ts'
import {
  BEHIND,
  type Channel,
  handshakeOf,
  highestRekey,
  isBehind,
  type Lane,
  putLane,
  sendingLane,
} from './channel.ts'
import { ClosedMailJudge, type EnvelopeParts } from './closed-mail.ts'
import type { DeliveryInit, IncomingPayload, Via } from './contract.ts'
import { type InboxBatch, newInboxBatch, progressOf } from './inbox-batch.ts'
import { Transaction } from './journal.ts'
import type { Mail } from './mail-reader.ts'

/** An envelope on its way in. */
export interface InboundMail {
  bytes: Uint8Array
  via: Via
  /** The mailbox that it lay in; undefined for gossip. */
  box?: Generation
}

export interface InboxHooks {
  acknowledged: (tx: Transaction, channel: Channel, ids: readonly Uint8Array[]) => void
  /** Writes the mailboxes as they are after the transaction. */
  mailboxes: (tx: Transaction, channel: Channel, after: Mailboxes) => void
  /** Something authentic came. */
  heard: (channel: Channel) => void
  /** The friend proved to hold a session. */
  confirmed: (channel: Channel) => void
  receiptDue: (channel: Channel) => void
  /** There is more that no session opens. */
  unreadable: (channel: Channel) => void
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

export class Inbox {
  readonly #init: DeliveryInit
  readonly #hooks: InboxHooks
  readonly #closed: ClosedMailJudge

  constructor(init: DeliveryInit, hooks: InboxHooks) {
    this.#init = init
    this.#hooks = hooks
    this.#closed = new ClosedMailJudge({ ...init, unreadable: hooks.unreadable })
  }

  /** The envelope in a copy; undefined when the friend did not write it. */
  openCopy(box: ReadMailbox, mail: Mail): InboundMail | undefined {
    // what lay at the own server the friend put there
    const via = equal(mail.server, this.#init.network.peerId) ? 'direct' : 'relay'
    try {
      return { bytes: openCopy(friendMailbox(box.secret, mail.server).copyKey, mail.copy), via, box }
    } catch (error) {
      if (error instanceof ForgedError) return undefined
      throw error
    }
  }

  /**
   * Reads envelopes of one friend and writes them as one batch; the caller holds the friend's queue.
   * True for each that needs no second try: it is on the disk, was there before, or can never be read.
   */
  async receive(channel: Channel, mail: InboundMail[]): Promise<boolean[]> {
    const batch = newInboxBatch(channel)
    const done: boolean[] = []
    try {
      for (const [i, one] of mail.entries()) {
        const isDone = await this.#read(channel, batch, one)
        done.push(isDone)
        if (isDone && one.box) batch.mailboxes = foundIn(batch.mailboxes, one.box, this.#now())
        if (i % YIELD_EVERY === YIELD_EVERY - 1) await this.#init.clock.yield()
      }
      this.#closed.seekAhead(channel, batch)
    } catch (error) {
      batch.tx.rolledBack()
      throw error
    }
    await this.#commit(channel, batch)
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

  async #commit(channel: Channel, batch: InboxBatch): Promise<void> {
    const { tx } = batch
    const before = [...batch.lanes].map(([lane, progress]) => ({ lane, progress, session: lane.session }))
    const opened = before.filter(({ session, progress }) => progress.session !== session)
    const fresh = opened
      .filter(({ session, progress }) => session.confirmed === 0 && progress.session.confirmed === 1)
      .map(({ lane }) => lane)
    for (const id of batch.due) {
      tx.put(TABLE.receiptDue, channel.friend, this.#init.store.blind(id), id)
    }
    for (const { lane, progress } of before) {
      putLane(tx, channel.friend, lane, { ...progress, tagCounter: lane.tagCounter })
      // an old session that is not sent in any more stops nothing
      const isNews = lane === sendingLane(channel) || isBehind(channel)
      if (isNews && progress.behind !== lane.behind) this.#init.handler.behind(tx, channel.friend)
    }
    for (const lane of fresh) batch.mailboxes = heldSession(batch.mailboxes, handshakeOf(lane))
    if (fresh.length > 0) this.#init.handler.confirmed(tx, channel.friend)
    // before the hooks of the mailboxes: what they cause is sealed in the sessions as they are then
    tx.afterCommit(() => {
      for (const { lane, progress } of before) {
        lane.session = progress.session
        lane.behind = progress.behind
        lane.window.seen(progress.highestTag)
      }
      const known = new Set(channel.receiptsDue.map(toHex))
      channel.receiptsDue.push(...batch.due.filter((id) => isNewIn(known, id)))
    })
    this.#hooks.mailboxes(tx, channel, batch.mailboxes)
    await this.#init.journal.commit(tx)
    for (const { progress, session } of opened) wipeReplaced(session, progress.session)
    if (opened.length > 0) this.#hooks.heard(channel)
    if (fresh.length > 0) this.#hooks.confirmed(channel)
    if (batch.due.length > 0) this.#hooks.receiptDue(channel)
  }

  async #read(channel: Channel, batch: InboxBatch, mail: InboundMail): Promise<boolean> {
    let envelope: Envelope
    try {
      envelope = decodeEnvelope(mail.bytes)
    } catch (error) {
      if (error instanceof PeerError) return true
      throw error
    }
    const eid = envelopeId(mail.bytes)
    if (batch.seen.has(toHex(eid))) return true
    const position = concat(u16(envelope.expiryDay), this.#init.store.blind(eid))
    const seen = await this.#init.store.get({ table: TABLE.seen, scope: NO_SCOPE, position })
    if (seen) {
      channel.unreadable.opened(eid)
      this.#repeatReceipt(batch, mail, position, decode(seenRow, seen, 64))
      return true
    }
    const parts = { prefix: mail.bytes.subarray(0, ENVELOPE_PREFIX_BYTES), body: envelope.body }
    const lanes = lanesFor(channel, mail, envelope)
    const opened = this.#openInAny(channel, batch, lanes, parts)
    if (!opened) {
      const { tag, expiryDay } = envelope
      const closed = { eid, expiryDay, tag, parts, lanes, inMailbox: mail.box !== undefined }
      return this.#closed.judge(channel, batch, closed)
    }
    channel.unreadable.opened(eid)
    batch.seen.add(toHex(eid))
    const messageId = payloadMessageId(opened.payload)
    const now = this.#init.clock.now()
    const payload = readPayload(opened.payload)
    const at = payload?.type === PAYLOAD_TYPE.receipt ? NEVER_REPEATED : now
    batch.tx.put(TABLE.seen, NO_SCOPE, position, encode(seenRow, { messageId, at }))
    if (isSuperseded(channel, batch, opened.lane)) {
      this.#init.logger.warn('mail in a session of a revoked device is left out')
      return true
    }
    await this.#accept(channel, batch, {
      messageId,
      payload,
      encoded: opened.payload,
      via: mail.via,
      receivedAt: now,
      lane: opened.lane,
    })
    return true
  }

  #openInAny(channel: Channel, batch: InboxBatch, lanes: readonly Lane[], parts: EnvelopeParts) {
    for (const lane of lanes) {
      const before = progressOf(batch, lane)
      const opened = this.#open(lane, before.session, parts)
      if (!opened) continue
      if (opened.alarm) this.#init.handler.contradiction(batch.tx, channel.friend)
      // the friend cannot have opened what was never sent: this home is older than the friend's memory, or a copy
      const isOlder = opened.header.highestSerialOpened > before.session.sentSerial
      batch.lanes.set(lane, {
        session: opened.session,
        highestTag: Math.max(before.highestTag, opened.header.tagCounter),
        behind: isOlder && before.behind !== BEHIND.device ? BEHIND.friend : before.behind,
      })
      return { ...opened, lane }
    }
    return undefined
  }

  #open(lane: Lane, session: SessionState, parts: EnvelopeParts) {
    try {
      return openEnvelope(session, { ...parts, now: Math.floor(this.#init.clock.now() / 1000) })
    } catch (error) {
      if (!(error instanceof ForgedError) && !(error instanceof PeerError)) throw error
      // on gossip anybody may copy a tag; in a mailbox only the friend writes, and the copy stays there for another try
      this.#init.logger.debug('envelope does not open', { lane: toHex(lane.id) })
      return undefined
    }
  }

  async #accept(
    channel: Channel,
    batch: InboxBatch,
    { lane, ...incoming }: IncomingPayload & { lane: Lane },
  ): Promise<void> {
    const { payload, messageId } = incoming
    if (payload?.acknowledged) {
      const ids = payload.acknowledged.filter((id) => isNewIn(batch.acknowledged, id))
      this.#hooks.acknowledged(batch.tx, channel, ids)
    }
    // whoever took a device that is revoked may write there, too: of records their word says nothing
    if (payload && lane.behind !== BEHIND.device) {
      const { mine, yours, sentAt } = payload
      this.#init.handler.heads(channel.friend, { mine, yours, sentAt })
    }
    if (payload?.type === PAYLOAD_TYPE.receipt) return
    batch.due.push(messageId)
    if (payload?.type === PAYLOAD_TYPE.mailboxUpdate) {
      batch.mailboxes = adopted(channel, batch.mailboxes, payload.body)
      return
    }
    const name = toHex(messageId)
    if (batch.messages.has(name) || (await this.#init.handler.isKnown(messageId))) return
    batch.messages.add(name)
    await this.#init.handler.prepare(channel.friend, incoming)
    this.#init.handler.apply(batch.tx, channel.friend, incoming)
  }

  /** Protocol time in whole seconds. */
  #now(): number {
    return Math.floor(this.#init.protocolTime())
  }

  #repeatReceipt(
    batch: InboxBatch,
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

/** Adds an ID to those that are known. @returns whether it was none of them */
function isNewIn(known: Set<string>, id: Uint8Array): boolean {
  const before = known.size
  return known.add(toHex(id)).size > before
}

/** The session whose tag it bears; an envelope from a mailbox needs no tag, and is tried in the others too. */
function lanesFor({ lanes }: Channel, { box }: InboundMail, { tag }: Envelope): Lane[] {
  const tagged = lanes.filter((lane) => lane.window.lookup(tag) !== undefined)
  return box ? [...tagged, ...lanes.filter((lane) => !tagged.includes(lane))] : tagged
}

/**
 * Whether a session was made with a device that is revoked, and both hold one that was made with another since: whoever took
 * the device may go on in it, and what the friend said there that nobody acknowledged they seal again.
 */
function isSuperseded(channel: Channel, batch: InboxBatch, { behind }: Lane): boolean {
  if (behind !== BEHIND.device) return false
  return channel.lanes.some((lane) => lane.behind !== BEHIND.device && progressOf(batch, lane).session.confirmed === 1)
}

/** Adoption is idempotent, so an update that comes again needs no index to be known by. */
function adopted(channel: Channel, before: Mailboxes, body: Uint8Array): Mailboxes {
  try {
    return adoptUpdate(before, decode(mailboxUpdateBody, body, MAX_PAYLOAD_BYTES), highestRekey(channel))
  } catch (error) {
    // one that cannot be read changes nothing: the friend reads on where it did
    if (error instanceof PeerError) return before
    throw error
  }
}
