/**
 * The walls of delivery: what it asks of those above (the one call upwards), what they hand down to be sent, and what it
 * needs itself.
 */
import type { Clock, Logger, Network, Random, Store } from '../ports.ts'
import type { Payload } from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import type { Courier } from './courier.ts'
import type { Reach } from './direct-links.ts'
import type { Journal, Transaction } from './journal.ts'
import type { MailReader } from './mail-reader.ts'
import type { RelayStanding } from './relay-standing.ts'
import type { ServerPool } from './server-pool.ts'

/** How a message came. */
export type Via = 'gossip' | 'relay' | 'direct'

/** A message of a friend's, authentic and new. */
export interface IncomingPayload {
  messageId: Uint8Array
  /** Undefined when the friend's node sent something that this version cannot read. */
  payload: Payload | undefined
  encoded: Uint8Array
  via: Via
  /** Milliseconds. */
  receivedAt: number
}

/** The one call upwards: what the payloads mean. `apply` and `settled` write into the transaction and never wait. */
export interface PayloadHandler {
  /** Whether this message is in the history already. */
  isKnown(messageId: Uint8Array): Promise<boolean>
  /** Reads what `apply` will want to know. */
  prepare(friend: Uint8Array, incoming: IncomingPayload): Promise<void>
  apply(tx: Transaction, friend: Uint8Array, incoming: IncomingPayload): void
  /** A message has left the outbox; `trail` is its way, for `decodeTrail`. */
  settled(
    tx: Transaction,
    friend: Uint8Array,
    message: { messageId: Uint8Array; type: number; reference: Uint8Array; trail: Uint8Array },
    state: 'delivered' | 'expired' | 'failed',
    reason?: string,
  ): void
  /** The friend proved to hold the session. */
  confirmed(tx: Transaction, friend: Uint8Array): void
  /** The friend has opened more in a session than this state ever sent in it: the state is an older one. */
  behind(tx: Transaction, friend: Uint8Array): void
  /** What the friend said of a session contradicts what was said in it before: one of both homes exists twice, or was put back. */
  contradiction(tx: Transaction, friend: Uint8Array): void
  /** The friend wrote something that no session opens. */
  unreadable(friend: Uint8Array): void
  /** The friend's head as the friend gave it in a message, ours as the friend saw it, and when it was written there (milliseconds). */
  heads(friend: Uint8Array, said: { mine: Head; yours: Head | undefined; sentAt: number }): void
}

/** What the sender of a message decides; the rest of the payload is delivery's. */
export interface Draft {
  type: number
  /** 16 bytes. */
  conversation: Uint8Array
  lamport: number
  parents: Uint8Array[]
  body: Uint8Array
  /** Seconds. */
  lifetime: number
  /** Handed back in `settled`, at most 64 bytes. */
  reference(messageId: Uint8Array): Uint8Array
  /** Writes the sender's own rows into the batch of the message. */
  record(tx: Transaction, messageId: Uint8Array, encoded: Uint8Array): void
}

export interface DeliveryInit {
  journal: Journal
  store: Store
  clock: Clock
  random: Random
  logger: Logger
  network: Network
  reader: MailReader
  courier: Courier
  direct: {
    /** As `DirectLinks.serverOf`. */
    serverOf: (reach: Reach) => string | undefined
    /** Whether there is a link to this server now. */
    isConnected: (server: string) => boolean
  }
  pool: ServerPool
  standing: RelayStanding
  handler: PayloadHandler
  /** Seconds. */
  protocolTime: () => number
  /** The own record's head, and the friend's as it was seen here. */
  headsFor: (friend: Uint8Array) => { mine: Head; yours: Head | undefined }
  bucketBits: number
  /** False reads and writes by relays alone (profile `light`). */
  gossip: boolean
  /** A receipt that finds no text to ride on leaves after a time drawn from this range. */
  receiptDelayMs: readonly [number, number]
  /** A server was caught dropping mail, or came to be lost or found again. */
  standingChanged: (server: Uint8Array) => void
}
