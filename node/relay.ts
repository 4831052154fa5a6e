/**
 * A relay (PROTOCOL 6): mailboxes for anybody, the gossip mesh of all buckets, a DHT server, and the records of those who
 * use it. Made from ports alone. It has no identity and knows nobody.
 */
import type {
  ConsumerView,
  KnownToken,
  NewToken,
  NodeEvent,
  NodeService,
  NodeStatus,
  Problem,
  RelayChange,
  RelayCounters,
  RelayLimits,
  RelaySettings,
  TokenView,
} from './api/service.ts'
import { createCustody, type Custody, type CustodyInit } from './custody/custody.ts'
import type { OperatorSettings } from './custody/operator.ts'
import { GossipGate } from './delivery/gossip-gate.ts'
import { EventConsumers } from './delivery/event-consumers.ts'
import { Journal } from './delivery/journal.ts'
import { describe, UsageError } from './errors.ts'
import { admitRecordAt, compareRecordsAt } from './identity/record-keys.ts'
import { allTopics } from './mailbox/buckets.ts'
import { parseSource } from './network/source-prefix.ts'
import { BUCKET_BITS } from './node.ts'
import { TokenBook } from './person/token-book.ts'
import type { Inbound, Ports, Timer } from './ports.ts'
import { peerIdText } from './wire/peer-id.ts'

export interface RelayOptions {
  /** 32-byte Ed25519 seed of the transport key, which signs receipts. */
  signingSeed: Uint8Array
  policy?: CustodyInit['policy']
  limits?: CustodyInit['limits']
  bucketBits?: number
  /** What is wrong with the machine's part: the store. */
  problems?: () => Problem[]
  /** The home may be an older one or a copy: its store gets a new ID. @default false */
  isRestored?: boolean
}

const FIRST_REPUBLISH_MS = 60_000
const REPUBLISH_MS = 12 * 3_600_000

export class KithRelay implements NodeService {
  readonly #ports: Ports
  readonly #bucketBits: number
  readonly #custody: Custody
  readonly #journal: Journal
  readonly #consumers: EventConsumers
  readonly #tokens: TokenBook
  readonly #gate: GossipGate
  readonly #startedAt: number
  readonly #problems: () => Problem[]
  #republish: Timer | undefined
  #stopped = false

  private constructor(ports: Ports, custody: Custody, journal: Journal, tokens: TokenBook, options: RelayOptions) {
    const { clock } = ports
    this.#ports = ports
    this.#custody = custody
    this.#journal = journal
    this.#consumers = new EventConsumers({ ...ports, journal })
    this.#tokens = tokens
    this.#bucketBits = options.bucketBits ?? BUCKET_BITS
    this.#problems = options.problems ?? (() => [])
    this.#startedAt = clock.now()
    this.#gate = new GossipGate({ clock, protocolTime: () => clock.now() / 1000, deliver: () => undefined })
  }

  static async open(ports: Ports, options: RelayOptions): Promise<KithRelay> {
    const { clock, random, store, network, logger } = ports
    const custody = await createCustody({
      store,
      clock,
      random,
      logger,
      peerId: network.peerId,
      signingSeed: options.signingSeed,
      openToAll: true,
      policy: options.policy,
      limits: options.limits,
      isRestored: options.isRestored,
      ...recordRules(ports),
    })
    const journal = await Journal.open(store, clock)
    return new KithRelay(ports, custody, journal, await TokenBook.open(ports), options)
  }

  async start(): Promise<void> {
    const { network, clock } = this.#ports
    const { validateRecord, compareRecords } = recordRules(this.#ports)
    const inbound: Inbound = {
      admit: (envelope, _topic, neighbour) => this.#gate.admit(envelope, neighbour),
      serve: (source) => (this.#stopped ? undefined : this.#custody.accept(source)),
      validateRecord,
      compareRecords,
    }
    await network.start(inbound)
    network.turnAway?.(this.#custody.settings().banned)
    network.subscribe(allTopics(this.#bucketBits))
    this.#republish = clock.after(FIRST_REPUBLISH_MS, () => this.#republishRecords())
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#republish?.cancel()
    await this.#ports.network.stop()
    this.#custody.stop()
  }

  async status(): Promise<NodeStatus> {
    const { network, clock } = this.#ports
    return {
      role: 'relay',
      peerId: peerIdText(network.peerId),
      addresses: network.addresses(),
      peers: network.peerCount(),
      relays: [],
      friends: 0,
      requests: 0,
      unacknowledged: 0,
      uptime: clock.now() - this.#startedAt,
      problems: this.#problems(),
    }
  }

  async relayCounters(): Promise<RelayCounters> {
    return this.#custody.counters()
  }

  async relaySettings(): Promise<RelaySettings> {
    const { drain, ...settings } = this.#custody.settings()
    return { ...settings, ...(drain !== undefined && { drainAt: drain * 1000 }) }
  }

  async changeRelay(change: RelayChange): Promise<RelaySettings> {
    const source = change.ban ?? change.unban
    const prefix = source === undefined ? undefined : readSource(source)
    await this.#custody.change((settings) => changed(settings, change, prefix))
    this.#ports.network.turnAway?.(this.#custody.settings().banned)
    return await this.relaySettings()
  }

  async eventsSince(since: number, limit: number): Promise<NodeEvent[]> {
    return await this.#journal.eventsSince(since, limit)
  }

  openConsumer(name: string, from?: number): Promise<number> {
    return this.#consumers.open(name, from)
  }

  acknowledge(name: string, cursor: number): Promise<number> {
    return this.#consumers.acknowledge(name, cursor)
  }

  consumers(): Promise<ConsumerView[]> {
    return this.#consumers.view()
  }

  forgetConsumer(name: string): Promise<boolean> {
    return this.#consumers.forget(name)
  }

  lastCursor(): number {
    return this.#journal.lastCursor
  }

  onEvent(listener: (event: NodeEvent) => void): () => void {
    return this.#journal.onEvent(listener)
  }

  async createToken(token: NewToken, secret: string): Promise<TokenView> {
    return token.conversation === undefined ? await this.#tokens.add(token, secret) : await noPerson()
  }

  async tokens(): Promise<TokenView[]> {
    return this.#tokens.list()
  }

  async revokeToken(tokenId: string): Promise<void> {
    await this.#tokens.revoke(tokenId)
  }

  callerOf(secret: string): KnownToken | undefined {
    return this.#tokens.find(secret)
  }

  onTokenEnd(listener: (tokenId: string) => void): () => void {
    return this.#tokens.onEnd(listener)
  }

  readonly trustHome = noPerson
  readonly relayProofs = noPerson
  readonly createInvite = noPerson
  readonly invites = noPerson
  readonly revokeInvite = noPerson
  readonly add = noPerson
  readonly requests = noPerson
  readonly accept = noPerson
  readonly decline = noPerson
  readonly block = noPerson
  readonly unfriend = noPerson
  readonly friends = noPerson
  readonly rename = noPerson
  readonly verify = noPerson
  readonly trust = noPerson
  readonly rotateIdentity = noPerson
  readonly send = noPerson
  readonly waitForState = noPerson
  readonly history = noPerson
  readonly correspondent = noPerson
  readonly search = noPerson
  readonly conversations = noPerson
  readonly markRead = noPerson
  readonly setDraft = noPerson
  readonly trace = noPerson

  #republishRecords(): void {
    const { clock, network, logger } = this.#ports
    this.#republish = clock.after(REPUBLISH_MS, () => this.#republishRecords())
    const publishAll = async (): Promise<void> => {
      for await (const { key, value } of this.#custody.recordsToRepublish()) {
        if (this.#stopped) return
        await network.putRecord(key, value)
      }
    }
    publishAll().catch((error: unknown) => logger.warn('republishing failed', { problem: describe(error) }))
  }
}

async function noPerson(): Promise<never> {
  throw new UsageError('WRONG_ROLE', 'this node is a relay: it has no identity and no friends')
}

function recordRules({ clock }: Ports): Pick<Inbound, 'validateRecord' | 'compareRecords'> {
  return {
    validateRecord: (key, value) => {
      admitRecordAt(key, value, { now: Math.floor(clock.now() / 1000) })
    },
    compareRecords: compareRecordsAt,
  }
}

function readSource(text: string): string {
  const prefix = parseSource(text)
  if (prefix === undefined) {
    throw new UsageError('BAD_SOURCE', 'expected an IP address, or a prefix of /24 (IPv4) or /48 (IPv6)', {
      hint: 'for example 192.0.2.7, 192.0.2.0/24 or 2001:db8:1::/48',
    })
  }
  return prefix
}

/** The settings after a change; what it does not name stays. @param prefix of the source that it names */
function changed(
  settings: Readonly<OperatorSettings>,
  { drainAt, ban, unban, limits = {} }: RelayChange,
  prefix: string | undefined,
): OperatorSettings {
  const others = settings.banned.filter((one) => one !== prefix)
  if (unban !== undefined && others.length === settings.banned.length) {
    throw new UsageError('NOT_BANNED', `${prefix} is not banned`, { hint: '`kith relay bans` lists who is' })
  }
  const next: OperatorSettings = { ...settings, banned: ban === undefined ? others : [...others, prefix!] }
  if (drainAt === null) delete next.drain
  else if (drainAt !== undefined) next.drain = Math.floor(drainAt / 1000)
  for (const [key, value] of Object.entries(limits) as [keyof RelayLimits, number | null | undefined][]) {
    if (value === null) delete next[key]
    else if (value !== undefined) next[key] = value
  }
  return next
}
