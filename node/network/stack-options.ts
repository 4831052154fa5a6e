/**
 * How libp2p is set up, and the traps of the stack: each setting below differs from the library's default for the
 * reason beside it (libp2p 3.3, kad-dht 16.4, gossipsub 17.1, yamux 8.0). PROTOCOL 2, 5 and 6. Traps that no setting
 * cures are defended in the file that is named: GuardedDatastore (older records overwrite newer ones, nothing is
 * capped), record-query (`get` throws), DhtWatchdog (peers that never reach the routing table), FrameStream
 * (back-pressure), BootstrapDialler (nobody dials again).
 */
import { type GossipSub, gossipsub, StrictNoSign } from '@chainsafe/libp2p-gossipsub'
import { createTopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import { noise } from '@chainsafe/libp2p-noise'
import { type Identify, identify } from '@libp2p/identify'
import type { ComponentLogger, PeerId, PrivateKey } from '@libp2p/interface'
import {
  type KadDHT,
  kadDHT,
  passthroughMapper,
  removePrivateAddressesMapper,
  type SelectFn,
  type ValidateFn,
} from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { isPrivate } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { FaultTolerance } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { Libp2pOptions } from 'libp2p'
import { sha256 } from '../crypto/hash.ts'

/** Not the public DHT's: strangers to Kith neither fill our tables nor are asked for our records (2). */
export const DHT_PROTOCOL = '/kith/kad/1.0.0'
export const MAILBOX_PROTOCOL = '/kith/mailbox/1.0.0'
/** Mailbox streams that one connection may hold open. */
export const MAX_LINKS_PER_CONNECTION = 8

/** Bits of a recipient's hash that choose the topic (5). */
const BUCKET_BITS = 2
/** Every topic there is: `/kith/1/mail/<b>/<index>`. */
export const MAIL_TOPICS: readonly string[] = Array.from(
  { length: 2 ** BUCKET_BITS },
  (_, index) => `/kith/1/mail/${BUCKET_BITS}/${index}`,
)

/** A tag of this prefix makes libp2p spare a connection when it prunes, and dial it again five times. */
export const KEEP_ALIVE_TAG = 'keep-alive-kith'

/** `lan`: loopback and local networks, everybody serves. `public`: the internet, private addresses are worth nothing. */
export type NetworkKind = 'lan' | 'public'
/** A person's node, or a relay that stays. */
export type NetworkRole = 'node' | 'relay'

/** What the assembly of the stack needs to know. */
export interface StackInit {
  privateKey: PrivateKey
  listen: readonly string[]
  announce: readonly string[]
  kind: NetworkKind
  role: NetworkRole
  topics: readonly string[]
  datastore: Datastore
  logger: ComponentLogger | undefined
  validators: Record<string, ValidateFn>
  selectors: Record<string, SelectFn>
  /** Whether connections from there are refused. */
  isTurnedAway: (remote: Multiaddr) => boolean
}

// A type, not an interface: libp2p wants an index signature of its service map.
export type StackServices = {
  identify: Identify
  ping: Ping
  dht: KadDHT
  gossip: GossipSub
  listeners: ListenerAddresses
}

/** Where the transports listen, before anything is filtered for announcing. */
interface ListenerAddresses {
  addresses(): Multiaddr[]
}

/** Largest RPC of gossip. The exact size of an envelope is the validator's check. */
const MAX_GOSSIP_RPC_BYTES = 1024 * 1024
/** Limits of what one host may open; `lan` is also many nodes of a test or a demonstration behind one address. */
const CONNECTIONS = {
  lan: { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1000 },
  public: { inboundConnectionThreshold: 20, maxIncomingPendingConnections: 64 },
} as const
const MAX_CONNECTIONS = { node: 200, relay: 2000 } as const

/** The options of `createLibp2p`; nothing is started. */
export function stackOptions(init: StackInit): Libp2pOptions<StackServices> {
  return {
    start: false,
    privateKey: init.privateKey,
    // The default names the runtime and its version to every peer.
    nodeInfo: { name: 'kith', version: '1', userAgent: 'kith' },
    datastore: init.datastore,
    ...(init.logger === undefined ? {} : { logger: init.logger }),
    addresses: {
      listen: [...init.listen],
      appendAnnounce: [...init.announce],
      // Identify tells these to every peer: on the internet the addresses of a home network are nobody's business.
      announceFilter: (addresses) => (init.kind === 'lan' ? addresses : addresses.filter((one) => !isPrivate(one))),
    },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    // The receive window grows by default to 16 MiB, above the 4 MiB read buffer: a paused stream is then aborted
    // instead of pushing back. At 1 MiB throughput on loopback is the same.
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: 1024 * 1024 } })],
    connectionManager: {
      // Default 5 a second for each host: of 30 nodes behind one address that start together 25 are refused.
      ...CONNECTIONS[init.kind],
      maxConnections: MAX_CONNECTIONS[init.role],
    },
    // Default: a ping every 10 s, and one that takes 5 s aborts a healthy connection under load.
    connectionMonitor: {
      pingInterval: 30_000,
      pingTimeout: { minTimeout: 15_000 },
      abortConnectionOnPingFailure: true,
    },
    // By default one address that cannot be listened on, or a dead relay among them, makes start throw.
    transportManager: { faultTolerance: FaultTolerance.NO_FATAL },
    connectionGater: {
      denyInboundConnection: ({ remoteAddr }) => init.isTurnedAway(remoteAddr),
      // What strangers claim about where somebody lives must not make this node dial around in its own network.
      filterMultiaddrForPeer: async (_peer: PeerId, address: Multiaddr) => init.kind === 'lan' || !isPrivate(address),
    },
    services: {
      identify: identify(),
      // The DHT verifies a peer by a ping before it enters the routing table.
      ping: ping(),
      dht: dht(init),
      gossip: gossip(init.topics),
      listeners: (components) => ({ addresses: () => components.transportManager.getAddrs() }),
    },
  }
}

function dht(init: StackInit) {
  return kadDHT({
    protocol: DHT_PROTOCOL,
    // Left out, a node is a client until it sees a public address of its own, so that on a LAN nobody serves.
    clientMode: isDhtClient(init),
    // The default drops private addresses, and with them everybody on a LAN.
    peerInfoMapper: init.kind === 'lan' ? passthroughMapper : removePrivateAddressesMapper,
    // Otherwise a put or get without peers hangs until its signal, 180 s by default. It also makes queries not wait
    // for the first query of self.
    allowQueryWithZeroPeers: true,
    // That query would come a second after start; the watchdog repeats it once there is somebody to ask.
    initialQuerySelfInterval: 0,
    // A peer that is silent holds a query for 5 s by default, as long as a whole look-up may take.
    networkDialTimeout: { minTimeout: 3000, maxTimeout: 6000 },
    maxInboundStreams: 16,
    validators: {
      // The library keeps anybody's public keys under /pk/ unless told otherwise; we use no such records.
      pk: () => {
        throw new Error('no records of this kind')
      },
      ...init.validators,
    },
    selectors: init.selectors,
  })
}

/** Who does not serve the DHT: a person's node on the internet that announces no address of its own. */
export function isDhtClient(init: Pick<StackInit, 'kind' | 'role' | 'announce'>): boolean {
  return init.kind === 'public' && init.role === 'node' && init.announce.length === 0
}

function gossip(topics: readonly string[]) {
  return gossipsub({
    // StrictSign puts the author's peer ID under every message and costs three times the CPU.
    globalSignaturePolicy: StrictNoSign,
    // Of all bytes: an ID is marked as seen before the validator runs, so an ID that left out the nonce would let a
    // badly stamped copy suppress the good one (5).
    msgIdFn: (message) => sha256(message.data),
    // Would hand own envelopes to every peer of the topic and so show who the author is.
    floodPublish: false,
    fallbackToFloodsub: false,
    // No peer exchange: addresses out of strangers' mouths.
    doPX: false,
    emitSelf: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // Otherwise a stranger's subscriptions grow the table of topics.
    allowedTopics: [...topics],
    // Bounds a whole RPC; one that is larger cuts gossip with that peer until it reconnects.
    maxInboundDataLength: MAX_GOSSIP_RPC_BYTES,
    maxOutboundBufferSize: 8 * MAX_GOSSIP_RPC_BYTES,
    // Over a relayed connection of 128 KiB an envelope or two would cut the connection.
    runOnLimitedConnection: false,
    scoreParams: {
      // By default more than ten peers at one address (a LAN, a NAT, a relay, Tor) score each other out of the mesh.
      IPColocationFactorWeight: 0,
      // A heartbeat that comes late on a busy machine breaks a promise or two; the square of it empties the mesh.
      behaviourPenaltyThreshold: 6,
      // Each unique peer costs some KiB as long as its score is kept; default an hour.
      retainScore: 10 * 60 * 1000,
      topics: Object.fromEntries(topics.map((topic) => [topic, createTopicScoreParams(TOPIC_SCORE)])),
    },
  })
}

/**
 * Without parameters of its topic a rejected message costs nothing. Only rejects count: the defaults also punish peers
 * that are quiet, and reward by volume. With the default thresholds, gossip with a peer stops at the second reject and
 * everything at the fifth, until about ten minutes have passed.
 */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  firstMessageDeliveriesWeight: 0,
  meshMessageDeliveriesWeight: 0,
  meshFailurePenaltyWeight: 0,
  invalidMessageDeliveriesWeight: -5,
  invalidMessageDeliveriesDecay: 0.995,
}
