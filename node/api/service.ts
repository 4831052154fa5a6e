/**
 * What a running node offers to its faces. `person/` implements it; the API's method table calls it and renders times
 * as ISO 8601. Times here are milliseconds since 1970. `who` is a petname, an ID or an unambiguous prefix of one.
 * Errors: UsageError `UNKNOWN_FRIEND`, `AMBIGUOUS`, `NOT_A_FRIEND`, `WRONG_STATE`, `TOO_LONG`, `TOO_MANY`, `BAD_INVITE`,
 * `INVITE_EXPIRED`, `INVITE_NEEDED`, `NOT_TRUSTED`, `UNKNOWN_MESSAGE`, `NO_RELAY`,
 * `ROLLED_BACK`, `KEY_CHANGED`, `BAD_WORDS`, `WRONG_WORDS`.
 */
import type { Caller, Scope } from './caller.ts'

export const DELIVERY_STATES = ['queued', 'sent', 'custody', 'delivered', 'read', 'expired', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export const CONTACT_STATES = ['none', 'outgoing', 'incoming', 'accepted', 'friend', 'blocked', 'failed'] as const
export type ContactState = (typeof CONTACT_STATES)[number]

/** Something that stays wrong until somebody does something about it. */
export interface Problem {
  /** Stable, as the codes of errors are. */
  code: string
  message: string
  hint: string
}

export interface RelayStatus {
  address: string
  connected: boolean
  /** Why the last attempt failed, or what it did, in words; absent while it works. */
  problem?: string
  /** It is a friend's relay that stands in for a configured one. */
  standIn?: boolean
  /** When it stops to take mail, as it announced. */
  leavesAt?: number
}

export interface NodeStatus {
  role: 'node' | 'relay'
  id?: string
  name?: string
  peerId: string
  addresses: string[]
  peers: number
  relays: RelayStatus[]
  friends: number
  requests: number
  /** Messages that no friend has acknowledged yet. */
  unacknowledged: number
  /** Milliseconds since start. */
  uptime: number
  problems: Problem[]
  /** Seconds that the relays' time is ahead of this machine's clock, where that is corrected; absent until they have told it. */
  clockCorrection?: number
  /** Servers and DHT peers that hold the own records at the least; absent until they were published once. */
  recordsTaken?: number
}

/** A relay that was caught dropping mail. */
export interface RelayProof {
  peerId: string
  provenAt: number
  /** Hexadecimal, for `verifyProof` of the library: the relay's own receipt and its own later answer. */
  proof: string
}

export interface RelayCounters {
  claims: number
  copies: number
  bytes: number
  records: number
  /** Mailboxes that somebody uses: neither given up nor never used. */
  used: number
  /** Mailboxes in which mail lies. */
  holding: number
}

/** Limits of a relay that can be changed while it runs. */
export interface RelayLimits {
  maxClaims: number
  maxBytes: number
  maxDays: number
  claimBits: number
}

/** What the operator laid down, and the limits that hold by it. */
export interface RelaySettings extends RelayLimits {
  /** When the relay stops to take mail; absent when it is to stay. */
  drainAt?: number
  /** Prefixes of addresses that are turned away. */
  banned: readonly string[]
}

/** A change of them; null takes back what was laid down. */
export interface RelayChange {
  drainAt?: number | null
  /** Addresses or prefixes: /24 of IPv4, /48 of IPv6. */
  ban?: string
  unban?: string
  limits?: { [K in keyof RelayLimits]?: number | null }
}

export interface InviteView {
  /** Short name for `invite revoke`. */
  inviteId: string
  invite: string
  createdAt: number
  expiresAt: number
  /** Requests that came through it. */
  used: number
}

export interface RequestView {
  id: string
  /** Claimed by the requester. */
  name: string
  note: string
  receivedAt: number
}

export const TRUST_STATES = ['unverified', 'verified', 'changed'] as const

export interface ContactView {
  id: string
  petname: string
  /** What the friend calls themselves. */
  name: string
  state: ContactState
  /** For `failed`: why the request was given up; for `outgoing`: what it waits for before it can be sent. */
  reason?: string
  verified: boolean
  /** `changed`: was verified, and has another root key now. */
  trust: (typeof TRUST_STATES)[number]
  /** Their keys changed, and the person has not accepted the present ones; absent when not. */
  keysChanged?: true
  /** Nobody confirmed yet that the record found by ID is the newest; absent when somebody did, or nobody need. */
  freshness?: 'unconfirmed'
  online: boolean
  unread: number
}

export interface SafetyNumberView {
  safetyNumber: string
  /** Text of a QR code that says the same. */
  code: string
  verified: boolean
}

/** A conversation as a list of them shows it. */
export interface ConversationView extends Omit<ContactView, 'reason' | 'freshness'> {
  /** 32 hexadecimal digits. */
  conversation: string
  /** Message ID of the first that is unread. */
  firstUnread?: string
  /** What was begun and not sent. */
  draft?: string
  /** The newest message; of a long text the beginning. */
  last?: Pick<HistoryEntry, 'messageId' | 'direction' | 'from' | 'type' | 'text' | 'sentAt' | 'state'>
}

export interface HistoryEntry {
  messageId: string
  conversation: string
  /** ID of the author. */
  from: string
  direction: 'in' | 'out'
  /** `text`; `notice` for what this node says itself, of keys; `unsupported` for what this version cannot show. */
  type: string
  text: string
  sentAt: number
  receivedAt: number
  state: DeliveryState
  /** For `failed` and `expired`. */
  reason?: string
  /** How it came here. */
  via?: 'gossip' | 'relay' | 'direct'
  /** How many messages at least are missing in front of it: on their way, or lost with an older home. */
  missing?: number
}

export interface SearchResult {
  /** `id` is the contact's. */
  messages: (HistoryEntry & { id: string })[]
  /** Whether everything was looked through; of very much text only the newest is. */
  complete: boolean
}

export interface HistoryOptions {
  who: string
  limit: number
  /** Message IDs. */
  before?: string
  after?: string
  search?: string
  /** @default false */
  markRead?: boolean
}

/** One step of a message's way. */
export interface TraceStep {
  /** What happened, in one word; `waiting` for what stands open now. */
  step: string
  at: number
  /** Who did it: an ID, the address or peer ID of a relay, `gossip`, or `me`. */
  by: string
  /** In words; empty when the step says it all. */
  detail: string
  /** Until when it waits, or until when a relay keeps it. */
  until?: number
  /** The hour that a receipt names. */
  storedAt?: number
}

export interface MessageTrace {
  messageId: string
  state: DeliveryState
  steps: TraceStep[]
}

/** Somebody who goes on in the event log where they were. */
export interface ConsumerView {
  consumer: string
  /** Of the last event that it acknowledged. */
  cursor: number
  /** Events that it has not acknowledged. */
  behind: number
  /** When it acknowledged last, or was made. */
  at: number
}

/** One row of the event log. `event` is one of ready, request, friend, message, state, contact, alarm, behind, healing,
 * relay, identity, read, draft. */
export interface NodeEvent {
  cursor: number
  event: string
  at: number
  /** Fields by event; only strings, numbers, booleans. Fields that end in `At` are times. */
  detail: Record<string, string | number | boolean>
}

/** What somebody may be given a token for. */
export interface NewToken {
  /** For people; at most `MAX_TOKEN_NAME_BYTES`. */
  name: string
  scopes: readonly Scope[]
  /** ID of the friend whose conversation is all that it sees, as text. */
  conversation?: string
  /** It belongs to a page in a browser and ends by itself; of those the oldest gives way to a new one. @default false */
  isPage?: boolean
}

export interface TokenView {
  /** 16 hexadecimal digits. */
  tokenId: string
  name: string
  scopes: Scope[]
  conversation?: string
  createdAt: number
  isPage: boolean
}

/** A caller by its token. */
export interface KnownToken extends Caller {
  tokenId: string
}

/** One key of the configuration. */
export interface SettingRow {
  key: string
  /** As text, lists separated by commas; null where nothing is set and there is no default. */
  value: string | null
  origin: 'flag' | 'environment' | 'file' | 'default'
  description: string
  /** A node that runs takes a change at its next start. */
  restart: boolean
}

/** The configuration of a home. */
export interface SettingsService {
  list(): Promise<SettingRow[]>
  /**
   * Writes a value into the config file; null takes the key out again.
   * @returns the row as it is then: a flag or a variable may still hold against the file
   * @throws ConfigError `CONFIG`
   */
  set(key: string, value: string | null): Promise<SettingRow>
}

/** The tokens of a node. */
export interface TokenService {
  /**
   * @param secret what the caller will show: 256 random bits or more; only its hash is kept
   * @throws UsageError `TOO_MANY`, `TOO_LONG`; for a `conversation` (petname, ID or prefix) those of `who`
   */
  createToken(token: NewToken, secret: string): Promise<TokenView>
  tokens(): Promise<TokenView[]>
  /** @throws UsageError `UNKNOWN_TOKEN` */
  revokeToken(tokenId: string): Promise<void>
  /** Whose secret it is; undefined for nobody's. */
  callerOf(secret: string): KnownToken | undefined
  /** Calls `listener` with the ID of each token that ends; returns what ends that. */
  onTokenEnd(listener: (tokenId: string) => void): () => void
}

export interface NodeService extends TokenService {
  status(): Promise<NodeStatus>
  /** The person says that this home is the only one and the newest: sending that was stopped for its sake goes on. */
  trustHome(): Promise<void>
  /**
   * Reveals the next root key, with a new device; the old one is revoked. The ID stays.
   * @param words the 24 words; not kept
   * @returns how often the root key was replaced by now
   */
  rotateIdentity(words: string): Promise<{ id: string; rotations: number }>
  /** Proofs against relays that dropped mail which they had signed for. */
  relayProofs(): Promise<RelayProof[]>
  /** Relays only. */
  relayCounters(): Promise<RelayCounters>
  /** Relays only. */
  relaySettings(): Promise<RelaySettings>
  /** Relays only. Holds at once and over restarts. @throws UsageError `BAD_SOURCE`, `BAD_TIME`, `TOO_MANY` */
  changeRelay(change: RelayChange): Promise<RelaySettings>

  createInvite(options: { lifetimeSeconds: number; uses: number }): Promise<InviteView>
  invites(): Promise<InviteView[]>
  revokeInvite(inviteId: string): Promise<void>

  /** By an invite, or an ID; `reason` as in a `ContactView`. */
  add(options: {
    target: string
    petname?: string
    note?: string
  }): Promise<{ id: string; state: ContactState; reason?: string }>
  requests(): Promise<RequestView[]>
  accept(who: string, petname?: string): Promise<{ id: string; state: ContactState }>
  decline(who: string): Promise<{ id: string; state: ContactState }>
  block(who: string): Promise<{ id: string; state: ContactState }>
  unfriend(who: string): Promise<{ id: string; state: ContactState }>
  friends(): Promise<ContactView[]>
  /** Another petname. @throws UsageError `BAD_NAME`, `TOO_LONG`, `WRONG_STATE` when another contact has it */
  rename(who: string, petname: string): Promise<ContactView>
  /**
   * The 60 digits, and the text for a QR code of them; with `confirm` the contact becomes verified (`NOT_TRUSTED` when
   * `number`, the digits or the text, is given and differs).
   */
  verify(who: string, confirm?: { number?: string }): Promise<SafetyNumberView>
  /** Accepts the keys that a friend has now, without a comparison: sending goes on. */
  trust(who: string): Promise<{ id: string; state: ContactState; verified: boolean }>

  /**
   * With an `idempotencyKey` that was used for the same before, the message of then is answered and nothing is sent.
   * @throws UsageError `IDEMPOTENCY_CONFLICT` when the key was used for another message
   */
  send(who: string, text: string, idempotencyKey?: string): Promise<{ messageId: string; state: DeliveryState }>
  /** ID of the friend that a message was exchanged with; undefined when it is not known. @throws UsageError `UNKNOWN_MESSAGE` */
  correspondent(messageId: string): Promise<string | undefined>
  /** The way of a message of this person's. @throws UsageError `UNKNOWN_MESSAGE` */
  trace(messageId: string): Promise<MessageTrace>
  /** Resolves with the state reached once it is at least `state`, is final, or the time is over. */
  waitForState(messageId: string, state: DeliveryState, timeoutMs: number): Promise<DeliveryState>
  /**
   * Oldest first: the newest before `before`, or the oldest after `after`. With `markRead` everything of the
   * conversation's counts as read from then on.
   */
  history(options: HistoryOptions): Promise<HistoryEntry[]>

  /** The newest messages that contain `query`, of one conversation or of all, newest first. */
  search(options: { query: string; who?: string; limit: number }): Promise<SearchResult>
  /** Everybody with whom there is or could be a conversation, newest activity first. */
  conversations(): Promise<ConversationView[]>
  /** Marks as read, up to a message or all. @throws UsageError `UNKNOWN_MESSAGE` */
  markRead(who: string, upTo?: string): Promise<{ unread: number }>
  /** Keeps what was begun; an empty text takes it away. @throws UsageError `TOO_LONG`, `TOO_MANY` */
  setDraft(who: string, text: string): Promise<void>

  /** Events after `since` (0 for all that are kept), at most `limit`; the last one's cursor is the next `since`. */
  eventsSince(since: number, limit: number): Promise<NodeEvent[]>
  /**
   * Where a consumer of the log goes on, by name; one that is new begins at `from`, or at the end.
   * @throws UsageError `TOO_MANY`
   */
  openConsumer(name: string, from?: number): Promise<number>
  /** @returns up to where it is done now. @throws UsageError `UNKNOWN_CONSUMER`, `BAD_CURSOR` */
  acknowledge(name: string, cursor: number): Promise<number>
  consumers(): Promise<ConsumerView[]>
  /** False when there is none of this name. */
  forgetConsumer(name: string): Promise<boolean>
  /** Cursor of the newest event, 0 before the first. */
  lastCursor(): number
  /** Calls `listener` after each event was written; returns what ends it. */
  onEvent(listener: (event: NodeEvent) => void): () => void
}
