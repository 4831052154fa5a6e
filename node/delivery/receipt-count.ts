/**
 * Which receipts count, and how far a message has come by them (PROTOCOL 6): those of servers that the friend names now, and
 * that were never caught dropping mail.
 */
import { equal } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import type { Network } from '../ports.ts'
import type { Channel } from './channel.ts'
import { OUTBOX_STATES, type OutboxEntry } from './outbox.ts'
import type { RelayStanding } from './relay-standing.ts'

export class ReceiptCount {
  readonly #network: Network
  readonly #standing: RelayStanding
  /** Peer IDs by multiaddr: they are asked for again and again. */
  readonly #serverIds = new Map<string, Uint8Array>()

  constructor(init: { network: Network; standing: RelayStanding }) {
    this.#network = init.network
    this.#standing = init.standing
  }

  /** Receipts that make custody: min(3, relays that the friend has). */
  wanted({ relays }: Channel): number {
    return Math.min(limits.MAX_CUSTODY_RELAYS, relays.length)
  }

  counted(channel: Channel, { receipts }: Pick<OutboxEntry, 'receipts'>): number {
    return receipts.filter(
      ({ server }) => this.addressOf(channel, server) !== undefined && !this.#standing.isCaught(server),
    ).length
  }

  /** Place in OUTBOX_STATES. */
  stateReached(channel: Channel, entry: OutboxEntry): number {
    const wanted = this.wanted(channel)
    const counted = this.counted(channel, entry)
    if (wanted > 0 && counted >= wanted) return OUTBOX_STATES.indexOf('custody')
    return OUTBOX_STATES.indexOf(counted > 0 || entry.published > 0 ? 'sent' : 'queued')
  }

  /** Where the friend's present list names a server; undefined when it does not. */
  addressOf({ relays }: Channel, server: Uint8Array): string | undefined {
    return relays.find((address) => equal(this.serverId(address), server))
  }

  /** Peer ID of a multiaddr that a channel names. */
  serverId(address: string): Uint8Array {
    const known = this.#serverIds.get(address)
    if (known) return known
    const server = this.#network.serverId(address)
    if (this.#serverIds.size > limits.MAX_RELAYS * limits.MAX_FRIENDS) this.#serverIds.clear()
    this.#serverIds.set(address, server)
    return server
  }
}
