/**
 * What a running node offers to its faces. `node.ts` implements it; the API's method table calls it and renders times
 * as ISO 8601. Times here are milliseconds since 1970. `who` is a petname, an ID or an unambiguous prefix of one.
 * Errors: UsageError `UNKNOWN_FRIEND`, `AMBIGUOUS`, `NOT_A_FRIEND`, `WRONG_STATE`, `TOO_LONG`, `TOO_MANY`, `BAD_INVITE`,
 * `INVITE_EXPIRED`, `INVITE_NEEDED`, `NOT_TRUSTED`, `UNKNOWN_MESSAGE`, `NO_RELAY`,
 * `ROLLED_BACK`.
 */

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
  /** Why the last attempt failed, in words; absent while it works. */
  problem?: string
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

export interface RelayCounters {
  claims: number
  copies: number
  bytes: number
  records: number
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

export interface ContactView {
  id: string
  petname: string
  /** What the friend calls themselves. */
  name: string
  state: ContactState
  /** For `failed`: why the request was given up. */
  reason?: string
  verified: boolean
  online: boolean
  unread: number
}

export interface HistoryEntry {
  messageId: string
  conversation: string
  /** ID of the author. */
  from: string
  direction: 'in' | 'out'
  /** `text`, or `unsupported` for what this version cannot show. */
  type: string
  text: string
  sentAt: number
  receivedAt: number
  state: DeliveryState
  /** For `failed` and `expired`. */
  reason?: string
  /** How it came here. */
  via?: 'gossip' | 'relay'
}

/** One row of the event log. `event` is one of ready, request, friend, message, state, contact, alarm, behind. */
export interface NodeEvent {
  cursor: number
  event: string
  at: number
  /** Fields by event; only strings, numbers, booleans. Fields that end in `At` are times. */
  detail: Record<string, string | number | boolean>
}

export interface NodeService {
  status(): Promise<NodeStatus>
  /** The person says that this home is the only one and the newest: sending that was stopped for its sake goes on. */
  trustHome(): Promise<void>
  /** Relays only. */
  relayCounters(): Promise<RelayCounters>

  createInvite(options: { lifetimeSeconds: number; uses: number }): Promise<InviteView>
  invites(): Promise<InviteView[]>
  revokeInvite(inviteId: string): Promise<void>

  add(options: { target: string; petname?: string; note?: string }): Promise<{ id: string; state: ContactState }>
  requests(): Promise<RequestView[]>
  accept(who: string, petname?: string): Promise<{ id: string; state: ContactState }>
  decline(who: string): Promise<{ id: string; state: ContactState }>
  block(who: string): Promise<{ id: string; state: ContactState }>
  unfriend(who: string): Promise<{ id: string; state: ContactState }>
  friends(): Promise<ContactView[]>
  /** The 60 digits; with `confirm` the contact becomes verified (`NOT_TRUSTED` when `number` is given and differs). */
  verify(who: string, confirm?: { number?: string }): Promise<{ safetyNumber: string; verified: boolean }>

  send(who: string, text: string): Promise<{ messageId: string; state: DeliveryState }>
  /** Resolves with the state reached once it is at least `state`, is final, or the time is over. */
  waitForState(messageId: string, state: DeliveryState, timeoutMs: number): Promise<DeliveryState>
  history(options: { who: string; limit: number; before?: string; search?: string }): Promise<HistoryEntry[]>

  /** Events after `since` (0 for all that are kept), at most `limit`; the last one's cursor is the next `since`. */
  eventsSince(since: number, limit: number): Promise<NodeEvent[]>
  /** Cursor of the newest event, 0 before the first. */
  lastCursor(): number
  /** Calls `listener` after each event was written; returns what ends it. */
  onEvent(listener: (event: NodeEvent) => void): () => void
}
