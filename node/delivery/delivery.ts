/**
 * Delivery: at-least-once transport with an exactly-once effect (PROTOCOL 4 to 6). Owns the transaction of every message,
 * in and out; knows sessions and mailboxes, and neither what a message says nor who a friend is.
 *
 * Out: payload -> envelope -> one batch {session, outbox, the handler's rows, event} -> gossip and the friend's relays.
 * In: envelope (by gossip or in a copy) -> session on a copy -> one batch {session, seen, receipt due, the handler's rows,
 * event} -> acknowledgement to the relay, then the receipt to the friend.
 *
 * The one face of this folder towards those above: it joins the pieces, each of which has a file (ARCHITECTURE, inside delivery).
 */
import * as limits from '../limits.ts'
import type { Envelope } from '../wire/envelope.ts'
import { Auditor } from './auditor.ts'
import { BEHIND, type Channel, highestRekey, isBehind, loadChannel, setBehind, spokenRekey } from './channel.ts'
import { ChannelChanges, type ChannelOpening, type Places } from './channel-changes.ts'
import { ChannelMailboxes } from './channel-mailboxes.ts'
import { Channels } from './channels.ts'
import type { DeliveryInit, Draft } from './contract.ts'
import { DeliveryStatus } from './delivery-status.ts'
import { DirectDelivery } from './direct-delivery.ts'
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
  readonly #direct: DirectDelivery
  readonly #dispatch: Dispatch
  readonly #outgoing: OutgoingMail
  readonly #receiptsToFriends: ReceiptsToFriends
  readonly #mailboxes: ChannelMailboxes
  readonly #replacement: MailboxReplacement
  readonly #incoming: IncomingMail
  readonly #presence: Presence
  readonly #changes: ChannelChanges
  readonly #auditor: Auditor
  readonly #sweep: HourlySweep
  readonly status: DeliveryStatus

  constructor(init: DeliveryInit) {
    const { courier, clock } = init
    const channels = new Channels(init)
    const receipts = new ReceiptCount(init)
    const progress = new OutboxProgress({
      ...init,
      channels,
      receipts,
      plan: (server, receipt) => this.#auditor.plan(server, receipt),
    })
    const waiting = new WaitingMail({ ...init, progress })
    const direct = new DirectDelivery({
      courier,
      clock,
      isConnected: init.direct.isConnected,
      waiting,
      progress,
      onReleased: (channel, number) => this.#dispatch.goOtherWays(channel, number),
    })
    const ways = { ...init, channels, receipts, progress, waiting, direct }
    const dispatch = new Dispatch(ways)
    const outgoing = new OutgoingMail({ ...ways, sealer: new Sealer(init), dispatch })
    const mailboxes = new ChannelMailboxes({
      ...ways,
      receive: async (channel, box, mail) => await this.#incoming.copies(channel, box, mail),
    })
    const pieces = { ...ways, dispatch, outgoing, mailboxes }
    const replacement = new MailboxReplacement(pieces)
    const receiptsToFriends = new ReceiptsToFriends(pieces)
    const presence = new Presence(pieces)
    const inbox = this.#makeInbox(init, progress)
    const standingChanged = (server: Uint8Array): void => this.standingChanged(server)
    const { serverOf } = init.direct
    this.#init = init
    this.#channels = channels
    this.#receipts = receipts
    this.#direct = direct
    this.#dispatch = dispatch
    this.#outgoing = outgoing
    this.#mailboxes = mailboxes
    this.#replacement = replacement
    this.#receiptsToFriends = receiptsToFriends
    this.#presence = presence
    this.#incoming = new IncomingMail({ ...pieces, inbox })
    this.#changes = new ChannelChanges({ ...pieces, replacement, receiptsToFriends, presence, serverOf })
    this.#auditor = this.#makeAuditor(init, progress)
    this.#sweep = new HourlySweep({ ...pieces, inbox, replacement, standingChanged })
    this.status = new DeliveryStatus({ ...pieces, presence })
  }

  #makeInbox(init: DeliveryInit, progress: OutboxProgress): Inbox {
    return new Inbox(init, {
      acknowledged: (tx, channel, ids) => progress.acknowledged(tx, channel, ids),
      mailboxes: (tx, channel, after) => this.#mailboxes.change(tx, channel, after),
      heard: (channel) => this.#heard(channel),
      confirmed: (channel) => this.#outgoing.sealWaiting(channel),
      receiptDue: (channel) => this.#receiptsToFriends.schedule(channel),
      unreadable: (channel) => init.handler.unreadable(channel.friend),
    })
  }

  #makeAuditor(init: DeliveryInit, progress: OutboxProgress): Auditor {
    return new Auditor({
      ...init,
      channels: () => this.#channels.all(),
      addressOf: (channel, server) => this.#receipts.addressOf(channel, server),
      change: async (channel, changes, more) => await progress.change(channel, changes, more),
      unplaced: (channel) => init.courier.hurry(channel.key),
      caught: (server) => this.standingChanged(server),
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
      if (isHomeChanged) await this.#setBehind(channel, [BEHIND.no, BEHIND.trust], BEHIND.home)
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

  /** As `exclusively`, for several friends at once. */
  async exclusivelyAll<T>(friends: readonly Uint8Array[], work: () => Promise<T>, from = 0): Promise<T> {
    const friend = friends[from]
    if (!friend) return await work()
    return await this.exclusively(friend, async () => await this.exclusivelyAll(friends, work, from + 1))
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

  /** As `ChannelChanges.open`. */
  openChannel(tx: Transaction, friend: Uint8Array, opening: ChannelOpening): void {
    this.#changes.open(tx, friend, opening)
  }

  /**
   * A session is going to be made: what of the friend's does not open now they will seal again in it. For whoever has no
   * leg under way that the friend may have sealed in already.
   */
  giveUpUnreadable(friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    channel?.unreadable.giveUp(highestRekey(channel))
  }

  /** As `ChannelChanges.move`. */
  setPlaces(tx: Transaction, friend: Uint8Array, places: Places): void {
    this.#changes.move(tx, friend, places)
  }

  /** As `ChannelChanges.end`. */
  closeChannel(tx: Transaction, friend: Uint8Array): void {
    this.#changes.end(tx, friend)
  }

  /**
   * The person says that this home is the only one and the newest: what was stopped for its sake goes on.
   * @param isHeld whether nothing may leave for a friend all the same, until `release`
   */
  async trustHome(isHeld: (friend: Uint8Array) => boolean): Promise<void> {
    for (const channel of this.#channels.all()) {
      const { friend } = channel
      await this.exclusively(friend, async () => {
        await this.#setBehind(channel, [BEHIND.home], isHeld(friend) ? BEHIND.trust : BEHIND.no)
      })
      this.#goOn(channel)
    }
  }

  /** A device that the sessions with a friend were made with is revoked: nothing more is sent in them. */
  retire(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    if (channel) setBehind(tx, channel, [BEHIND.no, BEHIND.home, BEHIND.friend, BEHIND.trust], BEHIND.device)
  }

  /** Nothing leaves for a friend until `release`; what is written waits in the outbox. */
  hold(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    if (channel) setBehind(tx, channel, [BEHIND.no], BEHIND.trust)
  }

  /** What was held goes on. */
  release(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#channels.get(friend)
    if (channel && setBehind(tx, channel, [BEHIND.trust], BEHIND.no)) tx.afterCommit(() => this.#goOn(channel))
  }

  #goOn(channel: Channel): void {
    this.#outgoing.sealWaiting(channel)
    this.#init.courier.hurry(channel.key)
    if (channel.receiptsDue.length > 0) this.#receiptsToFriends.schedule(channel)
  }

  async #setBehind(channel: Channel, from: readonly number[], to: number): Promise<void> {
    const tx = new Transaction()
    setBehind(tx, channel, from, to)
    await this.#init.journal.commit(tx)
  }

  // ---- news ----

  /** Something authentic came: the friend is there, so what waits is worth another try now. */
  #heard(channel: Channel): void {
    this.#presence.heard(channel)
    if (channel.unreadable.settle(spokenRekey(channel))) this.#mailboxes.readAgain(channel)
    if (isBehind(channel)) return
    this.#replacement.replaceIfDue(channel)
    if (channel.entries.size > 0) this.#dispatch.hurry(channel)
    else this.#init.courier.relieve(channel.key)
  }

  /** Servers were caught, lost or found, or leave: everything is put at those that are the best now. */
  standingChanged(server: Uint8Array): void {
    for (const channel of this.#channels.all()) {
      if (this.#receipts.addressOf(channel, server) === undefined) continue
      this.#mailboxes.consign(channel)
    }
    this.#init.standingChanged(server)
  }
}
