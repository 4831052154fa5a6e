/**
 * Delivery: at-least-once transport with an exactly-once effect (PROTOCOL 4 to 6). Owns the transaction of every message,
 * in and out; knows sessions and mailboxes, and neither what a message says nor who a friend is.
 *
 * Out: payload -> envelope -> one batch {session, outbox, the handler's rows, event} -> gossip and the friend's relays.
 * In: envelope (by gossip or in a copy) -> session on a copy -> one batch {session, seen, receipt due, the handler's rows,
 * event} -> acknowledgement to the relay, then the receipt to the friend.
 *
 * The one face of this folder towards those above: it joins the parts, and opens, moves and ends channels.
 */
import { toHex } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import { TABLE } from '../ports.ts'
import type { SessionState } from '../session/session-state.ts'
import type { Envelope } from '../wire/envelope.ts'
import { Auditor } from './auditor.ts'
import {
  BEHIND,
  type Channel,
  deleteChannel,
  deleteLane,
  isBehind,
  type LaneSecrets,
  laneOrder,
  loadChannel,
  newChannel,
  newLane,
  putChannel,
  putLane,
  setBehind,
} from './channel.ts'
import { ChannelMailboxes } from './channel-mailboxes.ts'
import { Channels } from './channels.ts'
import type { DeliveryInit, Draft } from './contract.ts'
import { DeliveryStatus } from './delivery-status.ts'
import { DirectDelivery } from './direct-delivery.ts'
import type { Reach } from './direct-links.ts'
import { Dispatch } from './dispatch.ts'
import { HourlySweep } from './hourly-sweep.ts'
import { Inbox } from './inbox.ts'
import { IncomingMail } from './incoming-mail.ts'
import { Transaction } from './journal.ts'
import { MailboxReplacement } from './mailbox-replacement.ts'
import { OutboxProgress } from './outbox-progress.ts'
import { OutgoingMail } from './outgoing-mail.ts'
import { Presence } from './presence.ts'
import { ReceiptCount } from './receipt-count.ts'
import { ReceiptsToFriends } from './receipts-to-friends.ts'
import { beginRun, endRun } from './run-mark.ts'
import { Sealer } from './sealer.ts'
import { WaitingMail } from './waiting-mail.ts'

export class Delivery {
  readonly #init: DeliveryInit
  readonly #channels: Channels
  readonly #receipts: ReceiptCount
  readonly #progress: OutboxProgress
  readonly #direct: DirectDelivery
  readonly #dispatch: Dispatch
  readonly #outgoing: OutgoingMail
  readonly #receiptsToFriends: ReceiptsToFriends
  readonly #mailboxes: ChannelMailboxes
  readonly #replacement: MailboxReplacement
  readonly #incoming: IncomingMail
  readonly #presence: Presence
  readonly #auditor: Auditor
  readonly #sweep: HourlySweep
  readonly status: DeliveryStatus

  constructor(init: DeliveryInit) {
    this.#init = init
    const channels = new Channels(init)
    const receipts = new ReceiptCount(init)
    const sealer = new Sealer(init)
    const progress = new OutboxProgress({
      ...init,
      channels,
      receipts,
      plan: (server, receipt) => this.#auditor.plan(server, receipt),
    })
    const waiting = new WaitingMail({ ...init, progress })
    const direct = new DirectDelivery({
      courier: init.courier,
      clock: init.clock,
      isConnected: init.direct.isConnected,
      waiting,
      progress,
      onReleased: (channel, number) => this.#dispatch.goOtherWays(channel, number),
    })
    const dispatch = new Dispatch({ ...init, channels, direct, progress })
    const outgoing = new OutgoingMail({ ...init, channels, sealer, dispatch })
    const mailboxes = new ChannelMailboxes({
      ...init,
      direct,
      waiting,
      progress,
      receive: async (channel, box, mail) => await this.#incoming.copies(channel, box, mail),
    })
    const inbox = new Inbox(init, {
      acknowledged: (tx, channel, ids) => progress.acknowledged(tx, channel, ids),
      mailboxes: (tx, channel, after) => mailboxes.change(tx, channel, after),
      heard: (channel) => this.#heard(channel),
      confirmed: (channel) => outgoing.sealWaiting(channel),
      receiptDue: (channel) => this.#receiptsToFriends.schedule(channel),
    })
    const replacement = new MailboxReplacement({ ...init, channels, mailboxes, outgoing })
    const standingChanged = (server: Uint8Array): void => this.#standingChanged(server)
    this.#channels = channels
    this.#receipts = receipts
    this.#progress = progress
    this.#direct = direct
    this.#dispatch = dispatch
    this.#outgoing = outgoing
    this.#mailboxes = mailboxes
    this.#replacement = replacement
    this.#receiptsToFriends = new ReceiptsToFriends({ ...init, channels, outgoing })
    this.#incoming = new IncomingMail({ ...init, channels, inbox, mailboxes })
    this.#presence = new Presence({ ...init, channels })
    this.#auditor = new Auditor({
      ...init,
      channels: () => channels.all(),
      addressOf: (channel, server) => receipts.addressOf(channel, server),
      change: async (channel, changes, more) => await progress.change(channel, changes, more),
      unplaced: (channel) => init.courier.hurry(channel.key),
      caught: standingChanged,
    })
    this.#sweep = new HourlySweep({
      ...init,
      channels,
      inbox,
      progress,
      outgoing,
      replacement,
      receipts,
      standingChanged,
    })
    this.status = new DeliveryStatus({ ...init, channels, presence: this.#presence, receipts })
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
      this.#channels.add(channel)
      this.#mailboxes.open(channel)
      if (channel.receiptsDue.length > 0) this.#receiptsToFriends.schedule(channel)
      this.#outgoing.sealWaiting(channel)
    }
    this.#auditor.start()
    this.#sweep.start()
  }

  stop(): void {
    this.#channels.stop()
    this.#auditor.stop()
    this.#sweep.stop()
    this.#receiptsToFriends.stop()
    for (const channel of this.#channels.all()) this.#direct.close(channel)
  }

  /** Lets go the other ways what waits for a friend's own node. @returns whether there was anything */
  releaseHeld(): boolean {
    return [...this.#channels.all()].map((channel) => this.#direct.release(channel)).includes(true)
  }

  /** Says on the disk that the run ended by itself. The last that a node writes. */
  async ended(): Promise<void> {
    await this.#channels.settle()
    await endRun(this.#init.store)
  }

  // ---- messages ----

  /** As `OutgoingMail.send`. */
  async send(friend: Uint8Array, makeDraft: () => Draft): Promise<{ messageId: Uint8Array }> {
    return await this.#outgoing.send(friend, makeDraft)
  }

  /** An envelope that the gossip gate admitted, as `IncomingMail.gossip`. */
  gossip(bytes: Uint8Array, envelope: Envelope): void {
    this.#incoming.gossip(bytes, envelope)
  }

  /** Runs `work` while nothing else of this friend is worked on. */
  async exclusively<T>(friend: Uint8Array, work: () => Promise<T>): Promise<T> {
    return await this.#channels.exclusively(friend, work)
  }

  /** There is news of this friend: what waits for them is tried at once, and published again. */
  encourage(friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    if (channel) this.#dispatch.hurry(channel)
  }

  /** A link to a server was made. */
  storeSeen(server: Uint8Array, storeId: Uint8Array): void {
    this.#auditor.storeSeen(server, storeId)
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
    const heardAt = this.#presence.today()
    putChannel(tx, friend, { relays, reach: init.reach, heardAt })
    putLane(tx, friend, lane, { ...lane, highestTag: -1 })
    const channel = this.#channels.get(friend) ?? newChannel(friend)
    const lanes = [...channel.lanes, lane].toSorted(laneOrder)
    for (const old of lanes.splice(limits.MAX_SESSIONS_PER_FRIEND)) deleteLane(tx, friend, old)
    tx.afterCommit(() => {
      this.#channels.add(channel)
      channel.relays = relays
      this.#setReach(channel, init.reach)
      channel.heardAt = heardAt
      channel.lanes = lanes
      this.#mailboxes.consign(channel)
    })
    this.#replacement.opened(tx, channel, lane)
    tx.afterCommit(() => this.#outgoing.sealWaiting(channel))
  }

  /** Ends everything with a friend: sessions, mailboxes (given up at the relays) and what was on its way. */
  closeChannel(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    if (!channel) return
    deleteChannel(tx, channel)
    for (const entry of channel.entries.values()) {
      this.#progress.settle(tx, channel, entry, 'failed', 'the friendship was ended')
    }
    for (const messageId of channel.receiptsDue) {
      tx.delete(TABLE.receiptDue, friend, this.#init.store.blind(messageId))
    }
    this.#mailboxes.close(tx, channel)
    tx.afterCommit(() => {
      this.#channels.remove(channel)
      this.#dispatch.forget(channel)
      this.#receiptsToFriends.forget(channel)
      // what is still under way for them finds nothing to write about
      channel.lanes = []
      channel.entries.clear()
      channel.receiptsDue = []
    })
  }

  /** The friend reads mail at these relays (none changes nothing), and is reached so, from now on. */
  setPlaces(tx: Transaction, friend: Uint8Array, places: { relays: string[]; reach: Reach }): void {
    const channel = this.#channels.get(friend)
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

  /** The person says that this home is the only one and the newest: what was stopped for its sake goes on. */
  async trustHome(): Promise<void> {
    for (const channel of this.#channels.all()) {
      await this.exclusively(channel.friend, async () => await this.#setBehind(channel, BEHIND.home, BEHIND.no))
      this.#outgoing.sealWaiting(channel)
      this.#init.courier.hurry(channel.key)
      if (channel.receiptsDue.length > 0) this.#receiptsToFriends.schedule(channel)
    }
  }

  async #setBehind(channel: Channel, from: number, to: number): Promise<void> {
    const tx = new Transaction()
    setBehind(tx, channel, from, to)
    await this.#init.journal.commit(tx)
  }

  #setReach(channel: Channel, reach: Reach): void {
    channel.reach = reach
    channel.direct.server = this.#init.direct.serverOf(reach)
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

  // ---- news ----

  /** Something authentic came: the friend is there, so what waits is worth another try now. */
  #heard(channel: Channel): void {
    this.#presence.heard(channel)
    if (isBehind(channel)) return
    this.#replacement.replaceIfDue(channel)
    if (channel.entries.size > 0) this.#dispatch.hurry(channel)
  }

  /** Servers were caught, lost or found: everything is put at those that are the best now. */
  #standingChanged(server: Uint8Array): void {
    for (const channel of this.#channels.all()) {
      if (this.#receipts.addressOf(channel, server) === undefined) continue
      this.#mailboxes.consign(channel)
    }
    this.#init.standingChanged(server)
  }
}
