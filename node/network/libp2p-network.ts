/**
 * The Network port over libp2p (PROTOCOL 2, 5, 6): assembles the stack, and carries envelopes, records and mailbox
 * frames between it and the node. What they mean, and whom to believe, is the node's to say (`Inbound`). Settings and
 * traps of the stack: stack-options.
 */
import { TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { ComponentLogger, Libp2p } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { createLibp2p } from 'libp2p'
import { concat } from '../crypto/bytes.ts'
import { ed25519KeyPair } from '../crypto/ed25519.ts'
import { InternalError, NetworkError, UsageError } from '../errors.ts'
import { ENVELOPE_BYTES } from '../limits.ts'
import type { Admission, Inbound, Link, Logger, Network, Store } from '../ports.ts'
import { BootstrapDialler } from './bootstrap-dialler.ts'
import { DhtWatchdog, routingTableSize } from './dht-watchdog.ts'
import { GuardedDatastore } from './guarded-datastore.ts'
import { MailboxHost } from './mailbox-host.ts'
import { OpenedLinks } from './opened-links.ts'
import { collectValues, putEverywhere } from './record-query.ts'
import { checkRecord, isGoodRecord, isRecordKey, recordSelectors, recordValidators } from './record-rules.ts'
import { parseServerAddress } from './server-address.ts'
import {
  MAIL_TOPICS,
  MAILBOX_PROTOCOL,
  MAX_LINKS_PER_CONNECTION,
  type NetworkKind,
  type NetworkRole,
  type StackServices,
  stackOptions,
} from './stack-options.ts'
import { sourcePrefix } from './source-prefix.ts'
import { StoreDatastore } from './store-datastore.ts'

const SWEEP_PERIOD_MS = 6 * 60 * 60 * 1000
const MAX_ENVELOPE_BYTES = Math.max(...ENVELOPE_BYTES)
const KEPT_RECORDS = {
  node: { maxRecords: 20_000, maxRecordBytes: 64 * 1024 * 1024, maxPeers: 2000 },
  relay: { maxRecords: 100_000, maxRecordBytes: 256 * 1024 * 1024, maxPeers: 10_000 },
} as const

export interface Libp2pNetworkInit {
  /** 32 bytes: the Ed25519 key of the peer ID, which is transport and knows nothing of the ID (1). */
  privateKeySeed: Uint8Array
  /** Multiaddrs to listen on; empty for none. */
  listen: readonly string[]
  /** Multiaddrs, `/p2p/…` included, that are dialled and dialled again as long as the node runs. */
  bootstrap: readonly string[]
  network: NetworkKind
  role: NetworkRole
  /** Keeps peers and DHT records, in `TABLE.datastore`. */
  store: Store
  logger: Logger
  /** Where libp2p writes its own log. @default libp2p's, silent unless `DEBUG` is set */
  componentLogger?: ComponentLogger
  /** Further multiaddrs under which this node is reached, told to peers. @default none */
  announce?: readonly string[]
  /** All gossip topics there are. @default MAIL_TOPICS */
  topics?: readonly string[]
}

export interface Libp2pNetwork extends Network {
  /** Peers in the routing table of the DHT; 0 when stopped. */
  dhtPeerCount(): number
  /** Peers known to read a topic; 0 when stopped. */
  topicPeerCount(topic: string): number
  /** Mailbox streams that are served now. */
  servedLinkCount(): number
}

/** What exists between start and stop. */
interface Running {
  libp2p: Libp2p<StackServices>
  inbound: Inbound
  records: GuardedDatastore
  disk: StoreDatastore
  host: MailboxHost
  links: OpenedLinks
  watchdog: DhtWatchdog
  bootstrap: BootstrapDialler
  sweep: NodeJS.Timeout
  stopped: AbortController
}

/**
 * A network that is not started. It may be started again after it was stopped.
 * @throws UsageError `BAD_ADDRESS` when a bootstrap is not a multiaddr that ends in `/p2p/…`
 */
export function createLibp2pNetwork(init: Libp2pNetworkInit): Libp2pNetwork {
  return new Libp2pAssembly(init)
}

class Libp2pAssembly implements Libp2pNetwork {
  readonly peerId: Uint8Array
  readonly #init: Libp2pNetworkInit
  readonly #privateKey: ReturnType<typeof privateKeyFromRaw>
  readonly #peerIdText: string
  readonly #allTopics: readonly string[]
  #readTopics = new Set<string>()
  #turnedAway = new Set<string>()
  #running: Running | undefined
  /** Starts and stops, one after another. */
  #lifecycle: Promise<unknown> = Promise.resolve()

  constructor(init: Libp2pNetworkInit) {
    this.#init = init
    const { seed, public: publicKey } = ed25519KeyPair(init.privateKeySeed)
    this.#privateKey = privateKeyFromRaw(concat(seed, publicKey))
    const peerId = peerIdFromPrivateKey(this.#privateKey)
    this.#peerIdText = peerId.toString()
    this.peerId = peerId.toMultihash().bytes
    this.#allTopics = init.topics ?? MAIL_TOPICS
    for (const address of init.bootstrap) parseServerAddress(address)
  }

  // ---- lifecycle ----

  start(inbound: Inbound): Promise<void> {
    return this.#inTurn(() => this.#start(inbound))
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop())
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#lifecycle.then(step, step)
    this.#lifecycle = turn
    return turn
  }

  async #start(inbound: Inbound): Promise<void> {
    if (this.#running !== undefined) throw new InternalError('NETWORK_STARTED', 'the network runs already')
    const { store, logger, role, listen } = this.#init
    const disk = new StoreDatastore(store, logger)
    const records = new GuardedDatastore({
      inner: disk,
      peerId: this.peerId,
      peerIdText: this.#peerIdText,
      rules: inbound,
      ...KEPT_RECORDS[role],
    })
    const host = new MailboxHost({ serve: (source) => inbound.serve(source), logger })
    let libp2p: Libp2p<StackServices>
    try {
      await records.open()
      libp2p = await this.#startStack(inbound, records, host)
    } catch (error) {
      await disk.close()
      throw error
    }
    if (listen.length > 0 && libp2p.services.listeners.addresses().length === 0) {
      logger.warn('none of the addresses could be listened on', { listen })
    }
    const sweep = (): void => {
      records.sweep().catch((error: unknown) => logger.warn('expired records were not swept', { error }))
    }
    const stopped = new AbortController()
    this.#running = {
      libp2p,
      inbound,
      records,
      disk,
      host,
      links: new OpenedLinks({ libp2p, bootstrap: this.#init.bootstrap, stopped: stopped.signal }),
      watchdog: new DhtWatchdog(libp2p, libp2p.services.dht),
      bootstrap: new BootstrapDialler(libp2p, this.#init.bootstrap, logger),
      sweep: setInterval(sweep, SWEEP_PERIOD_MS),
      stopped,
    }
  }

  async #startStack(inbound: Inbound, records: GuardedDatastore, host: MailboxHost): Promise<Libp2p<StackServices>> {
    const libp2p = await createLibp2p(
      stackOptions({
        privateKey: this.#privateKey,
        listen: this.#init.listen,
        announce: this.#init.announce ?? [],
        kind: this.#init.network,
        role: this.#init.role,
        topics: this.#allTopics,
        datastore: records,
        logger: this.#init.componentLogger,
        validators: recordValidators(inbound),
        selectors: recordSelectors(inbound),
        isTurnedAway: (remote) => this.#turnedAway.has(sourcePrefix(remote)),
      }),
    )
    for (const topic of this.#allTopics) this.#validateTopic(libp2p, inbound, topic)
    // Before start: identify tells each peer once which protocols there are.
    await libp2p.handle(MAILBOX_PROTOCOL, (stream, connection) => host.accept(stream, connection), {
      maxInboundStreams: MAX_LINKS_PER_CONNECTION,
      maxOutboundStreams: MAX_LINKS_PER_CONNECTION,
      runOnLimitedConnection: true,
    })
    await libp2p.start()
    for (const topic of this.#readTopics) libp2p.services.gossip.subscribe(topic)
    return libp2p
  }

  async #stop(): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.stopped.abort()
    clearInterval(running.sweep)
    running.watchdog.stop()
    running.bootstrap.stop()
    running.links.close()
    running.host.close()
    await running.libp2p.stop()
    await running.disk.close()
  }

  // ---- peers ----

  addresses(): string[] {
    const libp2p = this.#running?.libp2p
    if (libp2p === undefined) return []
    const suffix = `/p2p/${this.#peerIdText}`
    // What is announced, and on the internet also what lies in the home network: friends may be told of it.
    const own = libp2p.services.listeners.addresses().map((address) => {
      const text = address.toString()
      return text.endsWith(suffix) ? text : text + suffix
    })
    return [...new Set([...libp2p.getMultiaddrs().map(String), ...own])]
  }

  peerCount(): number {
    return this.#running?.libp2p.getPeers().length ?? 0
  }

  turnAway(prefixes: readonly string[]): void {
    this.#turnedAway = new Set(prefixes)
    for (const connection of this.#running?.libp2p.getConnections() ?? []) {
      if (this.#turnedAway.has(sourcePrefix(connection.remoteAddr))) connection.abort(new Error('turned away'))
    }
  }

  dhtPeerCount(): number {
    return this.#running === undefined ? 0 : routingTableSize(this.#running.libp2p.services.dht)
  }

  topicPeerCount(topic: string): number {
    return this.#running?.libp2p.services.gossip.getSubscribers(topic).length ?? 0
  }

  servedLinkCount(): number {
    return this.#running?.host.size ?? 0
  }

  // ---- mailbox streams ----

  serverId(server: string): Uint8Array {
    return parseServerAddress(server).peerId.toMultihash().bytes
  }

  async connect(server: string): Promise<Link> {
    // what is no address is told before anything else
    parseServerAddress(server)
    if (this.#running === undefined) throw new NetworkError('UNREACHABLE', 'this node is not on the network')
    return await this.#running.links.open(server)
  }

  // ---- gossip ----

  subscribe(topics: readonly string[]): void {
    for (const topic of topics) {
      if (!this.#allTopics.includes(topic)) throw new UsageError('BAD_TOPIC', 'expected a topic of this network')
    }
    const wanted = new Set(topics)
    const gossip = this.#running?.libp2p.services.gossip
    for (const topic of this.#readTopics) if (!wanted.has(topic)) gossip?.unsubscribe(topic)
    for (const topic of wanted) if (!this.#readTopics.has(topic)) gossip?.subscribe(topic)
    this.#readTopics = wanted
  }

  async publish(topic: string, envelope: Uint8Array): Promise<number> {
    const gossip = this.#running?.libp2p.services.gossip
    // One that is too large would cut gossip with every peer it is sent to.
    if (gossip === undefined || envelope.length > MAX_ENVELOPE_BYTES || !this.#allTopics.includes(topic)) return 0
    try {
      // Published to nobody it would count as seen, and could not be published again for two minutes.
      if (gossip.getSubscribers(topic).length === 0) return 0
      return (await gossip.publish(topic, envelope)).recipients.length
    } catch (error) {
      this.#init.logger.debug('an envelope was not published', { error })
      return 0
    }
  }

  #validateTopic(libp2p: Libp2p<StackServices>, inbound: Inbound, topic: string): void {
    libp2p.services.gossip.topicValidators.set(topic, (neighbour, message) => {
      // A peer may send us any topic; what this node does not read it does not carry.
      if (!this.#readTopics.has(topic)) return TopicValidatorResult.Ignore
      try {
        return VERDICT[inbound.admit(message.data, topic, neighbour.toString())]
      } catch (error) {
        this.#init.logger.error('an envelope could not be judged', { error })
        return TopicValidatorResult.Ignore
      }
    })
  }

  // ---- records ----

  async putRecord(key: Uint8Array, value: Uint8Array): Promise<number> {
    const running = this.#running
    if (running === undefined) return 0
    try {
      checkRecord(running.inbound, key, value)
    } catch (error) {
      this.#init.logger.warn('a record of our own is not valid and was not put', { error })
      return 0
    }
    // a relay puts the records of others: they keep to its bounds
    if (this.#init.role === 'node') running.records.pin(key)
    return await putEverywhere(running.libp2p.services.dht, key, value, running.stopped.signal)
  }

  async getRecord(key: Uint8Array): Promise<Uint8Array[]> {
    const running = this.#running
    if (running === undefined || !isRecordKey(key)) return []
    const [held, found] = await Promise.all([
      // What peers say is worth having although the own disk fails.
      running.records.record(key).catch(() => undefined),
      collectValues(running.libp2p.services.dht, key, running.stopped.signal),
    ])
    const isNew = held !== undefined && found.every((value) => Buffer.compare(value, held) !== 0)
    return isNew && isGoodRecord(running.inbound, key, held) ? [...found, held] : found
  }
}

const VERDICT: Record<Admission, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}
