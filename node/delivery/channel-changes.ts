/**
 * The channel with a friend as it is opened, moved and ended: rows of the transaction of whoever decides it, and what follows
 * in memory and at relays once that is on the disk.
 */
import { toHex } from '../crypto/bytes.ts'
import { type Network, type Store, TABLE } from '../ports.ts'
import type { SessionState } from '../session/session-state.ts'
import {
  BEHIND,
  type Channel,
  deleteChannel,
  deleteLane,
  type LaneSecrets,
  newChannel,
  newLane,
  putChannel,
  putLane,
  withLane,
} from './channel.ts'
import type { ChannelMailboxes } from './channel-mailboxes.ts'
import type { Channels } from './channels.ts'
import type { DirectDelivery } from './direct-delivery.ts'
import type { Reach } from './direct-links.ts'
import type { Dispatch } from './dispatch.ts'
import type { Transaction } from './journal.ts'
import type { MailboxReplacement } from './mailbox-replacement.ts'
import type { OutboxProgress } from './outbox-progress.ts'
import type { OutgoingMail } from './outgoing-mail.ts'
import type { Presence } from './presence.ts'
import type { ReceiptsToFriends } from './receipts-to-friends.ts'

/** Where a friend reads mail, and how their own node is reached. */
export interface Places {
  relays: string[]
  reach: Reach
}

/** A session that a handshake brought. */
export interface ChannelOpening extends Places {
  session: SessionState
  secrets: LaneSecrets
  /** Why nothing is sent in it, as in BEHIND; undefined when it is sent in. */
  behind?: 'trust' | 'device' | undefined
}

export interface ChannelChangesInit {
  store: Store
  network: Network
  channels: Channels
  progress: OutboxProgress
  direct: DirectDelivery
  dispatch: Dispatch
  outgoing: OutgoingMail
  mailboxes: ChannelMailboxes
  replacement: MailboxReplacement
  receiptsToFriends: ReceiptsToFriends
  presence: Presence
  /** As `DirectLinks.serverOf`. */
  serverOf: (reach: Reach) => string | undefined
}

export class ChannelChanges {
  readonly #init: ChannelChangesInit

  constructor(init: ChannelChangesInit) {
    this.#init = init
  }

  /** Adds a session with a friend to the transaction; mail flows in it once the transaction is committed. */
  open(tx: Transaction, friend: Uint8Array, { session, secrets, relays: named, reach, behind }: ChannelOpening): void {
    const lane = { ...newLane(session, secrets), behind: BEHIND[behind ?? 'no'] }
    const relays = this.#usable(named)
    const heardAt = this.#init.presence.today()
    putChannel(tx, friend, { relays, reach, heardAt })
    putLane(tx, friend, lane, { ...lane, highestTag: -1 })
    const channel = this.#init.channels.get(friend) ?? newChannel(friend)
    const { kept: lanes, ended } = withLane(channel.lanes, lane)
    for (const old of ended) deleteLane(tx, friend, old)
    tx.afterCommit(() => {
      this.#init.channels.add(channel)
      channel.relays = relays
      this.#setReach(channel, reach)
      channel.heardAt = heardAt
      channel.lanes = lanes
      this.#init.mailboxes.consign(channel)
    })
    this.#init.replacement.opened(tx, channel, lane)
    tx.afterCommit(() => {
      this.#init.outgoing.sealWaiting(channel)
      // where every session was behind, what the friend waits to be told has waited too
      if (channel.receiptsDue.length > 0) this.#init.receiptsToFriends.schedule(channel)
      // some may open now
      if (channel.unreadable.isAny) this.#init.mailboxes.readAgain(channel)
    })
  }

  /** The friend reads mail at these relays (none changes nothing), and is reached so, from now on. */
  move(tx: Transaction, friend: Uint8Array, places: Places): void {
    const channel = this.#init.channels.get(friend)
    if (!channel) return
    const named = this.#usable(places.relays)
    const relays = named.length > 0 ? named : channel.relays
    const { serverOf } = this.#init
    const isAtHome = channel.relays.join() === relays.join()
    if (isAtHome && channel.direct.server === serverOf(places.reach)) return
    putChannel(tx, friend, { relays, reach: places.reach, heardAt: channel.heardAt })
    tx.afterCommit(() => {
      channel.relays = relays
      this.#setReach(channel, places.reach)
      if (isAtHome) this.#init.direct.consign(channel)
      else this.#init.mailboxes.consign(channel)
    })
  }

  /** Ends everything with a friend: sessions, mailboxes (given up at the relays) and what was on its way. */
  end(tx: Transaction, friend: Uint8Array): void {
    const channel = this.#init.channels.get(friend)
    if (!channel) return
    deleteChannel(tx, channel)
    for (const entry of channel.entries.values()) {
      this.#init.progress.settle(tx, channel, entry, 'failed', 'the friendship was ended')
    }
    for (const messageId of channel.receiptsDue) {
      tx.delete(TABLE.receiptDue, friend, this.#init.store.blind(messageId))
    }
    this.#init.mailboxes.close(tx, channel)
    tx.afterCommit(() => {
      this.#init.channels.remove(channel)
      this.#init.dispatch.forget(channel)
      this.#init.receiptsToFriends.forget(channel)
      // what is still under way for them finds nothing to write about
      channel.lanes = []
      channel.entries.clear()
      channel.receiptsDue = []
    })
  }

  #setReach(channel: Channel, reach: Reach): void {
    channel.reach = reach
    channel.direct.server = this.#init.serverOf(reach)
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
}
