/** What those above may ask of delivery: where messages are, who is there, what stands in the way. Reads and changes nothing. */
import { equal } from '../crypto/bytes.ts'
import { idToText } from '../identity/root.ts'
import type { Clock } from '../ports.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import { peerIdText } from '../wire/peer-id.ts'
import { BEHIND, countUnacknowledged, findEntry, isBehind, standstill } from './channel.ts'
import type { Channels } from './channels.ts'
import type { Courier } from './courier.ts'
import { MAX_CUSTODY_RELAYS } from '../limits.ts'
import { OUTBOX_STATES, type OutboxState } from './outbox.ts'
import type { Presence } from './presence.ts'
import type { ReceiptCount } from './receipt-count.ts'
import type { RelayStanding } from './relay-standing.ts'
import { type ToldStep, type TrailRow, waitsFor } from './trail.ts'

/**
 * `lost`: there is no session. `home`: the whole home is in doubt. `friend`: the friend remembers more than this home. `device`:
 * every session was made with a device that is revoked. `unreadable`: the friend writes what no session opens. `silent`: the
 * friend writes and acknowledges nothing.
 */
export type Ailment = 'lost' | 'home' | 'friend' | 'device' | 'unreadable' | 'silent'

export interface DeliveryStatusInit {
  clock: Clock
  standing: RelayStanding
  courier: Courier
  channels: Channels
  presence: Presence
  receipts: ReceiptCount
}

export class DeliveryStatus {
  readonly #init: DeliveryStatusInit

  constructor(init: DeliveryStatusInit) {
    this.#init = init
  }

  /** Messages of the person's that this friend has not acknowledged. */
  unacknowledged(friend: Uint8Array): number {
    const channel = this.#init.channels.get(friend)
    return channel ? countUnacknowledged(channel) : 0
  }

  /** Where a message is, while it has not left the outbox. */
  stateOf(friend: Uint8Array, messageId: Uint8Array): OutboxState | undefined {
    const channel = this.#init.channels.get(friend)
    const entry = channel && findEntry(channel, messageId)
    return entry && OUTBOX_STATES[entry.state]
  }

  /** The way of a message that lies in the outbox, and what it waits for now; undefined when it does not lie there. */
  trace(friend: Uint8Array, messageId: Uint8Array): { rows: TrailRow[]; waiting: ToldStep[] } | undefined {
    const { channels, courier, receipts, clock } = this.#init
    const channel = channels.get(friend)
    const entry = channel && findEntry(channel, messageId)
    if (!channel || !entry) return undefined
    const routes = entry.lane && courier.status(channel.key)
    const isSigned = (address: string): boolean =>
      entry.receipts.some(({ server }) => equal(server, receipts.serverId(address)))
    const waiting = waitsFor({ at: clock.now(), friend: idToText(channel.friend), routes, isSigned })
    return { rows: entry.trail ?? [], waiting }
  }

  /** Address of a server in the friend's list, or of any friend's; its peer ID when nobody names it. */
  nameOfServer(server: Uint8Array): string {
    for (const channel of this.#init.channels.all()) {
      const address = this.#init.receipts.addressOf(channel, server)
      if (address !== undefined) return address
    }
    return peerIdText(server)
  }

  /** The relays of all friends, with how many friends read at each. */
  relaysOfFriends(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { relays } of this.#init.channels.all()) {
      for (const address of relays) counts.set(address, (counts.get(address) ?? 0) + 1)
    }
    return counts
  }

  /** Whether something for this friend lies not where it should: at the relays, or where there are none, at the friend's node. */
  hasUnplaced(friend: Uint8Array): boolean {
    const { channels, receipts } = this.#init
    const channel = channels.get(friend)
    if (!channel || isBehind(channel)) return false
    const { direct } = channel
    const wanted = receipts.wanted(channel)
    const isDirectOnly = wanted === 0 && direct.server !== undefined
    return [...channel.entries.values()].some(
      (entry) => receipts.counted(channel, entry) < wanted || (isDirectOnly && !direct.put.has(entry.number)),
    )
  }

  /** Whether there is a session that both hold and in which nothing was ever sent from here. */
  isSilent(friend: Uint8Array): boolean {
    const lanes = this.#init.channels.get(friend)?.lanes.filter(({ behind }) => behind === BEHIND.no) ?? []
    return (
      lanes.some(({ session }) => session.confirmed === 1) && lanes.every(({ session }) => session.sentSerial === 0)
    )
  }

  /** Why nothing leaves for this friend, as `standstill`. */
  behind(friend: Uint8Array): ReturnType<typeof standstill> {
    const channel = this.#init.channels.get(friend)
    return channel && standstill(channel)
  }

  isOnline(friend: Uint8Array): boolean {
    const channel = this.#init.channels.get(friend)
    return channel !== undefined && this.#init.presence.isOnline(channel)
  }

  /** Why mail with this friend does not flow, and no waiting will help; undefined while nothing is known to be wrong. */
  ailment(friend: Uint8Array): Ailment | undefined {
    const channel = this.#init.channels.get(friend)
    if (!channel || channel.lanes.length === 0) return 'lost'
    const why = standstill(channel)
    if (why !== undefined && why !== 'trust') return why
    return channel.unreadable.isTooMuch(this.#init.clock.now()) ? 'unreadable' : undefined
  }

  /**
   * Since when the friend has left a message unacknowledged that was handed over, and the day on which they were heard last;
   * seconds. Undefined when none waits.
   */
  waitingSince(friend: Uint8Array): { since: number; heardAt: number } | undefined {
    const channel = this.#init.channels.get(friend)
    const waiting = [...(channel?.entries.values() ?? [])].filter(
      ({ type, state }) => type !== PAYLOAD_TYPE.receipt && state > 0,
    )
    if (!channel || waiting.length === 0) return undefined
    return { since: Math.min(...waiting.map(({ created }) => created)), heardAt: channel.heardAt }
  }

  /** Where a leg for this friend is put: the relays at which they read, their own node. */
  serversOf(friend: Uint8Array): string[] {
    const channel = this.#init.channels.get(friend)
    if (!channel) return []
    const { relays, direct } = channel
    const chosen = this.#init.standing.choose(relays, MAX_CUSTODY_RELAYS)
    return direct.server === undefined ? chosen : [...chosen, direct.server]
  }

  /**
   * What decides whether a friend is sought elsewhere: since when an own profile waits for their word (undefined: none
   * does), and the day on which they were heard last; seconds.
   */
  silence(friend: Uint8Array): { toldAt: number | undefined; heardAt: number } | undefined {
    const channel = this.#init.channels.get(friend)
    if (!channel) return undefined
    const profiles = [...channel.entries.values()].filter(({ type }) => type === PAYLOAD_TYPE.profile)
    const toldAt = profiles.length > 0 ? Math.min(...profiles.map(({ created }) => created)) : undefined
    return { toldAt, heardAt: channel.heardAt }
  }

  /** The reach secrets of the first session that is known: of friends who were written down before they had any. */
  firstReach(friend: Uint8Array): { reachOut: Uint8Array; reachIn: Uint8Array } | undefined {
    const lanes = this.#init.channels.get(friend)?.lanes ?? []
    // of sessions that crossed the lowest th1 counts, as everywhere
    const rekey = Math.min(...lanes.map(({ session }) => session.rekey))
    return lanes.find(({ session }) => session.rekey === rekey)
  }
}
