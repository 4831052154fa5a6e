/**
 * A person's node: the one place that knows every part and joins them (ARCHITECTURE). Made from ports alone, so the same
 * node runs on libp2p and Level, and in the simulator on a virtual clock. Implements what the API offers.
 */
import type {
  ContactState,
  ContactView,
  DeliveryState,
  HistoryEntry,
  InviteView,
  MessageTrace,
  NodeEvent,
  NodeService,
  NodeStatus,
  Problem,
  RelayCounters,
  RelayProof,
  RelayStatus,
  RequestView,
} from './api/service.ts'
import { Conversations, type HistoryMessage } from './conversation/conversation.ts'
import { fromHex, toHex } from './crypto/bytes.ts'
import { createCustody, type Custody } from './custody/custody.ts'
import { createLocalLink } from './custody/local-link.ts'
import { Courier } from './delivery/courier.ts'
import { Delivery } from './delivery/delivery.ts'
import { DirectLinks, type DirectMode, OWN_SERVER } from './delivery/direct-links.ts'
import { GossipGate } from './delivery/gossip-gate.ts'
import { Journal, Transaction } from './delivery/journal.ts'
import { tellTrail } from './delivery/trail.ts'
import { MailReader } from './delivery/mail-reader.ts'
import { askServers, handToServers } from './delivery/record-servers.ts'
import { RelayStanding } from './delivery/relay-standing.ts'
import { ServerPool } from './delivery/server-pool.ts'
import { createDirectory, type Directory } from './directory/directory.ts'
import { createProtocolTime, type ProtocolTime } from './directory/protocol-time.ts'
import { describe, UsageError } from './errors.ts'
import { Alarms } from './friendship/alarms.ts'
import type { Contact } from './friendship/contact.ts'
import { Friendship } from './friendship/friendship.ts'
import { claimOf } from './friendship/incoming-requests.ts'
import { tellReach } from './friendship/own-reach.ts'
import { loadToldRelays, OwnRelays, type ToldRelays } from './friendship/own-relays.ts'
import { meetAgain } from './friendship/rendezvous.ts'
import { Self } from './friendship/self.ts'
import { compareRecordsAt, validateRecordAt } from './identity/record-keys.ts'
import { idToText } from './identity/root.ts'
import { topicOf } from './mailbox/buckets.ts'
import type { Inbound, Ports, Timer } from './ports.ts'
import { peerIdText } from './wire/peer-id.ts'

export interface NodeOptions {
  /** Multiaddrs of the relays where this person reads mail, at most 4. */
  relays: readonly string[]
  /** `light` joins no gossip topic; `privacy` waits longer before it says anything. @default 'normal' */
  profile?: 'privacy' | 'normal' | 'light'
  /** Bits of the bucket topics: a parameter of the network. @default 2 */
  bucketBits?: number
  /** The home may be an older one or a copy: nothing leaves in sessions that are there now. @default false */
  isHomeChanged?: boolean
  /** What is wrong with the machine's part: the store. */
  problems?: () => Problem[]
  /** Whether friends write at this node itself, and this node at theirs. @default 'never' */
  direct?: DirectMode
  /** 32-byte Ed25519 seed of the transport key, which signs receipts; without it the node serves no mailbox. */
  signingSeed?: Uint8Array
}

type Settings = Required<Omit<NodeOptions, 'signingSeed'>>

/** What the network uses at first (PROTOCOL 5). */
export const BUCKET_BITS = 2
const RECEIPT_DELAY_MS = { normal: [1000, 5000], light: [1000, 5000], privacy: [2000, 30_000] } as const
const ACKNOWLEDGE_WITHIN_MS = 60_000
const RENEW_MS = 6 * 3_600_000
/** When the relays have not told the time by then, the own clock has to do. */
const FIRST_RENEW_MS = 60_000
/** How often the own relays are looked at. */
const REVIEW_MS = 3_600_000
/** Who is gone sooner than this tells no friend where to reach them: a command that does one thing. */
const TELL_REACH_MS = 30_000
const SETTLE_STEP_MS = 50
/** What a stop may spend on acknowledgements that wait. */
const FLUSH_MS = 2000
/** What a relay may take to say whether it takes mail. */
const GREETING_TIMEOUT_MS = 8000
const FINAL: readonly DeliveryState[] = ['delivered', 'read', 'expired', 'failed']
const RANK: Record<DeliveryState, number> = {
  queued: 0,
  sent: 1,
  custody: 2,
  delivered: 3,
  read: 4,
  expired: 5,
  failed: 5,
}

/** What was read before the node is made. */
interface KnownAtStart {
  self: Self
  journal: Journal
  standing: RelayStanding
  told: ToldRelays | undefined
  custody: Custody | undefined
}

export class KithNode implements NodeService {
  readonly #ports: Ports
  readonly #options: Settings
  readonly #self: Self
  readonly #journal: Journal
  readonly #time: ProtocolTime
  readonly #pool: ServerPool
  readonly #reader: MailReader
  readonly #courier: Courier
  readonly #directory: Directory
  readonly #delivery: Delivery
  readonly #conversations: Conversations
  readonly #friendship: Friendship
  readonly #alarms: Alarms
  readonly #gate: GossipGate
  readonly #custody: Custody | undefined
  readonly #direct: DirectLinks
  readonly #standing: RelayStanding
  readonly #ownRelays: OwnRelays
  readonly #startedAt: number
  #renewal: Timer | undefined
  #telling: Timer | undefined
  #renewing: Promise<void> = Promise.resolve()
  #reviewing: Promise<void> = Promise.resolve()
  #review: Timer | undefined
  #online = false
  /** Whether relays have told the time. */
  #hasTime = false
  #stopped = false

  private constructor(ports: Ports, options: Settings, known: KnownAtStart) {
    const { clock, random, store, network, logger } = ports
    const { self, journal, standing, custody } = known
    this.#ports = ports
    this.#options = options
    this.#self = self
    this.#journal = journal
    this.#startedAt = clock.now()
    this.#time = createProtocolTime(clock)
    const protocolTime = (): number => this.#time.now()
    this.#custody = custody
    const openOwn = custody && (() => createLocalLink(custody.acceptLocal(), network.peerId))
    this.#direct = new DirectLinks({ network, mode: options.direct, openOwn })
    this.#pool = new ServerPool({
      network: this.#direct,
      clock,
      random,
      logger,
      // others name servers to us as well, in invites and profiles: only those that the person chose have a vote
      onTime: (address, seconds) => {
        if (options.relays.includes(address)) this.#hearTime(address, seconds)
      },
      onServer: ({ peerId, storeId }) => this.#delivery.storeSeen(peerId, storeId),
    })
    this.#standing = standing
    this.#ownRelays = new OwnRelays(
      {
        store,
        clock,
        random,
        standing,
        configured: options.relays,
        protocolTime,
        candidates: () => this.#delivery.status.relaysOfFriends(),
        takesMail: async (address) => await this.#takesMail(address),
      },
      known.told,
    )
    const ownRelays = this.#ownRelays
    this.#reader = new MailReader({
      pool: this.#pool,
      network: this.#direct,
      store,
      clock,
      random,
      logger,
      protocolTime,
      acknowledgeWithinMs: ACKNOWLEDGE_WITHIN_MS,
    })
    this.#courier = new Courier({ pool: this.#pool, clock, random, logger, protocolTime })
    this.#alarms = new Alarms({
      journal,
      logger,
      known: () => [self.id, ...this.#friendship.all().map(({ id }) => id)],
    })
    this.#directory = createDirectory({
      clock,
      store,
      network,
      logger,
      protocolTime,
      askServers: (key, servers) => askServers(this.#pool, servers ?? ownRelays.current, key),
      ...(options.relays.length > 0 && {
        handToServers: (key, value) => handToServers(this.#pool, ownRelays.current, { key, value }),
      }),
      onAlarm: (alarm) => this.#alarms.record(alarm),
    })
    this.#conversations = new Conversations({ store, selfId: self.id })
    this.#delivery = new Delivery({
      journal,
      store,
      clock,
      random,
      logger,
      network,
      reader: this.#reader,
      courier: this.#courier,
      direct: {
        serverOf: (reach) => this.#direct.serverOf(reach),
        isConnected: (server) => this.#pool.connected(server) !== undefined,
      },
      pool: this.#pool,
      standing,
      handler: this.#conversations,
      protocolTime,
      headsFor: (friend) => this.#friendship.headsFor(friend),
      bucketBits: options.bucketBits,
      gossip: options.profile !== 'light',
      receiptDelayMs: RECEIPT_DELAY_MS[options.profile],
      standingChanged: (server) => this.#standingChanged(server),
    })
    this.#friendship = new Friendship({
      self,
      journal,
      store,
      clock,
      random,
      logger,
      network,
      directory: this.#directory,
      pool: this.#pool,
      reader: this.#reader,
      courier: this.#courier,
      delivery: this.#delivery,
      relays: () => ownRelays.current,
      direct: this.#direct,
      protocolTime,
      onUnknownHead: (friend) => this.#alarms.raise('unknown-head', friend),
      greet: (friend) =>
        this.#conversations.sendProfile(friend, {
          name: self.name,
          relays: [...ownRelays.current],
          ...this.#direct.told(),
        }),
    })
    this.#gate = new GossipGate({
      clock,
      protocolTime,
      deliver: (bytes, envelope) => this.#delivery.gossip(bytes, envelope),
    })
  }

  /** Reads everything from the store. @throws ConfigError `NO_IDENTITY`, StoreError */
  static async open(ports: Ports, options: NodeOptions): Promise<KithNode> {
    const self = await Self.load(ports.store)
    const journal = await Journal.open(ports.store, ports.clock)
    const { store, clock, network } = ports
    const standing = await RelayStanding.open({ store, clock, serverId: (address) => network.serverId(address) })
    const told = await loadToldRelays(store)
    const known = { self, journal, standing, told, custody: await openCustody(ports, options) }
    const node = new KithNode(
      ports,
      {
        profile: 'normal',
        bucketBits: BUCKET_BITS,
        isHomeChanged: false,
        problems: () => [],
        direct: 'never',
        ...options,
      },
      known,
    )
    await node.#reader.load()
    // before anything is given up: a mailbox whose invite ended meanwhile is released where it lies
    node.#readAtServers()
    await node.#directory.start()
    const friends = await node.#friendship.load()
    await node.#conversations.start(node.#delivery, node.#friendship)
    await node.#delivery.start(friends, options.isHomeChanged)
    return node
  }

  /** Begins to listen, dial, read and put. */
  async start(): Promise<void> {
    const { network, clock } = this.#ports
    const { relays } = this.#options
    this.#online = true
    const inbound: Inbound = {
      admit: (envelope, _topic, neighbour) => this.#gate.admit(envelope, neighbour),
      serve: (source) => (this.#direct.admits(source.prefix) ? this.#custody?.accept(source) : undefined),
      validateRecord: (key, value) => this.#directory.validate(key, value),
      compareRecords: (key, a, b) => this.#directory.compare(key, a, b),
    }
    await network.start(inbound)
    this.#pool.start()
    if (this.#options.profile !== 'light') network.subscribe([topicOf(this.#self.id, this.#options.bucketBits)])
    await this.#friendship.start()
    await this.#tellRelays()
    this.#telling = clock.after(TELL_REACH_MS, () => {
      this.#tellReach()
      this.#meetAgain()
    })
    this.#reviewLater()
    this.#publishRecords()
    // a record that a wrong clock dates into the future is believed by nobody, for as long: the relays' time comes first
    if (relays.length < 2) this.#renew()
    else this.#renewal = clock.after(FIRST_RENEW_MS, () => this.#renew())
  }

  /** Sends what can be sent in a moment, and ends. The store stays open. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    // what a friend's node has alone must not depend on that node
    if (this.#online && this.#delivery.releaseHeld()) await this.settle(FLUSH_MS)
    const { clock, network, logger } = this.#ports
    this.#renewal?.cancel()
    this.#telling?.cancel()
    this.#review?.cancel()
    this.#friendship.stop()
    this.#delivery.stop()
    if (this.#online) {
      await Promise.race([
        this.#reader.flush(),
        new Promise<void>((resolve) => {
          clock.after(FLUSH_MS, resolve)
        }),
      ])
    }
    this.#courier.stop()
    this.#pool.stop()
    await this.#directory.stop()
    if (this.#online) await network.stop()
    this.#custody?.stop()
    try {
      await this.#delivery.ended()
    } catch (error) {
      logger.warn('the end of this run could not be written', { problem: describe(error) })
    }
  }

  /** Waits until nothing that could be put now waits, or the time is over. */
  async settle(timeoutMs: number): Promise<void> {
    const { clock } = this.#ports
    const deadline = clock.now() + timeoutMs
    this.#delivery.releaseHeld()
    while (this.#waits() && clock.now() < deadline) {
      await new Promise<void>((resolve) => {
        clock.after(SETTLE_STEP_MS, resolve)
      })
    }
  }

  get id(): string {
    return this.#self.idText
  }

  get name(): string {
    return this.#self.name
  }

  // ---- NodeService ----

  async status(): Promise<NodeStatus> {
    const { network, clock } = this.#ports
    const contacts = this.#friendship.all()
    const recordsTaken = this.#directory.taken()
    return {
      role: 'node',
      id: this.id,
      name: this.name,
      peerId: peerIdText(network.peerId),
      addresses: this.#online ? network.addresses() : [],
      peers: this.#online ? network.peerCount() : 0,
      relays: this.#relayStatus(),
      friends: contacts.filter((one) => one.state === 'friend').length,
      requests: contacts.filter((one) => one.asking).length,
      unacknowledged: contacts.reduce((sum, one) => sum + this.#delivery.status.unacknowledged(one.id), 0),
      uptime: clock.now() - this.#startedAt,
      problems: this.#problems(),
      ...(this.#time.isAgreed() && { clockCorrection: this.#time.correction() }),
      ...(recordsTaken !== undefined && { recordsTaken }),
    }
  }

  async trustHome(): Promise<void> {
    await this.#delivery.trustHome()
  }

  #relayStatus(): RelayStatus[] {
    const { configured, current } = this.#ownRelays
    return [...new Set([...configured, ...current])].map((address) => {
      const { connected, problem } = this.#pool.status(address)
      const isCaught = this.#standing.isCaught(this.#ports.network.serverId(address))
      const said = isCaught ? 'it dropped mail that it had signed for' : problem
      const standIn = this.#ownRelays.isStandIn(address)
      return { address, connected, ...(said !== undefined && { problem: said }), ...(standIn && { standIn }) }
    })
  }

  async relayProofs(): Promise<RelayProof[]> {
    return this.#standing.caught().map(({ server, proven, proof }) => ({
      peerId: peerIdText(server),
      provenAt: proven * 1000,
      proof: toHex(proof),
    }))
  }

  async relayCounters(): Promise<RelayCounters> {
    throw new UsageError('WRONG_ROLE', 'this node is no relay')
  }

  async createInvite({ lifetimeSeconds, uses }: { lifetimeSeconds: number; uses: number }): Promise<InviteView> {
    if (this.#options.relays.length === 0) {
      throw new UsageError('NO_RELAY', 'without a relay nobody can knock', {
        hint: 'add one: `kith config set relays ADDRESS`, then start again',
      })
    }
    const own = await this.#friendship.invites.create({
      id: this.#self.id,
      pin: this.#self.head,
      relays: [...this.#ownRelays.current],
      lifetimeSeconds,
      uses,
    })
    return this.#inviteView(own)
  }

  async invites(): Promise<InviteView[]> {
    await this.#friendship.invites.sweep()
    return this.#friendship.invites.list().map((own) => this.#inviteView(own))
  }

  async revokeInvite(inviteId: string): Promise<void> {
    const own = this.#friendship.invites.list().find((one) => toHex(one.inviteId) === inviteId)
    if (!own) throw new UsageError('UNKNOWN_INVITE', 'no invite has this ID', { hint: '`kith invites` lists them' })
    const tx = new Transaction()
    this.#friendship.invites.remove(tx, own.inviteId)
    await this.#journal.commit(tx)
  }

  async add(options: {
    target: string
    petname?: string
    note?: string
  }): Promise<{ id: string; state: ContactState }> {
    return stateOf(await this.#friendship.add(options))
  }

  async requests(): Promise<RequestView[]> {
    return this.#friendship
      .all()
      .flatMap((contact) =>
        contact.asking
          ? [{ id: idToText(contact.id), ...claimOf(contact.asking.request), receivedAt: contact.asking.receivedAt }]
          : [],
      )
      .toSorted((a, b) => a.receivedAt - b.receivedAt)
  }

  async accept(who: string, petname?: string): Promise<{ id: string; state: ContactState }> {
    return stateOf(await this.#friendship.accept(this.#friendship.resolveRequester(who), petname))
  }

  async decline(who: string): Promise<{ id: string; state: ContactState }> {
    return stateOf(await this.#friendship.decline(this.#friendship.resolveRequester(who)))
  }

  async block(who: string): Promise<{ id: string; state: ContactState }> {
    return stateOf(await this.#friendship.end(this.#friendship.resolveAnybody(who), true))
  }

  async unfriend(who: string): Promise<{ id: string; state: ContactState }> {
    return stateOf(await this.#friendship.end(this.#friendship.resolve(who), false))
  }

  async friends(): Promise<ContactView[]> {
    return this.#friendship
      .all()
      .filter((contact) => contact.state !== 'none')
      .map((contact) => ({
        id: idToText(contact.id),
        petname: contact.petname,
        name: contact.name,
        state: contact.state,
        ...(contact.reason !== undefined && { reason: contact.reason }),
        verified: this.#isVerified(contact),
        online: this.#delivery.status.isOnline(contact.id),
        unread: this.#conversations.unread(contact.id),
      }))
      .toSorted((a, b) => (a.petname < b.petname ? -1 : 1))
  }

  async verify(who: string, confirm?: { number?: string }): Promise<{ safetyNumber: string; verified: boolean }> {
    const contact = this.#friendship.resolve(who)
    const safetyNumber = this.#friendship.safetyNumber(contact)
    const compared = confirm ? await this.#friendship.verify(contact, confirm.number) : contact
    return { safetyNumber, verified: this.#isVerified(compared) }
  }

  async send(who: string, text: string): Promise<{ messageId: string; state: DeliveryState }> {
    const contact = this.#friendship.resolve(who)
    if (contact.state !== 'friend' && contact.state !== 'accepted') {
      throw new UsageError('NOT_A_FRIEND', `this contact is ${contact.state}, not a friend`, {
        hint: contact.state === 'outgoing' ? 'wait until they accept' : 'ask them first: `kith add INVITE`',
      })
    }
    const messageId = await this.#conversations.sendText(contact.id, text)
    return { messageId: toHex(messageId), state: this.#delivery.status.stateOf(contact.id, messageId) ?? 'delivered' }
  }

  async waitForState(messageId: string, state: DeliveryState, timeoutMs: number): Promise<DeliveryState> {
    const { clock } = this.#ports
    const id = parseMessageId(messageId)
    return await new Promise<DeliveryState>((resolve, reject) => {
      const look = (last: boolean): void => {
        this.#messageState(id).then((reached) => {
          if (reached === undefined) {
            end()
            reject(new UsageError('UNKNOWN_MESSAGE', 'no message of this node has this ID'))
          } else if (last || RANK[reached] >= RANK[state] || FINAL.includes(reached)) {
            end()
            resolve(reached)
          }
        }, reject)
      }
      const timer = clock.after(timeoutMs, () => look(true))
      const unlisten = this.#journal.onEvent(({ event, detail }) => {
        if (event === 'state' && detail.messageId === messageId) look(false)
      })
      const end = (): void => {
        timer.cancel()
        unlisten()
      }
      look(false)
    })
  }

  async trace(messageId: string): Promise<MessageTrace> {
    const id = parseMessageId(messageId)
    const state = await this.#messageState(id)
    const friend = await this.#recipientOf(id)
    if (!state || !friend) {
      throw new UsageError('UNKNOWN_MESSAGE', 'no message that was sent from here has this ID', {
        hint: '`kith history WHO --json` shows the IDs',
      })
    }
    const onItsWay = this.#delivery.status.trace(friend.id, id)
    const rows = onItsWay?.rows ?? (await this.#conversations.trail(id)) ?? []
    const names = {
      friend: idToText(friend.id),
      nameOf: (server: Uint8Array) => this.#delivery.status.nameOfServer(server),
    }
    return { messageId: toHex(id), state, steps: [...tellTrail(rows, names), ...(onItsWay?.waiting ?? [])] }
  }

  async history(options: { who: string; limit: number; before?: string; search?: string }): Promise<HistoryEntry[]> {
    const contact = this.#friendship.resolve(options.who)
    const messages = await this.#conversations.history(contact.id, {
      limit: options.limit,
      ...(options.before !== undefined && { before: parseMessageId(options.before) }),
      ...(options.search !== undefined && { search: options.search }),
    })
    if (this.#conversations.unread(contact.id) > 0) {
      await this.#delivery.exclusively(contact.id, async () => {
        const tx = new Transaction()
        this.#conversations.markRead(tx, contact.id)
        await this.#journal.commit(tx)
      })
    }
    return messages.map((message) => this.#historyEntry(contact, message))
  }

  async eventsSince(since: number, limit: number): Promise<NodeEvent[]> {
    return await this.#journal.eventsSince(since, limit)
  }

  lastCursor(): number {
    return this.#journal.lastCursor
  }

  onEvent(listener: (event: NodeEvent) => void): () => void {
    return this.#journal.onEvent(listener)
  }

  // ---- inside ----

  /** An older home may hold what was taken back since: while it is in doubt nobody is shown as verified. */
  #isVerified(contact: Contact): boolean {
    return contact.verified && this.#delivery.status.behind(contact.id) === undefined
  }

  #problems(): Problem[] {
    const behind = this.#friendship.all().map((contact) => ({ contact, why: this.#delivery.status.behind(contact.id) }))
    const older = behind
      .filter(({ why }) => why === 'friend')
      .map(({ contact }) => ({
        code: 'ROLLED_BACK',
        message: `${contact.petname} remembers messages that this home never sent: it is a copy or an older one`,
        hint: 'use the newer home; if it is lost, `kith unfriend` them and add them again by a new invite',
      }))
    const others = [...this.#options.problems(), ...this.#caughtRelays(), ...older]
    if (!behind.some(({ why }) => why === 'home')) return others
    const changed = {
      code: 'HOME_CHANGED',
      message: 'this home was copied, put back or changed since kith last used it: sending has stopped',
      hint: 'if it was only moved, and no other copy is used: `kith doctor --only-copy`; else use the newer home',
    }
    return [changed, ...others]
  }

  #caughtRelays(): Problem[] {
    return this.#standing.caught().map(({ server }) => ({
      code: 'RELAY_DROPPED_MAIL',
      message: `the relay ${this.#delivery.status.nameOfServer(server)} signed for mail and dropped it; there is a proof`,
      hint: 'if it is yours, configure another one: `kith config set relays ADDRESS`',
    }))
  }

  #inviteView(own: ReturnType<Friendship['invites']['list']>[number]): InviteView {
    return {
      inviteId: toHex(own.inviteId),
      invite: this.#friendship.invites.link(own),
      createdAt: own.createdAt,
      expiresAt: own.invite.expires * 1000,
      used: own.used,
    }
  }

  #historyEntry(contact: Contact, message: HistoryMessage): HistoryEntry {
    const { messageId, direction, text, sentAt, receivedAt, via, settled, reason } = message
    const state = settled ?? (direction === 'in' ? 'delivered' : this.#delivery.status.stateOf(contact.id, messageId))
    return {
      messageId: toHex(messageId),
      conversation: toHex(this.#conversations.conversationWith(contact.id)),
      from: direction === 'in' ? idToText(contact.id) : this.id,
      direction,
      type: text === undefined ? 'unsupported' : 'text',
      text: text ?? '',
      sentAt,
      receivedAt,
      // a message that is neither in the outbox nor settled can only be one whose row is being written
      state: state ?? 'queued',
      ...(reason !== undefined && { reason }),
      ...(via !== undefined && { via }),
    }
  }

  async #messageState(id: Uint8Array): Promise<DeliveryState | undefined> {
    for (const contact of this.#friendship.all()) {
      const state = this.#delivery.status.stateOf(contact.id, id)
      if (state) return state
    }
    return (await this.#conversations.settledState(id))?.state
  }

  async #recipientOf(id: Uint8Array): Promise<Contact | undefined> {
    const contacts = this.#friendship.all()
    const conversation = await this.#conversations.conversationOf(id)
    return contacts.find(
      (contact) =>
        this.#delivery.status.stateOf(contact.id, id) !== undefined ||
        (conversation && toHex(this.#conversations.conversationWith(contact.id)) === toHex(conversation)),
    )
  }

  #waits(): boolean {
    return this.#friendship
      .all()
      .some(
        (contact) =>
          this.#delivery.status.hasUnplaced(contact.id) ||
          (contact.asked && contact.asked.sentTo.length === 0) ||
          (contact.reply && contact.reply.storedAt.length === 0),
      )
  }

  #readAtServers(): void {
    this.#reader.setServers(this.#ownRelays.read, this.#custody && OWN_SERVER)
  }

  /** Friends are told when this node is reached elsewhere than they know. */
  #tellReach(): void {
    if (!this.#online || this.#stopped) return
    const { store, logger } = this.#ports
    tellReach(store, this.#direct.told(), async () => await this.#friendship.greetAll()).catch((error: unknown) =>
      logger.warn('telling friends where to reach this node failed', { problem: describe(error) }),
    )
  }

  /** Mail is read where it may lie now, and friends are told when that is news. */
  async #tellRelays(): Promise<void> {
    this.#readAtServers()
    if (this.#ownRelays.isNews) await this.#friendship.greetAll()
    await this.#ownRelays.remember()
  }

  #reviewLater(): void {
    this.#review = this.#ports.clock.after(REVIEW_MS, () => {
      this.#reviewRelays()
      this.#reviewLater()
    })
  }

  #reviewRelays(): void {
    if (!this.#online || this.#stopped || this.#options.relays.length === 0) return
    this.#reviewing = this.#reviewing
      .then(async () => {
        await this.#ownRelays.review()
        if (!this.#stopped) await this.#tellRelays()
      })
      .catch((error: unknown) => this.#ports.logger.warn('reviewing relays failed', { problem: describe(error) }))
  }

  async #takesMail(address: string): Promise<boolean> {
    try {
      return await this.#pool.withServer(address, GREETING_TIMEOUT_MS, async ({ client }) => {
        const { policy, time } = await client.hello()
        return policy.drain === undefined || policy.drain > time
      })
    } catch {
      return false
    }
  }

  /** A server was caught, lost or found again. */
  #standingChanged(server: Uint8Array): void {
    const { logger } = this.#ports
    if (!this.#standing.isCaught(server)) {
      const tx = new Transaction()
      tx.event('relay', { peerId: peerIdText(server), state: this.#standing.isLost(server) ? 'lost' : 'back' })
      this.#journal
        .commit(tx)
        .catch((error: unknown) => logger.warn('telling of a relay failed', { problem: describe(error) }))
    }
    this.#reviewRelays()
  }

  /** Friends of whom nothing was heard for long are sought, and told, where the relays do not lead. */
  #meetAgain(): void {
    if (!this.#online || this.#stopped) return
    const { random, network, logger } = this.#ports
    const friends = this.#friendship.all().filter(({ state }) => state === 'friend' || state === 'accepted')
    const init = {
      delivery: this.#delivery,
      journal: this.#journal,
      random,
      network,
      place: () => ({ relays: [...this.#ownRelays.current], ...this.#direct.told() }),
      protocolTime: () => this.#time.now(),
    }
    meetAgain(
      init,
      friends.map(({ id }) => id),
    ).catch((error: unknown) => logger.warn('seeking friends failed', { problem: describe(error) }))
  }

  #publishRecords(): void {
    const records = { identity: this.#self.record.bytes, prekeys: [this.#self.prekeyRecord] }
    this.#directory
      .publishOwn(records)
      .catch((error: unknown) => this.#ports.logger.warn('publishing failed', { problem: describe(error) }))
  }

  #hearTime(source: string, seconds: number): void {
    const before = this.#time.correction()
    const isFirst = !this.#hasTime
    this.#time.observe(source, seconds)
    this.#hasTime = this.#time.isAgreed()
    if ((isFirst && this.#hasTime) || this.#time.correction() !== before) this.#renew()
  }

  #renew(): void {
    const { clock, random, logger } = this.#ports
    if (!this.#online || this.#stopped) return
    this.#renewal?.cancel()
    this.#renewal = clock.after(RENEW_MS, () => {
      this.#renew()
      this.#tellReach()
      this.#meetAgain()
    })
    this.#friendship.sweep().catch((error: unknown) => logger.warn('sweeping failed', { problem: describe(error) }))
    // one after the other: each begins with the keys that the one before left
    this.#renewing = this.#renewing
      .then(async () => await this.#self.renew(this.#journal, random, Math.floor(this.#time.now())))
      .then((changed) => {
        if (changed) this.#publishRecords()
      })
      .catch((error: unknown) => logger.warn('renewing keys failed', { problem: describe(error) }))
  }
}

/** The mailbox server for this node's own mailboxes; undefined when nobody is to write here. */
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

function stateOf(contact: Contact): { id: string; state: ContactState } {
  return { id: idToText(contact.id), state: contact.state }
}

/** @throws UsageError `UNKNOWN_MESSAGE` when it is not 32 hexadecimal digits */
function parseMessageId(text: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/i.test(text)) {
    throw new UsageError('UNKNOWN_MESSAGE', 'expected a message ID of 32 hexadecimal digits')
  }
  return fromHex(text)
}
