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
import { SKIPPED_TAGS } from '../limits.ts'
import { TABLE } from '../ports.ts'
import { echoedSerial, openEnvelope } from '../session/triple-ratchet.ts'
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
  spokenRekey,
} from './channel.ts'
import type { DeliveryInit, IncomingPayload, Via } from './contract.ts'
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
/** Tags above the window among which one is sought of what does not open: a friend leaves 1000 out at each crash. */
const TAGS_SOUGHT_AHEAD = 16 * SKIPPED_TAGS
/** Envelopes between two yields: opening one takes about a millisecond. */
const YIELD_EVERY = 8

/** A session as it is after what one batch opened in it. */
interface LaneProgress {
  session: SessionState
  highestTag: number
  /** One of BEHIND. */
  behind: number
}

/** What one batch has gathered so far. */
interface Batch {
  tx: Transaction
  lanes: Map<Lane, LaneProgress>
  mailboxes: Mailboxes
  seen: Set<string>
  messages: Set<string>
  due: Uint8Array[]
  /** Message IDs that the friend acknowledged: two envelopes may name the same, and one may name it twice. */
  acknowledged: Set<string>
  isTagSought: boolean
}

export class Inbox {
  readonly #init: DeliveryInit
  readonly #hooks: InboxHooks

  constructor(init: DeliveryInit, hooks: InboxHooks) {
    this.#init = init
    this.#hooks = hooks
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
    const batch: Batch = {
      tx: new Transaction(),
      lanes: new Map(),
      mailboxes: channel.mailboxes,
      seen: new Set(),
      messages: new Set(),
      due: [],
      acknowledged: new Set(),
      isTagSought: false,
    }
    const done: boolean[] = []
    try {
      for (const [i, one] of mail.entries()) {
        const isDone = await this.#read(channel, batch, one)
        done.push(isDone)
        if (isDone && one.box) batch.mailboxes = foundIn(batch.mailboxes, one.box, this.#now())
        if (i % YIELD_EVERY === YIELD_EVERY - 1) await this.#init.clock.yield()
      }
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

  async #commit(channel: Channel, batch: Batch): Promise<void> {
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

  async #read(channel: Channel, batch: Batch, mail: InboundMail): Promise<boolean> {
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
    const opened = this.#openInAny(channel, batch, mail, envelope)
    if (!opened) return this.#isGivenUp(channel, mail, { eid, expiryDay: envelope.expiryDay })
    channel.unreadable.opened(eid)
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

  /** Whether what does not open never will: the friend writes in a session that was made for its sake, and has sealed it again. */
  #isGivenUp(
    channel: Channel,
    { box }: InboundMail,
    { eid, expiryDay }: { eid: Uint8Array; expiryDay: number },
  ): boolean {
    if (!box) return false
    if (channel.unreadable.isGivenUp(eid, spokenRekey(channel))) return true
    if (expiryDay * DAY <= this.#now() || !channel.unreadable.add(eid, this.#init.clock.now())) return false
    this.#hooks.unreadable(channel)
    return false
  }

  /** Opens an envelope in the session whose tag it bears; one from a mailbox needs no tag, and is tried in the others too. */
  #openInAny(channel: Channel, batch: Batch, mail: InboundMail, envelope: Envelope) {
    const tagged = channel.lanes.filter((lane) => lane.window.lookup(envelope.tag) !== undefined)
    const others = mail.box ? channel.lanes.filter((lane) => !tagged.includes(lane)) : []
    const lanes = [...tagged, ...others]
    const parts = { prefix: mail.bytes.subarray(0, ENVELOPE_PREFIX_BYTES), body: envelope.body }
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
        behind: isOlder ? BEHIND.friend : before.behind,
      })
      return opened
    }
    const isAlive = envelope.expiryDay * DAY > this.#init.protocolTime()
    const inMailbox = isAlive && mail.box !== undefined
    this.#learnFromClosed(batch, lanes, { parts, inMailbox, tagged: tagged[0], tag: envelope.tag })
    return undefined
  }

  /**
   * An envelope that does not open may tell that our state is older than the friend's memory. Its header may say so; a
   * header under a key that we never had says it too, when the friend is known to have written it: whoever keeps a copy for
   * longer than it lives cannot make one. Which session it was is then told by its tag.
   */
  #learnFromClosed(
    batch: Batch,
    lanes: Lane[],
    mail: {
      parts: { prefix: Uint8Array; body: Uint8Array }
      /** The friend must have put it where it was. */
      inMailbox: boolean
      tagged: Lane | undefined
      tag: Uint8Array
    },
  ): void {
    const { parts, inMailbox, tagged, tag } = mail
    for (const lane of lanes) {
      const { session } = progressOf(batch, lane)
      const echoed = echoedSerial(session, parts)
      if (echoed === undefined) continue
      if (echoed > session.sentSerial) markBehind(batch, lane)
      return
    }
    if (!inMailbox) return
    // without a tag it may be of a session that crossed ours and is not known here yet
    const lane = tagged ?? this.#taggedAhead(batch, lanes, tag)
    if (lane) markBehind(batch, lane)
  }

  /** A friend who crashed since left tags out. They are sought for one envelope of a batch: it costs as much as opening many. */
  #taggedAhead(batch: Batch, lanes: Lane[], tag: Uint8Array): Lane | undefined {
    if (batch.isTagSought) return undefined
    batch.isTagSought = true
    const others = lanes.filter((lane) => progressOf(batch, lane).behind !== BEHIND.friend)
    return others.find(({ window }) => window.isAhead(tag, TAGS_SOUGHT_AHEAD))
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
    if (payload?.acknowledged) {
      const ids = payload.acknowledged.filter((id) => isNewIn(batch.acknowledged, id))
      this.#hooks.acknowledged(batch.tx, channel, ids)
    }
    if (payload) this.#init.handler.heads(channel.friend, payload.mine, payload.yours)
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

/** Adds an ID to those that are known. @returns whether it was none of them */
function isNewIn(known: Set<string>, id: Uint8Array): boolean {
  const before = known.size
  return known.add(toHex(id)).size > before
}

function progressOf({ lanes }: Batch, lane: Lane): LaneProgress {
  return lanes.get(lane) ?? { session: lane.session, highestTag: lane.window.highest, behind: lane.behind }
}

function markBehind(batch: Batch, lane: Lane): void {
  batch.lanes.set(lane, { ...progressOf(batch, lane), behind: BEHIND.friend })
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
