/** What friendship needs of the rest of the node; each of its parts takes what it uses. */
import type { Courier } from '../delivery/courier.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { DirectLinks } from '../delivery/direct-links.ts'
import type { Journal } from '../delivery/journal.ts'
import type { MailReader } from '../delivery/mail-reader.ts'
import type { ServerPool } from '../delivery/server-pool.ts'
import type { Directory } from '../directory/directory.ts'
import type { Clock, Logger, Network, Random, Store } from '../ports.ts'
import type { KeyChangesInit, TrustMode } from './key-changes.ts'
import type { Alarms } from './alarms.ts'
import type { RequestPolicy } from './request-box.ts'
import type { Self } from './self.ts'

export interface FriendshipInit {
  self: Self
  journal: Journal
  store: Store
  clock: Clock
  random: Random
  logger: Logger
  network: Network
  directory: Directory
  pool: ServerPool
  reader: MailReader
  courier: Courier
  delivery: Delivery
  /** Own relays, where this person reads mail; they may change while the node runs. */
  relays: () => readonly string[]
  /** Who may ask to be a friend: who has an invite, or anybody who knows the ID. */
  requests: RequestPolicy
  /** Where friends' nodes are reached, and this one. */
  direct: Pick<DirectLinks, 'told' | 'serverOf'>
  /** Seconds. */
  protocolTime: () => number
  /** What happens when a friend's keys change. */
  trust: TrustMode
  /** As `KeyChangesInit.notice`. */
  notice: KeyChangesInit['notice']
  /** How many relays that this person used before sign that a record, by its hash, is the newest at its DHT key. Never throws. */
  attest: (key: Uint8Array, hash: Uint8Array) => Promise<number>
  alarms: Pick<Alarms, 'raise' | 'write' | 'owned' | 'forget' | 'contradicting' | 'isDisowned'>
  /** Sends what a new friend has to know first; never waits for the network. */
  greet: (friend: Uint8Array) => Promise<void>
}

/** Names the mailbox of the answer to a request, among what is read, and the answer, among what is put. */
export function replyName(key: string): string {
  return `reply/${key}`
}
