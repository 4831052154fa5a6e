/**
 * The parts of a person's node, joined: the one place where directory, delivery, friendship and conversation get to know
 * each other (ARCHITECTURE, composition roots). Each is made in a method of its own; a part that another needs later on is
 * reached through a function, so that the order below is the order in which they are made.
 */
import { Conversations } from '../conversation/conversation.ts'
import { createCustody, type Custody } from '../custody/custody.ts'
import { createLocalLink } from '../custody/local-link.ts'
import { Courier } from '../delivery/courier.ts'
import { equal } from '../crypto/bytes.ts'
import { Delivery } from '../delivery/delivery.ts'
import { DirectLinks } from '../delivery/direct-links.ts'
import { GossipGate } from '../delivery/gossip-gate.ts'
import { EventConsumers } from '../delivery/event-consumers.ts'
import { Journal } from '../delivery/journal.ts'
import { MailReader } from '../delivery/mail-reader.ts'
import { askServers, countReceipts, handToServers } from '../delivery/record-servers.ts'
import { RelayStanding } from '../delivery/relay-standing.ts'
import { ServerPool } from '../delivery/server-pool.ts'
import { createDirectory, type Directory } from '../directory/directory.ts'
import { createProtocolTime, type ProtocolTime } from '../directory/protocol-time.ts'
import { describe } from '../errors.ts'
import { Alarms } from '../friendship/alarms.ts'
import { Friendship } from '../friendship/friendship.ts'
import { loadToldRelays, OwnRelays, type ToldRelays } from '../friendship/own-relays.ts'
import { Self } from '../friendship/self.ts'
import { compareRecordsAt, prekeyRecordKey, validateRecordAt } from '../identity/record-keys.ts'
import type { Ports } from '../ports.ts'
import type { NodeOptions, Settings } from './options.ts'
import { TokenBook } from './token-book.ts'

const RECEIPT_DELAY_MS = { normal: [1000, 5000], light: [1000, 5000], privacy: [2000, 30_000] } as const
const ACKNOWLEDGE_WITHIN_MS = 60_000
/** What a relay may take to say whether it takes mail. */
const GREETING_TIMEOUT_MS = 8000

/** What is read from the store before the parts are made. */
export interface KnownAtStart {
  self: Self
  journal: Journal
  standing: RelayStanding
  told: ToldRelays | undefined
  tokens: TokenBook
  /** The mailbox server for this node's own mailboxes; undefined when nobody is to write here. */
  custody: Custody | undefined
}

/** What the parts tell the node. */
export interface PartsEvents {
  /** A relay that the person chose told the time, seconds. */
  onTime: (address: string, seconds: number) => void
  /** A server was caught dropping mail, or came to be lost or found again. */
  onStandingChanged: (server: Uint8Array) => void
}

/** @throws ConfigError `NO_IDENTITY`, StoreError */
export async function readKnown(ports: Ports, options: NodeOptions): Promise<KnownAtStart> {
  const { store, clock, network } = ports
  const self = await Self.load(store)
  const journal = await Journal.open(store, clock)
  const standing = await RelayStanding.open({ store, clock, serverId: (address) => network.serverId(address) })
  const told = await loadToldRelays(store)
  const tokens = await TokenBook.open(ports)
  return { self, journal, standing, told, tokens, custody: await openCustody(ports, options) }
}

export class Parts {
  readonly #ports: Ports
  readonly #settings: Settings
  readonly #events: PartsEvents
  readonly self: Self
  readonly journal: Journal
  readonly consumers: EventConsumers
  readonly standing: RelayStanding
  readonly custody: Custody | undefined
  readonly time: ProtocolTime
  readonly direct: DirectLinks
  readonly pool: ServerPool
  readonly ownRelays: OwnRelays
  readonly reader: MailReader
  readonly courier: Courier
  readonly alarms: Alarms
  readonly directory: Directory
  readonly conversations: Conversations
  readonly delivery: Delivery
  readonly friendship: Friendship
  readonly gate: GossipGate

  constructor(ports: Ports, settings: Settings, known: KnownAtStart, events: PartsEvents) {
    this.#ports = ports
    this.#settings = settings
    this.#events = events
    this.self = known.self
    this.journal = known.journal
    this.consumers = new EventConsumers({ ...ports, journal: this.journal })
    this.standing = known.standing
    this.custody = known.custody
    this.time = createProtocolTime(ports.clock)
    this.direct = this.#makeDirect()
    this.pool = this.#makePool()
    this.ownRelays = this.#makeOwnRelays(known.told)
    this.reader = this.#makeReader()
    this.courier = new Courier({ ...ports, pool: this.pool, protocolTime: this.protocolTime })
    this.alarms = this.#makeAlarms()
    this.directory = this.#makeDirectory()
    this.conversations = new Conversations({ ...ports, selfId: this.self.id })
    this.delivery = this.#makeDelivery()
    this.friendship = this.#makeFriendship()
    this.gate = new GossipGate({
      clock: ports.clock,
      protocolTime: this.protocolTime,
      deliver: (bytes, envelope) => this.delivery.gossip(bytes, envelope),
    })
  }

  /** Seconds. */
  readonly protocolTime = (): number => this.time.now()

  #makeDirect(): DirectLinks {
    const { network } = this.#ports
    const { custody } = this
    const openOwn = custody && (() => createLocalLink(custody.acceptLocal(), network.peerId))
    return new DirectLinks({ network, mode: this.#settings.direct, openOwn })
  }

  #makePool(): ServerPool {
    const { relays } = this.#settings
    return new ServerPool({
      ...this.#ports,
      network: this.direct,
      onHello: (address, server, { time, policy }) => {
        // others name servers to us as well, in invites and profiles: only those that the person chose have a vote
        if (relays.includes(address)) this.#events.onTime(address, time)
        this.#noteEnd(server, policy.drain)
      },
      onServer: ({ peerId, storeId }) => this.delivery.storeSeen(peerId, storeId),
    })
  }

  /** A server that announced its end is left for others in time. */
  #noteEnd(server: Uint8Array, leaving: number | undefined): void {
    this.standing.noteEnd(server, leaving).then(
      (isNews) => {
        if (isNews) this.delivery.standingChanged(server)
      },
      (error: unknown) => this.#ports.logger.warn('the end of a relay was not noted', { problem: describe(error) }),
    )
  }

  #makeOwnRelays(told: ToldRelays | undefined): OwnRelays {
    return new OwnRelays(
      {
        ...this.#ports,
        standing: this.standing,
        configured: this.#settings.relays,
        protocolTime: this.protocolTime,
        candidates: () => this.delivery.status.relaysOfFriends(),
        takesMail: async (address) => await this.#takesMail(address),
      },
      told,
    )
  }

  #makeReader(): MailReader {
    return new MailReader({
      ...this.#ports,
      pool: this.pool,
      network: this.direct,
      protocolTime: this.protocolTime,
      acknowledgeWithinMs: ACKNOWLEDGE_WITHIN_MS,
    })
  }

  #makeAlarms(): Alarms {
    return new Alarms({
      ...this.#ports,
      journal: this.journal,
      self: this.self.id,
      believed: (id) => (equal(id, this.self.id) ? this.self.head : this.friendship.pinOf(id)),
      ownPrekey: () => ({ key: prekeyRecordKey(this.self.device), seq: this.self.prekeySeq }),
      known: () => [this.self.id, ...this.friendship.all().map(({ id }) => id)],
    })
  }

  #makeDirectory(): Directory {
    const { pool, ownRelays } = this
    return createDirectory({
      ...this.#ports,
      protocolTime: this.protocolTime,
      askServers: (key, servers) => askServers(pool, servers ?? ownRelays.current, key),
      ...(this.#settings.relays.length > 0 && {
        handToServers: (key, value) => handToServers(pool, ownRelays.current, { key, value }),
      }),
      onAlarm: (alarm) => this.alarms.record(alarm),
      onNews: (id) => this.friendship.recordStored(id),
      isDisowned: (hash) => this.alarms.isDisowned(hash),
    })
  }

  #makeDelivery(): Delivery {
    const { bucketBits, profile } = this.#settings
    return new Delivery({
      ...this.#ports,
      journal: this.journal,
      reader: this.reader,
      courier: this.courier,
      direct: {
        serverOf: (reach) => this.direct.serverOf(reach),
        isConnected: (server) => this.pool.connected(server) !== undefined,
      },
      pool: this.pool,
      standing: this.standing,
      handler: this.conversations,
      protocolTime: this.protocolTime,
      headsFor: (friend) => this.friendship.headsFor(friend),
      bucketBits,
      gossip: profile !== 'light',
      receiptDelayMs: RECEIPT_DELAY_MS[profile],
      standingChanged: (server) => this.#events.onStandingChanged(server),
    })
  }

  #makeFriendship(): Friendship {
    const { self, ownRelays, direct } = this
    return new Friendship({
      ...this.#ports,
      self,
      journal: this.journal,
      directory: this.directory,
      pool: this.pool,
      reader: this.reader,
      courier: this.courier,
      delivery: this.delivery,
      relays: () => ownRelays.current,
      requests: this.#settings.requests,
      direct,
      protocolTime: this.protocolTime,
      trust: this.#settings.trust,
      notice: (tx, friend, notice) => this.conversations.notice(tx, friend, notice),
      alarms: this.alarms,
      attest: (key, hash) => this.#attest(key, hash),
      greet: (friend) =>
        this.conversations.sendProfile(friend, {
          name: self.name,
          relays: [...ownRelays.current],
          ...direct.told(),
        }),
    })
  }

  /** Relays that strangers name are no witnesses: the own ones are, and those at which friends read. */
  async #attest(key: Uint8Array, hash: Uint8Array): Promise<number> {
    const { pool, ownRelays, delivery } = this
    const used = [...new Set([...ownRelays.current, ...delivery.status.relaysOfFriends().keys()])]
    return await countReceipts(pool, used, { key, hash, now: this.protocolTime() })
  }

  async #takesMail(address: string): Promise<boolean> {
    try {
      return await this.pool.withServer(address, GREETING_TIMEOUT_MS, async ({ client }) => {
        return (await client.hello()).policy.drain === undefined
      })
    } catch {
      return false
    }
  }
}

async function openCustody(ports: Ports, { direct = 'never', signingSeed }: NodeOptions): Promise<Custody | undefined> {
  if (direct === 'never' || !signingSeed) return undefined
  const { store, clock, random, logger, network } = ports
  return await createCustody({
    store,
    clock,
    random,
    logger,
    peerId: network.peerId,
    signingSeed,
    openToAll: false,
    validateRecord: (key, value) => {
      validateRecordAt(key, value, { now: Math.floor(clock.now() / 1000) })
    },
    compareRecords: compareRecordsAt,
  })
}
