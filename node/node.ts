/**
 * A person's node: when its parts begin and end, and what it offers to the API. Made from ports alone, so the same node runs
 * on libp2p and Level, and in the simulator on a virtual clock. How the parts are joined is `person/parts.ts`; the methods of
 * the API are those of the services beside it.
 */
import type { NodeService } from './api/service.ts'
import { describe, UsageError } from './errors.ts'
import { entropyOf } from './identity/phrase.ts'
import { idToText } from './identity/root.ts'
import { topicOf } from './mailbox/buckets.ts'
import { ContactService } from './person/contact-service.ts'
import { ConversationService } from './person/conversation-service.ts'
import { InviteService } from './person/invite-service.ts'
import { KeyRenewal } from './person/key-renewal.ts'
import { MessageService } from './person/message-service.ts'
import { OldRows } from './person/old-rows.ts'
import { type NodeOptions, type Settings, settingsOf } from './person/options.ts'
import { type KnownAtStart, Parts, readKnown } from './person/parts.ts'
import { RelayReview } from './person/relay-review.ts'
import { StatusService } from './person/status-service.ts'
import type { TokenBook } from './person/token-book.ts'
import { Whereabouts } from './person/whereabouts.ts'
import type { Inbound, Ports } from './ports.ts'

export { BUCKET_BITS, type NodeOptions } from './person/options.ts'

const SETTLE_STEP_MS = 50
/** What a stop may spend on acknowledgements that wait. */
const FLUSH_MS = 2000

export class KithNode implements NodeService {
  readonly #ports: Ports
  readonly #settings: Settings
  readonly #parts: Parts
  readonly #keys: KeyRenewal
  readonly #relays: RelayReview
  readonly #whereabouts: Whereabouts
  readonly #status: StatusService
  readonly #contacts: ContactService
  readonly #invites: InviteService
  readonly #messages: MessageService
  readonly #conversations: ConversationService
  readonly #tokens: TokenBook
  readonly #oldRows: OldRows
  #online = false
  #stopped = false

  private constructor(ports: Ports, settings: Settings, known: KnownAtStart) {
    const parts = new Parts(ports, settings, known, {
      onTime: (address, seconds) => this.#keys.hearTime(address, seconds),
      onStandingChanged: (server) => this.#relays.standingChanged(server),
    })
    const isRunning = (): boolean => this.#online && !this.#stopped
    this.#ports = ports
    this.#settings = settings
    this.#parts = parts
    this.#relays = new RelayReview({ ports, parts, isRunning, onNews: () => this.#keys.look() })
    this.#whereabouts = new Whereabouts({ ports, parts, isRunning })
    this.#keys = new KeyRenewal({
      ports,
      parts,
      relays: settings.relays.length,
      isRunning,
      onRound: () => this.#whereabouts.tell(),
    })
    this.#status = new StatusService({ ports, parts, problems: settings.problems, isOnline: () => this.#online })
    this.#contacts = new ContactService(parts)
    this.#invites = new InviteService(parts)
    this.#tokens = known.tokens
    this.#messages = new MessageService({ clock: ports.clock, parts })
    this.#conversations = new ConversationService(parts, this.#contacts)
    this.#oldRows = new OldRows(ports)
  }

  /** Reads everything from the store. @throws ConfigError `NO_IDENTITY`, StoreError */
  static async open(ports: Ports, options: NodeOptions): Promise<KithNode> {
    const node = new KithNode(ports, settingsOf(options), await readKnown(ports, options))
    await node.#load()
    return node
  }

  async #load(): Promise<void> {
    const { reader, directory, friendship, conversations, delivery } = this.#parts
    await reader.load()
    await this.#parts.alarms.load()
    // before anything is given up: a mailbox whose invite ended meanwhile is released where it lies
    this.#relays.readAtServers()
    await directory.start()
    const friends = await friendship.load()
    await conversations.start(delivery, friendship)
    await delivery.start(friends, this.#settings.isHomeChanged)
    await friendship.prepare()
  }

  /** Begins to listen, dial, read and put. */
  async start(): Promise<void> {
    const { network } = this.#ports
    const { gate, direct, custody, directory, pool, self, friendship } = this.#parts
    const { profile, bucketBits } = this.#settings
    this.#online = true
    const inbound: Inbound = {
      admit: (envelope, _topic, neighbour) => gate.admit(envelope, neighbour),
      serve: (source) => (direct.admits(source.prefix) ? custody?.accept(source) : undefined),
      validateRecord: (key, value) => directory.validate(key, value),
      compareRecords: (key, a, b) => directory.compare(key, a, b),
    }
    await network.start(inbound)
    pool.start()
    if (profile !== 'light') network.subscribe([topicOf(self.id, bucketBits)])
    await friendship.start()
    await this.#relays.tell()
    this.#whereabouts.start()
    this.#relays.start()
    this.#keys.start()
    this.#oldRows.start()
  }

  /** Sends what can be sent in a moment, and ends. The store stays open. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const { clock, network, logger } = this.#ports
    const { delivery, friendship, reader, courier, pool, directory, custody } = this.#parts
    // what a friend's node has alone must not depend on that node
    if (this.#online && delivery.releaseHeld()) await this.settle(FLUSH_MS)
    this.#keys.stop()
    this.#whereabouts.stop()
    this.#relays.stop()
    friendship.stop()
    delivery.stop()
    if (this.#online) {
      await Promise.race([
        reader.flush(),
        new Promise<void>((resolve) => {
          clock.after(FLUSH_MS, resolve)
        }),
      ])
    }
    courier.stop()
    pool.stop()
    await directory.stop()
    if (this.#online) await network.stop()
    custody?.stop()
    try {
      await delivery.ended()
    } catch (error) {
      logger.warn('the end of this run could not be written', { problem: describe(error) })
    }
    if (this.#online) await this.#oldRows.stop()
  }

  /** Waits until nothing that could be put now waits, or the time is over. */
  async settle(timeoutMs: number): Promise<void> {
    const { clock } = this.#ports
    const deadline = clock.now() + timeoutMs
    this.#parts.delivery.releaseHeld()
    while (this.#waits() && clock.now() < deadline) {
      await new Promise<void>((resolve) => {
        clock.after(SETTLE_STEP_MS, resolve)
      })
    }
  }

  #waits(): boolean {
    const { friendship, delivery } = this.#parts
    return friendship
      .all()
      .some(
        (contact) =>
          delivery.status.hasUnplaced(contact.id) ||
          (contact.asked && contact.asked.sentTo.length === 0) ||
          (contact.reply && contact.reply.storedAt.length === 0),
      )
  }

  get id(): string {
    return this.#parts.self.idText
  }

  get name(): string {
    return this.#parts.self.name
  }

  // ---- NodeService ----

  readonly status: NodeService['status'] = () => this.#status.status()
  readonly trustHome: NodeService['trustHome'] = () => this.#status.trustHome()
  readonly rotateIdentity: NodeService['rotateIdentity'] = async (words) => {
    const { self } = this.#parts
    await this.#keys.rotate(entropyOf(words))
    return { id: self.idText, rotations: self.head.events }
  }
  readonly relayProofs: NodeService['relayProofs'] = () => this.#status.relayProofs()
  readonly relayCounters = noRelay
  readonly relaySettings = noRelay
  readonly changeRelay = noRelay

  readonly createInvite: NodeService['createInvite'] = (options) => this.#invites.createInvite(options)
  readonly invites: NodeService['invites'] = () => this.#invites.invites()
  readonly revokeInvite: NodeService['revokeInvite'] = (inviteId) => this.#invites.revokeInvite(inviteId)

  readonly add: NodeService['add'] = (options) => this.#contacts.add(options)
  readonly requests: NodeService['requests'] = () => this.#contacts.requests()
  readonly accept: NodeService['accept'] = (who, petname) => this.#contacts.accept(who, petname)
  readonly decline: NodeService['decline'] = (who) => this.#contacts.decline(who)
  readonly block: NodeService['block'] = (who) => this.#contacts.block(who)
  readonly unfriend: NodeService['unfriend'] = (who) => this.#contacts.unfriend(who)
  readonly friends: NodeService['friends'] = () => this.#contacts.friends()
  readonly rename: NodeService['rename'] = (who, petname) => this.#contacts.rename(who, petname)
  readonly verify: NodeService['verify'] = (who, confirm) => this.#contacts.verify(who, confirm)
  readonly trust: NodeService['trust'] = (who) => this.#contacts.trust(who)

  readonly send: NodeService['send'] = (who, text, key) => this.#messages.send(who, text, key)
  readonly correspondent: NodeService['correspondent'] = (messageId) => this.#messages.correspondent(messageId)
  readonly trace: NodeService['trace'] = (messageId) => this.#messages.trace(messageId)
  readonly waitForState: NodeService['waitForState'] = (messageId, state, timeoutMs) =>
    this.#messages.waitForState(messageId, state, timeoutMs)

  readonly history: NodeService['history'] = (options) => this.#conversations.history(options)
  readonly search: NodeService['search'] = (options) => this.#conversations.search(options)
  readonly conversations: NodeService['conversations'] = () => this.#conversations.conversations()
  readonly markRead: NodeService['markRead'] = (who, upTo) => this.#conversations.markRead(who, upTo)
  readonly setDraft: NodeService['setDraft'] = (who, text) => this.#conversations.setDraft(who, text)

  readonly createToken: NodeService['createToken'] = async ({ conversation, ...token }, secret) => {
    const friend = conversation === undefined ? undefined : this.#parts.friendship.resolve(conversation).id
    return await this.#tokens.add({ ...token, ...(friend && { conversation: idToText(friend) }) }, secret)
  }
  readonly tokens: NodeService['tokens'] = async () => this.#tokens.list()
  readonly revokeToken: NodeService['revokeToken'] = (tokenId) => this.#tokens.revoke(tokenId)
  readonly callerOf: NodeService['callerOf'] = (secret) => this.#tokens.find(secret)
  readonly onTokenEnd: NodeService['onTokenEnd'] = (listener) => this.#tokens.onEnd(listener)

  readonly eventsSince: NodeService['eventsSince'] = (since, limit) => this.#parts.journal.eventsSince(since, limit)
  readonly openConsumer: NodeService['openConsumer'] = (name, from) => this.#parts.consumers.open(name, from)
  readonly acknowledge: NodeService['acknowledge'] = (name, cursor) => this.#parts.consumers.acknowledge(name, cursor)
  readonly consumers: NodeService['consumers'] = () => this.#parts.consumers.view()
  readonly forgetConsumer: NodeService['forgetConsumer'] = (name) => this.#parts.consumers.forget(name)
  readonly lastCursor: NodeService['lastCursor'] = () => this.#parts.journal.lastCursor
  readonly onEvent: NodeService['onEvent'] = (listener) => this.#parts.journal.onEvent(listener)
}

async function noRelay(): Promise<never> {
  throw new UsageError('WRONG_ROLE', 'this node is no relay')
}
