/**
 * A node without network, disk or cryptography, for tests of its faces: state in memory, moved by the test. The runtime
 * around it knows homes, one passphrase each, and that a home is held by one at a time.
 */
import { mkdir } from 'node:fs/promises'
import type {
  HomeCheck,
  HomeToExamine,
  NodeRuntime,
  OpenNodeOptions,
  Repaired,
  RunningNode,
} from '../../node/api/runtime.ts'
import {
  type ContactState,
  type ContactView,
  type ConsumerView,
  type ConversationView,
  DELIVERY_STATES,
  type DeliveryState,
  type HistoryEntry,
  type HistoryOptions,
  type InviteView,
  type KnownToken,
  type MessageTrace,
  type NewToken,
  type NodeEvent,
  type NodeService,
  type NodeStatus,
  type Problem,
  type RelayCounters,
  type RelayProof,
  type RelaySettings,
  type RequestView,
  type SearchResult,
  type SafetyNumberView,
  type TokenView,
  type TraceStep,
} from '../../node/api/service.ts'
import { StoreError, UsageError } from '../../node/errors.ts'

/** When everything in a fake node happens. */
export const FAKE_NOW = Date.UTC(2026, 10, 21, 9, 56)
export const ALICE = 'kith1alice'
export const BOB = 'kith1bob'
export const SAFETY_NUMBER = '123456789012345678901234567890123456789012345678901234567890'
export const WORDS = Array.from({ length: 24 }, (_, i) => `word${i + 1}`).join(' ')

export class FakeNode implements NodeService {
  readonly contacts: ContactView[] = []
  readonly asking: RequestView[] = []
  readonly problems: Problem[] = []
  trusted = 0
  rotations = 0
  readonly messages: HistoryEntry[] = []
  /** By ID of the contact. */
  readonly drafts = new Map<string, string>()
  readonly log: NodeEvent[] = []
  readonly links: InviteView[] = []
  /** What `send` answers, and how far a message comes while one waits. */
  sendState: DeliveryState = 'queued'
  reaches: DeliveryState = 'custody'
  /** Thrown by the next `add`. */
  addError: Error | undefined
  /** Why a request that is made waits. */
  addReason: string | undefined
  /** What `trace` answers. */
  steps: TraceStep[] = []
  /** Resolves the calls of `waitForState`; without it they answer at once. */
  waiting: Promise<void> | undefined
  /** Calls of `eventsSince`. */
  logReads = 0
  /** Tokens by what their callers show. */
  readonly secrets = new Map<string, TokenView>()
  readonly #tokenListeners = new Set<(tokenId: string) => void>()
  readonly #listeners = new Set<(event: NodeEvent) => void>()
  readonly #consumers = new Map<string, number>()
  /** By idempotency key. */
  readonly #sent = new Map<string, HistoryEntry>()
  readonly #role: 'node' | 'relay'
  readonly #name: string

  constructor(role: 'node' | 'relay' = 'node', name = 'alice') {
    this.#role = role
    this.#name = name
  }

  get listeners(): number {
    return this.#listeners.size
  }

  befriend(petname: string, changes: Partial<ContactView> = {}): ContactView {
    const contact: ContactView = {
      id: `kith1${petname}`,
      petname,
      name: petname,
      state: 'friend',
      verified: false,
      trust: changes.verified === true ? 'verified' : 'unverified',
      online: false,
      unread: 0,
      ...changes,
    }
    this.contacts.push(contact)
    return contact
  }

  knock(name: string, note = ''): void {
    this.asking.push({ id: `kith1${name}`, name, note, receivedAt: FAKE_NOW })
  }

  receive(from: string, text: string): HistoryEntry {
    return this.#write({ from: this.#contact(from).id, direction: 'in', text, state: 'delivered', via: 'relay' })
  }

  /** Writes an event and tells it. */
  emit(event: string, detail: NodeEvent['detail'] = {}): void {
    const row = { cursor: this.lastCursor() + 1, event, at: FAKE_NOW, detail }
    this.log.push(row)
    for (const listener of this.#listeners) listener(row)
  }

  async status(): Promise<NodeStatus> {
    const person = this.#role === 'node' ? { id: ALICE, name: this.#name } : {}
    return {
      role: this.#role,
      ...person,
      peerId: '12D3fake',
      addresses: ['/ip4/127.0.0.1/tcp/4301/p2p/12D3fake'],
      peers: 2,
      relays: [{ address: '/ip4/192.0.2.1/tcp/4301/p2p/12D3relay', connected: false, problem: 'refused' }],
      friends: this.contacts.length,
      requests: this.asking.length,
      unacknowledged: 1,
      uptime: 90_000,
      problems: this.problems,
    }
  }

  async trustHome(): Promise<void> {
    this.trusted += 1
  }

  async relayProofs(): Promise<RelayProof[]> {
    return [{ peerId: '12D3relay', provenAt: FAKE_NOW, proof: 'aa00' }]
  }

  async relayCounters(): Promise<RelayCounters> {
    return { claims: 4, copies: 2, bytes: 8192, records: 3, used: 1, holding: 1 }
  }

  async relaySettings(): Promise<RelaySettings> {
    return { maxClaims: 100, maxBytes: 1_000_000, maxDays: 30, claimBits: 18, banned: [] }
  }

  async changeRelay(): Promise<RelaySettings> {
    return await this.relaySettings()
  }

  async createInvite({ lifetimeSeconds }: { lifetimeSeconds: number; uses: number }): Promise<InviteView> {
    const number = this.links.length + 1
    const invite = {
      inviteId: `i${number}`,
      invite: `kithinvite1link${number}`,
      createdAt: FAKE_NOW,
      expiresAt: FAKE_NOW + lifetimeSeconds * 1000,
      used: 0,
    }
    this.links.push(invite)
    return invite
  }

  async invites(): Promise<InviteView[]> {
    return this.links
  }

  async revokeInvite(inviteId: string): Promise<void> {
    const index = this.links.findIndex((link) => link.inviteId === inviteId)
    if (index === -1) throw new UsageError('BAD_INVITE', 'no such invite')
    this.links.splice(index, 1)
  }

  async add(options: { target: string; petname?: string }): Promise<{ id: string; state: ContactState }> {
    if (this.addError !== undefined) throw this.addError
    const reason = this.addReason !== undefined && { reason: this.addReason }
    return this.befriend(options.petname ?? 'stranger', { state: 'outgoing', ...reason })
  }

  async requests(): Promise<RequestView[]> {
    return this.asking
  }

  async accept(who: string, petname?: string): Promise<{ id: string; state: ContactState }> {
    const request = this.#takeRequest(who)
    return this.befriend(petname ?? request.name, { id: request.id, state: 'accepted' })
  }

  async decline(who: string): Promise<{ id: string; state: ContactState }> {
    return { id: this.#takeRequest(who).id, state: 'none' }
  }

  async block(who: string): Promise<{ id: string; state: ContactState }> {
    return this.#change(who, 'blocked')
  }

  async unfriend(who: string): Promise<{ id: string; state: ContactState }> {
    return this.#change(who, 'none')
  }

  async friends(): Promise<ContactView[]> {
    return this.contacts
  }

  async verify(who: string, confirm?: { number?: string }): Promise<SafetyNumberView> {
    const contact = this.#contact(who)
    if (confirm?.number !== undefined && confirm.number.replaceAll(/\D/g, '') !== SAFETY_NUMBER) {
      throw new UsageError('NOT_TRUSTED', 'the safety number differs')
    }
    if (confirm !== undefined) {
      contact.verified = true
      contact.trust = 'verified'
      delete contact.keysChanged
    }
    return { safetyNumber: SAFETY_NUMBER, code: `KITH-SAFETY:${SAFETY_NUMBER}`, verified: contact.verified }
  }

  async rename(who: string, petname: string): Promise<ContactView> {
    const contact = this.#contact(who)
    contact.petname = petname
    this.emit('contact', { id: contact.id, state: contact.state, petname })
    return contact
  }

  async trust(who: string): Promise<{ id: string; state: ContactState; verified: boolean }> {
    const contact = this.#contact(who)
    delete contact.keysChanged
    return contact
  }

  async rotateIdentity(words: string): Promise<{ id: string; rotations: number }> {
    if (words !== WORDS) throw new UsageError('WRONG_WORDS', 'the words belong to another identity')
    this.rotations += 1
    return { id: ALICE, rotations: this.rotations }
  }

  async send(who: string, text: string, key?: string): Promise<{ messageId: string; state: DeliveryState }> {
    const contact = this.#contact(who)
    const known = key === undefined ? undefined : this.#sent.get(key)
    if (known !== undefined && known.text !== text) throw new UsageError('IDEMPOTENCY_CONFLICT', 'another message')
    if (known !== undefined) return { messageId: known.messageId, state: known.state }
    if (contact.keysChanged === true) throw new UsageError('KEY_CHANGED', 'the keys changed', { hint: 'accept them' })
    const entry = this.#write({ from: ALICE, direction: 'out', text, state: this.sendState }, contact.id)
    if (key !== undefined) this.#sent.set(key, entry)
    return { messageId: entry.messageId, state: this.sendState }
  }

  async waitForState(messageId: string, state: DeliveryState, timeoutMs: number): Promise<DeliveryState> {
    const message = this.messages.find((each) => each.messageId === messageId)
    if (message === undefined) throw new UsageError('UNKNOWN_MESSAGE', 'no such message')
    if (timeoutMs > 0) await this.waiting
    if (DELIVERY_STATES.indexOf(message.state) < DELIVERY_STATES.indexOf(this.reaches)) message.state = this.reaches
    // A real node would wait; this one knows that nothing more will come.
    void state
    return message.state
  }

  async correspondent(messageId: string): Promise<string | undefined> {
    return this.messages.find((each) => each.messageId === messageId)?.conversation
  }

  async trace(messageId: string): Promise<MessageTrace> {
    const message = this.messages.find((each) => each.messageId === messageId)
    if (message === undefined) throw new UsageError('UNKNOWN_MESSAGE', 'no such message')
    return { messageId, state: message.state, steps: this.steps }
  }

  async history(options: HistoryOptions): Promise<HistoryEntry[]> {
    const contact = this.#contact(options.who)
    const all = this.messages.filter((each) => each.conversation === contact.id)
    const place = (messageId: string): number => all.findIndex((each) => each.messageId === messageId)
    const begin = options.after === undefined ? 0 : place(options.after) + 1
    const end = options.before === undefined ? all.length : place(options.before)
    const found = all.slice(begin, end).filter((each) => each.text.includes(options.search ?? ''))
    if (options.markRead) this.#read(contact, 0)
    return options.after === undefined ? found.slice(-options.limit) : found.slice(0, options.limit)
  }

  async search({ query, who, limit }: { query: string; who?: string; limit: number }): Promise<SearchResult> {
    const id = who === undefined ? undefined : this.#contact(who).id
    const found = this.messages.filter(
      (each) => each.text.includes(query) && (id === undefined || each.conversation === id),
    )
    const messages = found.toReversed().map((each) => ({ ...each, id: each.conversation }))
    return { messages: messages.slice(0, limit), complete: true }
  }

  async conversations(): Promise<ConversationView[]> {
    const views = this.contacts.map((contact) => {
      const all = this.messages.filter((each) => each.conversation === contact.id)
      const last = all.at(-1)
      const draft = this.drafts.get(contact.id)
      const unread = contact.unread === 0 ? undefined : all.filter(({ direction }) => direction === 'in')
      const firstUnread = unread?.at(-contact.unread)?.messageId
      return {
        conversation: contact.id,
        ...contact,
        ...(firstUnread === undefined ? {} : { firstUnread }),
        ...(draft === undefined ? {} : { draft }),
        ...(last === undefined ? {} : { last }),
      }
    })
    const newest = ({ last }: ConversationView): number =>
      last === undefined ? -1 : this.messages.findIndex((each) => each.messageId === last.messageId)
    return views.toSorted((a, b) => newest(b) - newest(a))
  }

  async markRead(who: string, upTo?: string): Promise<{ unread: number }> {
    const contact = this.#contact(who)
    const place = upTo === undefined ? Infinity : this.messages.findIndex((each) => each.messageId === upTo)
    if (place === -1) throw new UsageError('UNKNOWN_MESSAGE', 'no such message')
    const rest = this.messages.filter(
      ({ conversation, direction }, i) => conversation === contact.id && direction === 'in' && i > place,
    )
    this.#read(contact, Math.min(contact.unread, rest.length))
    return { unread: contact.unread }
  }

  async setDraft(who: string, text: string): Promise<void> {
    const { id } = this.#contact(who)
    if (text === '') this.drafts.delete(id)
    else this.drafts.set(id, text)
    this.emit('draft', { id })
  }

  #read(contact: ContactView, unread: number): void {
    if (contact.unread === unread) return
    contact.unread = unread
    this.emit('read', { id: contact.id, conversation: contact.id, unread })
  }

  async eventsSince(since: number, limit: number): Promise<NodeEvent[]> {
    this.logReads += 1
    return this.log.filter((row) => row.cursor > since).slice(0, limit)
  }

  async openConsumer(name: string, from = this.lastCursor()): Promise<number> {
    const known = this.#consumers.get(name)
    if (known === undefined) this.#consumers.set(name, from)
    return known ?? from
  }

  async acknowledge(name: string, cursor: number): Promise<number> {
    const known = this.#consumers.get(name)
    if (known === undefined) throw new UsageError('UNKNOWN_CONSUMER', 'no such consumer')
    this.#consumers.set(name, Math.max(known, cursor))
    return this.#consumers.get(name)!
  }

  async consumers(): Promise<ConsumerView[]> {
    const end = this.lastCursor()
    return [...this.#consumers].map(([consumer, cursor]) => ({ consumer, cursor, behind: end - cursor, at: FAKE_NOW }))
  }

  async forgetConsumer(name: string): Promise<boolean> {
    return this.#consumers.delete(name)
  }

  async createToken({ name, scopes, conversation, isPage = false }: NewToken, secret: string): Promise<TokenView> {
    const friend = conversation === undefined ? {} : { conversation: this.#contact(conversation).id }
    const tokenId = `t${this.secrets.size + 1}`
    const token = { tokenId, name, scopes: [...scopes], ...friend, createdAt: FAKE_NOW, isPage }
    this.secrets.set(secret, token)
    return token
  }

  async tokens(): Promise<TokenView[]> {
    return [...this.secrets.values()]
  }

  async revokeToken(tokenId: string): Promise<void> {
    const [secret] = [...this.secrets].find(([, token]) => token.tokenId === tokenId) ?? []
    if (secret === undefined) throw new UsageError('UNKNOWN_TOKEN', 'no token has this ID')
    this.secrets.delete(secret)
    for (const listener of this.#tokenListeners) listener(tokenId)
  }

  callerOf(secret: string): KnownToken | undefined {
    const token = this.secrets.get(secret)
    return token && { ...token, scopes: new Set(token.scopes) }
  }

  onTokenEnd(listener: (tokenId: string) => void): () => void {
    this.#tokenListeners.add(listener)
    return () => this.#tokenListeners.delete(listener)
  }

  lastCursor(): number {
    return this.log.at(-1)?.cursor ?? 0
  }

  onEvent(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #write(
    entry: Pick<HistoryEntry, 'from' | 'direction' | 'text' | 'state'> & Partial<HistoryEntry>,
    conversation = entry.from,
  ): HistoryEntry {
    const message: HistoryEntry = {
      messageId: `m${this.messages.length + 1}`,
      conversation,
      type: 'text',
      sentAt: FAKE_NOW,
      receivedAt: FAKE_NOW,
      ...entry,
    }
    this.messages.push(message)
    return message
  }

  #contact(who: string): ContactView {
    const found = this.contacts.filter(({ petname, id }) => petname === who || id.startsWith(who))
    if (found.length === 0)
      throw new UsageError('UNKNOWN_FRIEND', `nobody is called ${who}`, { hint: 'see kith friends' })
    if (found.length > 1) throw new UsageError('AMBIGUOUS', `${who} may be several`)
    return found[0]!
  }

  #takeRequest(who: string): RequestView {
    const index = this.asking.findIndex(({ id, name }) => id === who || name === who)
    if (index === -1) throw new UsageError('UNKNOWN_FRIEND', `no request of ${who}`)
    return this.asking.splice(index, 1)[0]!
  }

  #change(who: string, state: ContactState): ContactView {
    const contact = this.#contact(who)
    contact.state = state
    return contact
  }
}

interface FakeHome {
  passphrase: string
  node: FakeNode
}

export class FakeRuntime implements NodeRuntime {
  readonly homes = new Map<string, FakeHome>()
  readonly held = new Set<string>()
  /** What `openNode` was called with. */
  readonly opened: OpenNodeOptions[] = []
  readonly created: Parameters<NodeRuntime['createIdentity']>[0][] = []
  /** Homes that `repair` was called for. */
  readonly repaired: string[] = []
  settled = 0
  stopped = 0
  /** Thrown by `openNode`. */
  openError: Error | undefined

  /** The node of a home, made when it is missing. */
  node(home: string): FakeNode {
    const known = this.homes.get(home)
    if (known !== undefined) return known.node
    const node = new FakeNode()
    this.homes.set(home, { passphrase: 'correct horse', node })
    return node
  }

  async hasIdentity(home: string): Promise<boolean> {
    return this.homes.has(home)
  }

  async homeRole(home: string): Promise<'node' | undefined> {
    return this.homes.has(home) ? 'node' : undefined
  }

  async checkDirectory(home: string): Promise<HomeCheck[]> {
    const state = this.homes.has(home) ? 'ok' : 'failed'
    return [{ name: 'home', state, detail: home }]
  }

  async checkContents({ passphrase }: HomeToExamine): Promise<HomeCheck[]> {
    return [{ name: 'vault', state: passphrase === undefined ? 'skipped' : 'ok', detail: 'fake' }]
  }

  async repair({ home }: HomeToExamine): Promise<Repaired> {
    this.repaired.push(home)
    return { copy: `${home}/db.damaged`, isRebuilt: false, kept: { history: 3 }, lost: { event: 1 } }
  }

  async createIdentity(options: Parameters<NodeRuntime['createIdentity']>[0]): Promise<{ id: string; words: string }> {
    if (options.passphrase.length < 8) throw new UsageError('WEAK_PASSPHRASE', 'expected 8 or more characters')
    this.created.push(options)
    await mkdir(options.home, { recursive: true, mode: 0o700 })
    this.homes.set(options.home, { passphrase: options.passphrase, node: new FakeNode('node', options.name) })
    return { id: ALICE, words: WORDS }
  }

  async openNode(options: OpenNodeOptions): Promise<RunningNode> {
    const { home, role } = options
    if (this.openError !== undefined) throw this.openError
    if (this.held.has(home)) throw new StoreError('HOME_IN_USE', 'another process holds the home')
    const known = this.homes.get(home)
    if (role === 'node' && known?.passphrase !== options.passphrase) {
      throw new UsageError('WRONG_PASSPHRASE', 'the passphrase does not open this home')
    }
    this.held.add(home)
    this.opened.push(options)
    await mkdir(home, { recursive: true, mode: 0o700 })
    const service = known?.node ?? new FakeNode(role)
    const { id, peerId, addresses } = await service.status()
    return {
      service,
      ready: { role, ...(id === undefined ? {} : { id }), peerId, addresses },
      settle: async () => {
        this.settled += 1
      },
      stop: async () => {
        this.stopped += 1
        this.held.delete(home)
      },
    }
  }

  async changePassphrase(options: { home: string; old: string; new: string }): Promise<void> {
    const home = this.homes.get(options.home)
    if (home === undefined || home.passphrase !== options.old) {
      throw new UsageError('WRONG_PASSPHRASE', 'the passphrase does not open this home')
    }
    home.passphrase = options.new
  }
}
