/**
 * Delivery: at-least-once transport with an exactly-once effect (PROTOCOL 4 to 6). Owns the transaction of every message,
 * in and out; knows sessions and mailboxes, and neither what a message says nor who a friend is.
 *
 * Out: payload -> envelope -> one batch {session, outbox, the handler's rows, event} -> gossip and the friend's relays.
 * In: envelope (by gossip or in a copy) -> session on a copy -> one batch {session, seen, receipt due, the handler's rows,
 * event} -> acknowledgement to the relay, then the receipt to the friend.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { describe, UsageError } from '../errors.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { topicOf } from '../mailbox/buckets.ts'
import {
  isReplacementDue,
  newestOf,
  openedSession,
  type ReadMailbox,
  replaceSecret,
  retireMailboxes,
} from '../mailbox/generations.ts'
import { TABLE, type Timer } from '../ports.ts'
import { type Envelope } from '../wire/envelope.ts'
import { putReceipt, signedBody } from '../wire/commands.ts'
import { mailboxUpdateBody, PAYLOAD_TYPE } from '../wire/payload.ts'
import { peerIdText } from '../wire/peer-id.ts'
import { decode, encode } from '../wire/schema.ts'
import { Auditor, type EntryChange } from './auditor.ts'
import { randomFraction } from './backoff.ts'
import {
  BEHIND,
  type Channel,
  deleteChannel,
  deleteLane,
  handshakeOf,
  heardOf,
  isBehind,
  type LaneSecrets,
  laneOrder,
  loadChannel,
  newChannel,
  newLane,
  putChannel,
  putLane,
  sendingLane,
} from './channel.ts'
import { ChannelMailboxes } from './channel-mailboxes.ts'
import type { DeliveryInit, Draft } from './contract.ts'
import { DirectDelivery } from './direct-delivery.ts'
import { isRelay, type Reach } from './direct-links.ts'
import { Inbox, type InboundMail } from './inbox.ts'
import type { Parcel } from './courier.ts'
import { Transaction } from './journal.ts'
import type { Mail } from './mail-reader.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import {
  deleteEntry,
  OUTBOX_STATES,
  type OutboxEntry,
  type OutboxState,
  putBody,
  putEntry,
  readBody,
} from './outbox.ts'
import { ReceiptCount } from './receipt-count.ts'
import { beginRun, endRun } from './run-mark.ts'
import { Sealer } from './sealer.ts'
import { encodeTrail, follow, type ToldStep, type TrailRow, type TrailStep, waitsFor } from './trail.ts'
import type { SessionState } from '../session/session-state.ts'

/** What is unacknowledged is published again when the friend is heard, once in this time. */
const REPUBLISH_MS = 600_000
const SWEEP_MS = 3_600_000
/** Receipts of one friend that wait for a relay at once. */
const MAX_WAITING_RECEIPTS = 32
/** A friend of whom something authentic came within this time is called online. */
const ONLINE_MS = 300_000
const DAY = 86_400
/** Seconds: an update of a mailbox is sealed again until the friend has it, like a text. */
const UPDATE_LIFETIME = 365 * DAY
/** What has run dry while this node was away is given up when there was time to hear from the relays. */
const RETIRE_MS = 60_000

export class Delivery {
  readonly #init: DeliveryInit
  readonly #queue = new KeyedQueue()
  readonly #channels = new Map<string, Channel>()
  readonly #sealer: Sealer
  readonly #inbox: Inbox
  readonly #direct: DirectDelivery
  readonly #mailboxes: ChannelMailboxes
  readonly #auditor: Auditor
  readonly #receipts: ReceiptCount
  /** When what waits for a friend was last published again, milliseconds. */
  readonly #republished = new Map<string, number>()
  readonly #receiptTimers = new Map<string, Timer>()
  #gossipQueued = 0
  #sweep: Timer | undefined
  #retirement: Timer | undefined
  #stopped = false

  constructor(init: DeliveryInit) {
    this.#init = init
    this.#sealer = new Sealer(init)
    this.#receipts = new ReceiptCount(init)
    this.#inbox = new Inbox(init, {
      acknowledged: (tx, channel, ids) => this.#acknowledged(tx, channel, ids),
      mailboxes: (tx, channel, after) => this.#mailboxes.change(tx, channel, after),
      heard: (channel) => this.#heard(channel),
      confirmed: (channel) => this.#sealWaiting(channel),
      receiptDue: (channel) => this.#scheduleReceipt(channel),
    })
    this.#direct = new DirectDelivery({
      courier: init.courier,
      clock: init.clock,
      isConnected: init.direct.isConnected,
      parcels: async (channel, limit, isWanted) => await this.#waiting(channel, limit, isWanted),
      onStored: async (channel, entry, server) => await this.#storedDirectly(channel, entry, server),
      onReleased: (channel, number) => this.#goOtherWays(channel, number),
    })
    this.#mailboxes = new ChannelMailboxes({
      direct: this.#direct,
      reader: init.reader,
      courier: init.courier,
      standing: init.standing,
      receive: async (channel, box, mail) => await this.#receiveCopies(channel, box, mail),
      pending: async (channel, server, limit) => await this.#pending(channel, server, limit),
      released: async (channel, server, address) => await this.#released(channel, server, address),
    })
    this.#auditor = new Auditor({
      ...init,
      channels: () => this.#channels.values(),
      addressOf: (channel, server) => this.#receipts.addressOf(channel, server),
      change: async (channel, changes, more) => await this.#change(channel, changes, more),
      unplaced: (channel) => init.courier.hurry(channel.key),
      caught: (server) => this.#standingChanged(server),
    })
  }

  /**
   * Reads the channels of all friends and begins to read and put mail.
   * @param isHomeChanged the home may be an older one or a copy: nothing leaves in the sessions that are there now
   */
  async start(friends: readonly Uint8Array[], isHomeChanged = false): Promise<void> {
    const isClean = await beginRun(this.#init.store)
    for (const friend of friends) {
      const channel = await loadChannel(this.#init.store, friend)
      channel.direct.server = this.#init.direct.serverOf(channel.reach)
      for (const lane of isClean ? [] : channel.lanes) lane.tagCounter += limits.SKIPPED_TAGS
      if (isHomeChanged) await this.#setBehind(channel, BEHIND.no, BEHIND.home)
      this.#channels.set(channel.key, channel)
      this.#mailboxes.open(channel)
      if (channel.receiptsDue.length > 0) this.#scheduleReceipt(channel)
      this.#sealWaiting(channel)
    }
    this.#auditor.start()
    this.#retirement = this.#init.clock.after(RETIRE_MS, () => {
      for (const channel of this.#channels.values()) this.#retire(channel)
    })
    this.#scheduleSweep()
  }

  stop(): void {
    this.#stopped = true
    this.#auditor.stop()
    this.#sweep?.cancel()
    this.#retirement?.cancel()
    for (const timer of this.#receiptTimers.values()) timer.cancel()
    this.#receiptTimers.clear()
    for (const channel of this.#channels.values()) this.#direct.close(channel)
  }

  /** Lets go the other ways what waits for a friend's own node. @returns whether there was anything */
  releaseHeld(): boolean {
    return [...this.#channels.values()].map((channel) => this.#direct.release(channel)).includes(true)
  }

  /** Says on the disk that the run ended by itself. The last that a node writes. */
  async ended(): Promise<void> {
    await Promise.all([...this.#channels.values()].map(async ({ friend }) => await this.exclusively(friend, noWork)))
    await endRun(this.#init.store)
  }

  // ---- channels ----

  /** Adds a session with a friend to the transaction; mail flows in it once the transaction is committed. */
  openChannel(
    tx: Transaction,
    friend: Uint8Array,
    init: { session: SessionState; secrets: LaneSecrets; relays: string[]; reach: Reach },
  ): void {
    const lane = newLane(init.session, init.secrets)
    const relays = this.#usable(init.relays)
    const heardAt = this.#today()
    putChannel(tx, friend, { relays, reach: init.reach, heardAt })
    putLane(tx, friend, lane, { ...lane, highestTag: -1 })
    const channel = this.#channels.get(toHex(friend)) ?? newChannel(friend)
    const lanes = [...channel.lanes, lane].toSorted(laneOrder)
    for (const old of lanes.splice(limits.MAX_SESSIONS_PER_FRIEND)) deleteLane(tx, friend, old)
    tx.afterCommit(() => {
      this.#channels.set(channel.key, channel)
      channel.relays = relays
      this.#setReach(channel, init.reach)
      channel.heardAt = heardAt
      channel.lanes = lanes
      this.#mailboxes.consign(channel)
    })
    const mailboxes = openedSession(channel.mailboxes, handshakeOf(lane), this.#moment(channel))
    // an update that is still on its way may stand below what the session brings
    if (newestOf(mailboxes) !== newestOf(channel.mailboxes)) this.#strikeUpdates(tx, channel)
    this.#mailboxes.change(tx, channel, mailboxes)
    tx.afterCommit(() => this.#sealWaiting(channel))
  }

  /** Ends everything with a friend: sessions, mailboxes (given up at the relays) and what was on its way. */
  closeChannel(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#channels.get(toHex(friend))
    if (!channel) return
    deleteChannel(tx, channel)
    for (const entry of channel.entries.values()) {
      this.#settle(tx, channel, entry, 'failed', 'the friendship was ended')
    }
    for (const messageId of channel.receiptsDue) {
      tx.delete(TABLE.receiptDue, friend, this.#init.store.blind(messageId))
    }
    this.#mailboxes.close(tx, channel)
    tx.afterCommit(() => {
      this.#channels.delete(channel.key)
      this.#republished.delete(channel.key)
      this.#receiptTimers.get(channel.key)?.cancel()
      this.#receiptTimers.delete(channel.key)
      // what is still under way for them finds nothing to write about
      channel.lanes = []
      channel.entries.clear()
      channel.receiptsDue = []
    })
  }

  /** The friend reads mail at these relays (none changes nothing), and is reached so, from now on. */
  setPlaces(tx: Transaction, friend: Uint8Array, places: { relays: string[]; reach: Reach }): void {
    const channel = this.#channels.get(toHex(friend))
    if (!channel) return
    const named = this.#usable(places.relays)
    const relays = named.length > 0 ? named : channel.relays
    const { serverOf } = this.#init.direct
    const isAtHome = channel.relays.join() === relays.join()
    if (isAtHome && channel.direct.server === serverOf(places.reach)) return
    putChannel(tx, friend, { relays, reach: places.reach, heardAt: channel.heardAt })
    tx.afterCommit(() => {
      channel.relays = relays
      this.#setReach(channel, places.reach)
      if (isAtHome) this.#direct.consign(channel)
      else this.#mailboxes.consign(channel)
    })
  }

  #setReach(channel: Channel, reach: Reach): void {
    channel.reach = reach
    channel.direct.server = this.#init.direct.serverOf(reach)
  }

  /** The relays of all friends, with how many friends read at each. */
  relaysOfFriends(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { relays } of this.#channels.values()) {
      for (const address of relays) counts.set(address, (counts.get(address) ?? 0) + 1)
    }
    return counts
  }

  /** A link to a server was made. */
  storeSeen(server: Uint8Array, storeId: Uint8Array): void {
    this.#auditor.storeSeen(server, storeId)
  }

  /** There is news of this friend: what waits for them is tried at once, and published again. */
  encourage(friend: Uint8Array): void {
    const channel = this.#channels.get(toHex(friend))
    if (channel) this.#resetBackoff(channel)
  }

  /** The addresses of a friend's that name a server, each server once. */
  #usable(addresses: readonly string[]): string[] {
    const servers = new Set<string>()
    return addresses.filter((address) => {
      try {
        const server = toHex(this.#init.network.serverId(address))
        return !servers.has(server) && servers.add(server)
      } catch {
        return false
      }
    })
  }

  /** Messages of the person's that this friend has not acknowledged. */
  unacknowledged(friend: Uint8Array): number {
    const channel = this.#channels.get(toHex(friend))
    return channel ? [...channel.entries.values()].filter((entry) => entry.type !== PAYLOAD_TYPE.receipt).length : 0
  }

  /** Where a message is, while it has not left the outbox. */
  stateOf(friend: Uint8Array, messageId: Uint8Array): OutboxState | undefined {
    const entry = findEntry(this.#channels.get(toHex(friend)), messageId)
    return entry && OUTBOX_STATES[entry.state]
  }

  /** The way of a message that lies in the outbox, and what it waits for now; undefined when it does not lie there. */
  trace(friend: Uint8Array, messageId: Uint8Array): { rows: TrailRow[]; waiting: ToldStep[] } | undefined {
    const channel = this.#channels.get(toHex(friend))
    const entry = findEntry(channel, messageId)
    if (!channel || !entry) return undefined
    const routes = entry.lane && this.#init.courier.status(channel.key)
    const isSigned = (address: string): boolean =>
      entry.receipts.some(({ server }) => equal(server, this.#receipts.serverId(address)))
    const at = this.#init.clock.now()
    const waiting = waitsFor({ at, friend: idToText(channel.friend), routes, isSigned })
    return { rows: entry.trail ?? [], waiting }
  }

  /** Address of a server in the friend's list, or of any friend's; its peer ID when nobody names it. */
  nameOfServer(server: Uint8Array): string {
    for (const channel of this.#channels.values()) {
      const address = this.#receipts.addressOf(channel, server)
      if (address !== undefined) return address
    }
    return peerIdText(server)
  }

  /** Whether something for this friend lies not where it should: at the relays, or where there are none, at the friend's node. */
  hasUnplaced(friend: Uint8Array): boolean {
    const channel = this.#channels.get(toHex(friend))
    if (!channel || isBehind(channel)) return false
    const { direct } = channel
    const wanted = this.#receipts.wanted(channel)
    const isDirectOnly = wanted === 0 && direct.server !== undefined
    return [...channel.entries.values()].some(
      (entry) => this.#receipts.counted(channel, entry) < wanted || (isDirectOnly && !direct.put.has(entry.number)),
    )
  }

  /** Whether there is a session that both hold and in which nothing was ever sent from here. */
  isSilent(friend: Uint8Array): boolean {
    const lanes = this.#channels.get(toHex(friend))?.lanes.filter(({ behind }) => behind === BEHIND.no) ?? []
    return (
      lanes.some(({ session }) => session.confirmed === 1) && lanes.every(({ session }) => session.sentSerial === 0)
    )
  }

  /** Why nothing leaves for this friend: the whole home is in doubt, or the friend remembers more. */
  behind(friend: Uint8Array): 'home' | 'friend' | undefined {
    const channel = this.#channels.get(toHex(friend))
    if (!channel || !isBehind(channel)) return undefined
    return channel.lanes.some((lane) => lane.behind === BEHIND.friend) ? 'friend' : 'home'
  }

  /** The person says that this home is the only one and the newest: what was stopped for its sake goes on. */
  async trustHome(): Promise<void> {
    for (const channel of this.#channels.values()) {
      await this.exclusively(channel.friend, async () => await this.#setBehind(channel, BEHIND.home, BEHIND.no))
      this.#sealWaiting(channel)
      this.#init.courier.hurry(channel.key)
      if (channel.receiptsDue.length > 0) this.#scheduleReceipt(channel)
    }
  }

  async #setBehind(channel: Channel, from: number, to: number): Promise<void> {
    const tx = new Transaction()
    for (const lane of channel.lanes) {
      if (lane.behind !== from) continue
      putLane(tx, channel.friend, lane, { ...lane, highestTag: lane.window.highest, behind: to })
      tx.afterCommit(() => {
        lane.behind = to
      })
    }
    await this.#init.journal.commit(tx)
  }

  /**
   * What decides whether a friend is sought elsewhere: the reach secrets of the first session, since when an own profile
   * waits for their word (undefined: none does), and the day on which they were heard last; seconds.
   */
  standing(
    friend: Uint8Array,
  ): { reachOut: Uint8Array; reachIn: Uint8Array; toldAt: number | undefined; heardAt: number } | undefined {
    const channel = this.#channels.get(toHex(friend))
    // of sessions that crossed the lowest th1 counts, as everywhere
    const rekey = Math.min(...(channel?.lanes ?? []).map(({ session }) => session.rekey))
    const first = channel?.lanes.find(({ session }) => session.rekey === rekey)
    if (!channel || !first) return undefined
    const profiles = [...channel.entries.values()].filter(({ type }) => type === PAYLOAD_TYPE.profile)
    const toldAt = profiles.length > 0 ? Math.min(...profiles.map(({ created }) => created)) : undefined
    return { reachOut: first.reachOut, reachIn: first.reachIn, toldAt, heardAt: channel.heardAt }
  }

  isOnline(friend: Uint8Array): boolean {
    const channel = this.#channels.get(toHex(friend))
    return channel !== undefined && channel.lastHeard > 0 && this.#init.clock.now() - channel.lastHeard < ONLINE_MS
  }

  /** Runs `work` while nothing else of this friend is worked on. */
  async exclusively<T>(friend: Uint8Array, work: () => Promise<T>): Promise<T> {
    return await this.#queue.run(toHex(friend), work)
  }

  // ---- out ----

  /**
   * Makes a message durable and hands it to the network. The draft is made while the friend's queue is held.
   * @throws UsageError `TOO_MANY` above 1000 unacknowledged messages, `TOO_LONG`, `ROLLED_BACK` when every session is behind
   */
  async send(friend: Uint8Array, makeDraft: () => Draft): Promise<{ messageId: Uint8Array }> {
    return await this.exclusively(friend, async () => {
      const channel = this.#channels.get(toHex(friend))
      if (!channel) throw new UsageError('NOT_A_FRIEND', 'there is no session with this contact')
      if (isBehind(channel)) throw rolledBack()
      if (this.unacknowledged(friend) >= limits.MAX_UNACKNOWLEDGED_PER_FRIEND) {
        throw new UsageError(
          'TOO_MANY',
          `${limits.MAX_UNACKNOWLEDGED_PER_FRIEND} messages wait for this friend already`,
          {
            hint: 'they are delivered when the friend comes back; send again then',
          },
        )
      }
      return await this.#sendDraft(channel, makeDraft())
    })
  }

  async #sendDraft(channel: Channel, draft: Draft): Promise<{ messageId: Uint8Array }> {
    const { journal, protocolTime } = this.#init
    const tx = new Transaction()
    const { messageId, encoded, riding } = this.#sealer.payload(channel, draft)
    const number = channel.nextNumber++
    const created = Math.floor(protocolTime())
    let entry: OutboxEntry = {
      number,
      messageId,
      type: draft.type,
      created,
      expires: created + draft.lifetime,
      state: 0,
      published: 0,
      receipts: [],
      reference: draft.reference(messageId),
      trail: follow([], 'queued', { at: this.#init.clock.now() }),
    }
    const lane = sendingLane(channel)
    let envelope: Uint8Array | undefined
    if (lane) {
      const sealed = await this.#sealer.seal(tx, channel, lane, entry, encoded)
      entry = this.#walked(sealed.entry, 'sealed')
      envelope = sealed.envelope
    }
    putEntry(tx, channel.friend, entry)
    putBody(tx, channel.friend, number, encoded, envelope)
    for (const id of riding) tx.delete(TABLE.receiptDue, channel.friend, this.#init.store.blind(id))
    draft.record(tx, messageId, encoded)
    tx.afterCommit(() => {
      channel.entries.set(number, entry)
      const gone = new Set(riding.map(toHex))
      channel.receiptsDue = channel.receiptsDue.filter((id) => !gone.has(toHex(id)))
    })
    await journal.commit(tx)
    if (envelope) this.#handOver(channel, entry, envelope)
    return { messageId }
  }

  #handOver(channel: Channel, entry: OutboxEntry, envelope: Uint8Array): void {
    if (this.#direct.handOver(channel, entry)) return
    this.#init.courier.nudge(channel.key)
    this.#publish(channel, entry.number, envelope)
  }

  /** The direct way took too long, or is none any more. */
  #goOtherWays(channel: Channel, number: number): void {
    this.#init.courier.nudge(channel.key)
    this.#publishAgain(channel, number)
  }

  #publishAgain(channel: Channel, number: number): void {
    readBody(this.#init.store, channel.friend, number)
      .then((body) => body?.envelope && this.#publish(channel, number, body.envelope))
      .catch((error: unknown) => this.#init.logger.warn('publishing again failed', { problem: describe(error) }))
  }

  /** Best effort: a failure only means that the relays are the only way. */
  #publish(channel: Channel, number: number, envelope: Uint8Array): void {
    const { network, clock, bucketBits, gossip, logger } = this.#init
    if (!gossip) return
    network
      .publish(topicOf(channel.friend, bucketBits), envelope)
      .then(async (recipients) => {
        if (recipients === 0 || this.#stopped) return
        const published = (entry: OutboxEntry): OutboxEntry =>
          this.#walked({ ...entry, published: clock.now() }, 'published', { detail: `to ${recipients} peers` })
        await this.#change(channel, new Map([[number, published]]))
      })
      .catch((error: unknown) => logger.warn('recording a publication failed', { problem: describe(error) }))
  }

  /** Changes entries that are still there, and says so when a state changed. */
  async #change(
    channel: Channel,
    changes: ReadonlyMap<number, EntryChange>,
    more?: (tx: Transaction) => void,
  ): Promise<void> {
    await this.exclusively(channel.friend, async () => {
      const tx = new Transaction()
      for (const [number, change] of changes) {
        const old = channel.entries.get(number)
        if (old) this.#replace(tx, channel, old, change(old))
      }
      more?.(tx)
      await this.#init.journal.commit(tx)
    })
  }

  #replace(tx: Transaction, channel: Channel, old: OutboxEntry, changed: OutboxEntry): void {
    if (changed === old) return
    const entry = { ...changed, state: Math.max(changed.state, this.#receipts.stateReached(channel, changed)) }
    if (entry.type === PAYLOAD_TYPE.receipt && entry.state === OUTBOX_STATES.indexOf('custody')) {
      deleteEntry(tx, channel.friend, entry.number)
      tx.afterCommit(() => channel.entries.delete(entry.number))
      return
    }
    putEntry(tx, channel.friend, entry)
    tx.afterCommit(() => channel.entries.set(entry.number, entry))
    if (entry.state === old.state || entry.type !== PAYLOAD_TYPE.text) return
    tx.event('state', {
      messageId: toHex(entry.messageId),
      state: OUTBOX_STATES[entry.state]!,
      receipts: this.#receipts.counted(channel, entry),
    })
  }

  #walked(entry: OutboxEntry, step: TrailStep, what: Omit<TrailRow, 'step' | 'at'> = {}): OutboxEntry {
    return { ...entry, trail: follow(entry.trail ?? [], step, { at: this.#init.clock.now(), ...what }) }
  }

  /** Takes a message out of the outbox, with how it ended. */
  #settle(
    tx: Transaction,
    channel: Channel,
    entry: OutboxEntry,
    state: 'delivered' | 'expired' | 'failed',
    reason?: string,
  ): void {
    deleteEntry(tx, channel.friend, entry.number)
    const { trail } = this.#walked(entry, state, reason === undefined ? {} : { detail: reason })
    this.#init.handler.settled(tx, channel.friend, { ...entry, trail: encodeTrail(trail!) }, state, reason)
  }

  /**
   * Messages that were written before there was a session are sealed in the first one; what lies in another session moves
   * to one that the friend is known to hold.
   */
  #sealWaiting(channel: Channel): void {
    this.exclusively(channel.friend, async () => {
      for (const entry of channel.entries.values()) {
        const { lane } = entry
        const isSealed = lane !== undefined && channel.lanes.some((known) => equal(known.id, lane) && !known.behind)
        const sending = sendingLane(channel)
        const isBetter = sending?.session.confirmed === 1 && lane !== undefined && !equal(sending.id, lane)
        if (!isSealed || isBetter || this.#isDead(entry)) {
          await this.#sealAgain(channel, entry, isSealed && isBetter ? 'in a session that the friend holds' : undefined)
        }
      }
    }).catch((error: unknown) => this.#init.logger.warn('sealing failed', { problem: describe(error) }))
  }

  async #sealAgain(channel: Channel, old: OutboxEntry, why?: string): Promise<void> {
    const lane = sendingLane(channel)
    const body = await readBody(this.#init.store, channel.friend, old.number)
    if (!lane || !body || this.#stopped) return
    const tx = new Transaction()
    const sealed = await this.#sealer.seal(tx, channel, lane, { ...old, receipts: [] }, body.payload)
    const { envelope } = sealed
    const entry = this.#walked(sealed.entry, 'sealed', why === undefined ? {} : { detail: why })
    putEntry(tx, channel.friend, entry)
    putBody(tx, channel.friend, entry.number, body.payload, envelope)
    tx.afterCommit(() => channel.entries.set(entry.number, entry))
    await this.#init.journal.commit(tx)
    this.#handOver(channel, entry, envelope)
    // another envelope: what a relay said to the old one does not hold for it
    this.#init.courier.hurry(channel.key)
  }

  /** The friend has these on disk: they leave the outbox. */
  #acknowledged(tx: Transaction, channel: Channel, ids: readonly Uint8Array[]): void {
    for (const id of ids) {
      const entry = findEntry(channel, id)
      if (!entry) continue
      this.#settle(tx, channel, entry, 'delivered')
      tx.afterCommit(() => {
        channel.entries.delete(entry.number)
        // the friend reads: where a mailbox was full there is room again
        if (channel.entries.size > 0 && entry.lane) this.#init.courier.hurry(channel.key)
      })
    }
  }

  // ---- receipts ----

  #scheduleReceipt(channel: Channel): void {
    if (this.#stopped || this.#receiptTimers.has(channel.key)) return
    const [low, high] = this.#init.receiptDelayMs
    const delay = low + (high - low) * randomFraction(this.#init.random)
    const timer = this.#init.clock.after(delay, () => {
      this.#receiptTimers.delete(channel.key)
      this.#sendReceipt(channel).catch((error: unknown) =>
        this.#init.logger.warn('sending a receipt failed', { problem: describe(error) }),
      )
    })
    this.#receiptTimers.set(channel.key, timer)
  }

  async #sendReceipt(channel: Channel): Promise<void> {
    await this.exclusively(channel.friend, async () => {
      if (this.#channels.get(channel.key) !== channel || channel.receiptsDue.length === 0) return
      // while they cannot leave, they gather: one envelope carries many
      const waiting = [...channel.entries.values()].filter(({ type }) => type === PAYLOAD_TYPE.receipt)
      if (waiting.length >= MAX_WAITING_RECEIPTS || isBehind(channel)) return
      await this.#sendDraft(channel, {
        type: PAYLOAD_TYPE.receipt,
        conversation: new Uint8Array(16),
        lamport: 0,
        parents: [],
        body: new Uint8Array(0),
        lifetime: limits.MAX_ENVELOPE_DAYS * DAY,
        reference: () => new Uint8Array(0),
        record: () => undefined,
      })
    })
    if (channel.receiptsDue.length > 0 && !isBehind(channel)) this.#scheduleReceipt(channel)
  }

  // ---- in ----

  /** An envelope that the gossip gate admitted: whose is it? Synchronous; what is nobody's is forgotten. */
  gossip(bytes: Uint8Array, envelope: Envelope): void {
    for (const channel of this.#channels.values()) {
      if (!channel.lanes.some(({ window }) => window.lookup(envelope.tag) !== undefined)) continue
      // the relays hold what is ignored here
      if (this.#gossipQueued >= limits.MAX_GOSSIP_QUEUE) return
      this.#gossipQueued++
      const mail: InboundMail = { bytes: bytes.slice(), via: 'gossip' }
      this.#receive(channel, [mail], () => true)
        .catch((error: unknown) => this.#init.logger.warn('receiving failed', { problem: describe(error) }))
        .finally(() => this.#gossipQueued--)
      return
    }
  }

  async #receiveCopies(channel: Channel, box: ReadMailbox, copies: Mail[]): Promise<boolean[]> {
    const opened = copies.map((copy) => this.#inbox.openCopy(box, copy))
    const mail = opened.filter((one) => one !== undefined)
    const done = await this.#receive(channel, mail, () => this.#mailboxes.isRead(channel, box))
    // a copy that does not open was not written by the friend: it goes
    return opened.map((one) => (one === undefined ? true : done[mail.indexOf(one)]!))
  }

  /** @param isWanted asked again while the friend's queue is held */
  async #receive(channel: Channel, mail: InboundMail[], isWanted: () => boolean): Promise<boolean[]> {
    const done: boolean[] = []
    for (let i = 0; i < mail.length; i += limits.MAX_BATCH_ENVELOPES) {
      const part = mail.slice(i, i + limits.MAX_BATCH_ENVELOPES)
      done.push(
        ...(await this.exclusively(channel.friend, async () => {
          if (this.#stopped || !this.#isOpen(channel) || !isWanted()) return part.map(() => false)
          return await this.#inbox.receive(channel, part)
        })),
      )
    }
    return done
  }

  #isOpen(channel: Channel): boolean {
    return this.#channels.get(channel.key) === channel
  }

  /** Something authentic came: the friend is there, so what waits is worth another try now. */
  #heard(channel: Channel): void {
    const now = this.#init.clock.now()
    channel.lastHeard = now
    this.#noteHeard(channel)
    if (isBehind(channel)) return
    this.#replaceIfDue(channel)
    if (channel.entries.size > 0) this.#resetBackoff(channel)
  }

  /** What waits for this friend is put at once, and published again if that was not done lately. */
  #resetBackoff(channel: Channel): void {
    this.#init.courier.hurry(channel.key)
    this.#direct.hurry(channel)
    const now = this.#init.clock.now()
    if (now - (this.#republished.get(channel.key) ?? 0) < REPUBLISH_MS) return
    this.#republished.set(channel.key, now)
    const due = [...channel.entries.values()].filter(
      ({ created, published }) => now - Math.max(published, created * 1000) >= REPUBLISH_MS,
    )
    for (const { number } of due.slice(0, limits.MAX_REPUBLISHED)) this.#publishAgain(channel, number)
  }

  /** Once a day it is written when a friend was heard. */
  #noteHeard(channel: Channel): void {
    const heardAt = this.#today()
    if (heardAt <= channel.heardAt) return
    this.#alone(channel, async () => {
      const tx = new Transaction()
      putChannel(tx, channel.friend, { ...channel, heardAt })
      tx.afterCommit(() => {
        channel.heardAt = heardAt
      })
      await this.#init.journal.commit(tx)
    })
  }

  /** First second of the day. */
  #today(): number {
    return Math.floor(this.#init.protocolTime() / DAY) * DAY
  }

  // ---- mailboxes ----

  /** Gives up what has run dry. */
  #retire(channel: Channel): void {
    const now = Math.floor(this.#init.protocolTime())
    if (retireMailboxes(channel.mailboxes, now) === channel.mailboxes) return
    this.#alone(channel, async () => {
      const tx = new Transaction()
      this.#mailboxes.change(tx, channel, retireMailboxes(channel.mailboxes, now))
      await this.#init.journal.commit(tx)
    })
  }

  /** Replaces a secret that has served its time. Only when the friend is heard: one who is away changes nothing. */
  #replaceIfDue(channel: Channel): void {
    if (!isReplacementDue(channel.mailboxes, this.#moment(channel))) return
    this.#alone(channel, async () => {
      if (isBehind(channel) || !isReplacementDue(channel.mailboxes, this.#moment(channel))) return
      await this.#replaceSecret(channel)
    })
  }

  #alone(channel: Channel, work: () => Promise<void>): void {
    this.exclusively(channel.friend, async () => {
      if (!this.#stopped && this.#isOpen(channel)) await work()
    }).catch((error: unknown) => this.#init.logger.warn('work for a friend failed', { problem: describe(error) }))
  }

  /** Draws a new secret for what is read of the friend. It is read from the batch on in which the update becomes durable. */
  async #replaceSecret(channel: Channel): Promise<void> {
    const secret = this.#init.random.bytes(32)
    const { after, box } = replaceSecret(channel.mailboxes, secret, this.#moment(channel))
    const { rekey, replacement } = box
    await this.#sendDraft(channel, {
      type: PAYLOAD_TYPE.mailboxUpdate,
      conversation: new Uint8Array(16),
      lamport: 0,
      parents: [],
      body: encode(mailboxUpdateBody, { rekey, replacement, secret }),
      lifetime: UPDATE_LIFETIME,
      reference: () => new Uint8Array(0),
      record: (tx) => {
        this.#strikeUpdates(tx, channel)
        this.#mailboxes.change(tx, channel, after)
      },
    })
  }

  /** One update is outstanding at a time: an older one is never sealed again. */
  #strikeUpdates(tx: Transaction, channel: Channel): void {
    for (const { number, type } of channel.entries.values()) {
      if (type !== PAYLOAD_TYPE.mailboxUpdate) continue
      deleteEntry(tx, channel.friend, number)
      tx.afterCommit(() => channel.entries.delete(number))
    }
  }

  #moment(channel: Channel): { now: number; heard: number } {
    return { now: Math.floor(this.#init.protocolTime()), heard: heardOf(channel.lanes) }
  }

  /** What a relay has not signed for, as `Consignment.pending`. */
  async #pending(channel: Channel, server: Uint8Array, limit: number): Promise<Parcel[]> {
    const isWanted = ({ number, receipts }: OutboxEntry): boolean =>
      !this.#direct.isHeld(channel, number) && !receipts.some((receipt) => equal(receipt.server, server))
    const waiting = await this.#waiting(channel, limit, isWanted)
    return waiting.map(({ entry, ...parcel }) => ({
      ...parcel,
      stored: (at, receipt) => this.#stored(channel, entry, at, receipt),
      refused: (at, why, until) => this.#refused(channel, entry, at, why, until),
    }))
  }

  /** What may leave for a friend now and fulfils `isWanted`, oldest first. */
  async #waiting(
    channel: Channel,
    limit: number,
    isWanted: (entry: OutboxEntry) => boolean,
  ): Promise<{ entry: OutboxEntry; bytes: Uint8Array; expires: number }[]> {
    const { writing } = channel.mailboxes
    // who reads this mailbox may not hold a session of which they never showed it, unless it is the one that brought it
    const lanes = channel.lanes.filter(
      ({ behind, session, id }) =>
        behind === BEHIND.no && (session.confirmed === 1 || (writing && equal(id, writing.session))),
    )
    const waiting = [...channel.entries.values()].filter(
      (entry) => lanes.some(({ id }) => entry.lane !== undefined && equal(id, entry.lane)) && isWanted(entry),
    )
    const found = await Promise.all(
      waiting.slice(0, limit).map(async (entry) => {
        const body = await readBody(this.#init.store, channel.friend, entry.number)
        return body?.envelope && { entry, bytes: body.envelope, expires: entry.expiryDay! * DAY }
      }),
    )
    return found.filter((one) => one !== undefined)
  }

  /** The friend's own node has it. That is not yet the friend's word, and no custody. */
  async #storedDirectly(channel: Channel, put: OutboxEntry, server: Uint8Array): Promise<void> {
    const stored = (entry: OutboxEntry): OutboxEntry => {
      if (!isSameEnvelope(entry, put)) return entry
      // a receipt is acknowledged by nobody: here its way ends
      const reached = entry.type === PAYLOAD_TYPE.receipt ? 'custody' : 'sent'
      const state = Math.max(entry.state, OUTBOX_STATES.indexOf(reached))
      return this.#walked({ ...entry, state }, 'receipt', { server, detail: "at the friend's own node" })
    }
    await this.#change(channel, new Map([[put.number, stored]]))
  }

  /** The friend gave up a mailbox that is written here: what lay there is put again when there is a newer one. */
  async #released(channel: Channel, server: Uint8Array, address: Uint8Array): Promise<void> {
    const released = (entry: OutboxEntry): OutboxEntry => {
      const receipts = entry.receipts.filter((known) => !equal(known.server, server) || !isFor(known.receipt, address))
      return receipts.length === entry.receipts.length
        ? entry
        : this.#walked({ ...entry, receipts }, 'released', { server })
    }
    await this.#change(channel, new Map([...channel.entries.keys()].map((number) => [number, released])))
  }

  /** A server signed for the envelope that `put` names. */
  async #stored(channel: Channel, put: OutboxEntry, server: Uint8Array, receipt: Uint8Array): Promise<void> {
    // relays that left the friend's list stop counting
    if (this.#receipts.addressOf(channel, server) === undefined) return
    const stored = (entry: OutboxEntry): OutboxEntry => {
      if (!isSameEnvelope(entry, put)) return entry
      const others = entry.receipts.filter(
        (known) => !equal(known.server, server) && this.#receipts.addressOf(channel, known.server) !== undefined,
      )
      const isFetched = receipt.length === 0
      if (isFetched)
        return this.#walked({ ...entry, receipts: [...others, { server, receipt }] }, 'fetched', { server })
      const { row, stored: hour, expires } = this.#auditor.plan(server, receipt)
      const what = { server, stored: hour * 1000, until: expires * 1000 }
      return this.#walked({ ...entry, receipts: [...others, row] }, 'receipt', what)
    }
    await this.#change(channel, new Map([[put.number, stored]]))
  }

  async #refused(channel: Channel, put: OutboxEntry, server: Uint8Array, why: string, until: number): Promise<void> {
    const refused = (entry: OutboxEntry): OutboxEntry => this.#walked(entry, 'refused', { server, detail: why, until })
    await this.#change(channel, new Map([[put.number, refused]]))
  }

  /** Servers were caught, lost or found: everything is put at those that are the best now. */
  #standingChanged(server: Uint8Array): void {
    for (const channel of this.#channels.values()) {
      if (this.#receipts.addressOf(channel, server) === undefined) continue
      this.#mailboxes.consign(channel)
    }
    this.#init.standingChanged(server)
  }

  // ---- expiry ----

  #isDead(entry: OutboxEntry): boolean {
    return entry.expiryDay !== undefined && entry.expiryDay * DAY <= this.#init.protocolTime()
  }

  #scheduleSweep(): void {
    this.#sweep = this.#init.clock.after(SWEEP_MS, () => {
      for (const channel of this.#channels.values()) {
        this.#sweepChannel(channel).catch((error: unknown) =>
          this.#init.logger.warn('sweeping failed', { problem: describe(error) }),
        )
      }
      this.#noteServers().catch((error: unknown) =>
        this.#init.logger.warn('sweeping failed', { problem: describe(error) }),
      )
      this.#inbox
        .sweep()
        .catch((error: unknown) => this.#init.logger.warn('sweeping failed', { problem: describe(error) }))
      this.#scheduleSweep()
    })
  }

  /** Seals again what expired unacknowledged; gives up what outlived its own lifetime. */
  async #sweepChannel(channel: Channel): Promise<void> {
    const now = this.#init.protocolTime()
    this.#retire(channel)
    await this.exclusively(channel.friend, async () => {
      for (const entry of channel.entries.values()) {
        if (entry.expires <= now) {
          const tx = new Transaction()
          this.#settle(tx, channel, entry, 'expired', 'it was not acknowledged in its lifetime')
          tx.afterCommit(() => channel.entries.delete(entry.number))
          await this.#init.journal.commit(tx)
        } else if (isOldReceipt(entry, now)) {
          const tx = new Transaction()
          deleteEntry(tx, channel.friend, entry.number)
          tx.afterCommit(() => channel.entries.delete(entry.number))
          await this.#init.journal.commit(tx)
        } else if (this.#isDead(entry)) {
          await this.#sealAgain(channel, entry, 'the envelope expired unacknowledged')
        }
      }
    })
  }

  /** Each hour: which servers that are needed now are away, although others are not. */
  async #noteServers(): Promise<void> {
    const inUse = this.#init.pool.inUse()
    const isOnline = inUse.some(({ connected }) => connected) || this.#init.network.peerCount() > 0
    for (const { address, connected } of inUse) {
      if (!isRelay(address) || (!connected && !isOnline)) continue
      const server = this.#receipts.serverId(address)
      if (await this.#init.standing.note(server, connected)) this.#standingChanged(server)
    }
  }
}

function rolledBack(): UsageError {
  return new UsageError('ROLLED_BACK', 'this home is a copy or an older one: sending to this friend has stopped', {
    hint: '`kith doctor` says more',
  })
}

async function noWork(): Promise<void> {
  // whoever waits for it waits for all that was begun before
}

/** Whether a kept receipt is one of this mailbox; an empty one says that the reader has the copy. */
function isFor(receipt: Uint8Array, address: Uint8Array): boolean {
  if (receipt.length === 0) return false
  const { body } = decode(signedBody, receipt, receipt.length)
  return equal(decode(putReceipt, body, body.length).address, address)
}

/** A receipt that a relay took is not kept for the others for ever; a lost one is asked for by the message coming again. */
function isOldReceipt({ type, receipts, published, created }: OutboxEntry, now: number): boolean {
  return type === PAYLOAD_TYPE.receipt && (receipts.length > 0 || published > 0) && created + DAY <= now
}

/** Whether nothing was sealed again between the two. */
function isSameEnvelope(a: OutboxEntry, b: OutboxEntry): boolean {
  const sameLane = a.lane !== undefined && b.lane !== undefined && equal(a.lane, b.lane)
  return sameLane && a.chain === b.chain && a.count === b.count
}

function findEntry(channel: Channel | undefined, messageId: Uint8Array): OutboxEntry | undefined {
  return channel && [...channel.entries.values()].find((entry) => equal(entry.messageId, messageId))
}
