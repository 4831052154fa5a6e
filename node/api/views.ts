/**
 * What the API tells, as callers see it: the shapes of answers that are more than a few fields, and how they are made of what
 * the node says (`service.ts`). Times become ISO 8601 in UTC.
 */
import { z } from 'zod'
import { MAX_HISTORY_PAGE_BYTES, MAX_PREVIEW_CHARACTERS } from '../limits.ts'
import { SCOPES } from './caller.ts'
import { configSchema } from '../config.ts'
import {
  CONTACT_STATES,
  DELIVERY_STATES,
  type ConsumerView,
  type ConversationView,
  type HistoryEntry,
  type InviteView,
  type NodeEvent,
  type NodeStatus,
  type RelayProof,
  type RelaySettings,
  type RequestView,
  type SearchResult,
  type TokenView,
  TRUST_STATES,
  type TraceStep,
} from './service.ts'

const time = z.iso.datetime().describe('ISO 8601, UTC')
export const cursorShape = z.number().int().min(0)
export const deliveryStateShape = z.enum(DELIVERY_STATES)
export const contactShape = z.object({
  id: z.string(),
  state: z.enum(CONTACT_STATES),
  reason: z.string().optional().describe('why it failed, or what it waits for before it can be sent'),
})

const relayStatus = z.object({
  address: z.string(),
  connected: z.boolean(),
  problem: z.string().optional(),
  standIn: z.boolean().optional(),
  leavesAt: time.optional().describe('when it stops to take mail, as it announced'),
})
export const statusShape = z.object({
  role: z.enum(['node', 'relay']),
  id: z.string().optional(),
  name: z.string().optional(),
  peerId: z.string(),
  addresses: z.array(z.string()),
  peers: z.number(),
  relays: z.array(relayStatus),
  friends: z.number(),
  requests: z.number(),
  unacknowledged: z.number(),
  uptime: z.number().describe('milliseconds since start'),
  problems: z
    .array(z.object({ code: z.string(), message: z.string(), hint: z.string() }))
    .default([])
    .describe('what stays wrong until somebody does something about it'),
  clockCorrection: z.number().optional().describe('seconds, once the relays have told the time'),
  recordsTaken: z.number().optional().describe('who holds the own records, once they were published'),
})

export const inviteShape = z.object({
  inviteId: z.string(),
  invite: z.string(),
  createdAt: time,
  expires: time,
  used: z.number(),
})

const historyEntry = z.object({
  messageId: z.string(),
  conversation: z.string(),
  from: z.string(),
  direction: z.enum(['in', 'out']),
  type: z.string(),
  text: z.string(),
  sentAt: time,
  receivedAt: time,
  state: deliveryStateShape,
  reason: z.string().optional(),
  via: z.enum(['gossip', 'relay', 'direct']).optional(),
  missing: z.number().optional().describe('at least so many messages are missing in front of it'),
})

export const traceShape = z.object({
  messageId: z.string(),
  state: deliveryStateShape,
  steps: z.array(
    z.object({
      step: z.string(),
      at: time,
      by: z.string().describe('an ID, the address or peer ID of a relay, `gossip`, or `me`'),
      detail: z.string(),
      until: time.optional().describe('until when it waits, or until when a relay keeps it'),
      storedAt: time.optional().describe('the hour that a receipt names'),
    }),
  ),
})

export const pageShape = z.object({
  messages: z.array(historyEntry),
  more: z
    .boolean()
    .describe(
      'there may be others: ask again with `before` set to the first of these, or with `after` set to the last when that was asked',
    ),
})

export const searchShape = z.object({
  messages: z.array(historyEntry.extend({ id: z.string().describe('ID of the contact') })),
  complete: z.boolean().describe('everything was looked through; of very much text only the newest is'),
})

export const settingShape = z.object({
  key: z.string(),
  value: z.string().nullable().describe('lists are separated by commas'),
  origin: z.enum(['flag', 'environment', 'file', 'default']),
  description: z.string(),
  restart: z.boolean().describe('a node that runs takes a change at its next start'),
})

export const eventShape = z.object({
  cursor: cursorShape,
  event: z.string(),
  at: time,
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})
export const laggedShape = z
  .object({ from: cursorShape, to: cursorShape })
  .describe('events that are gone from the log')
export const consumerShape = z.object({
  consumer: z.string(),
  cursor: cursorShape.describe('of the last event that it acknowledged'),
  behind: z.number().describe('events that it has not acknowledged'),
  at: time,
})
/** A row of the event log as the API tells it. */
export type EventView = z.output<typeof eventShape>

/** A contact as `friend.list` shows it. */
export const contactViewShape = z.object({
  id: z.string(),
  petname: z.string(),
  name: z.string(),
  state: z.enum(CONTACT_STATES),
  reason: z.string().optional(),
  verified: z.boolean(),
  trust: z.enum(TRUST_STATES),
  keysChanged: z.literal(true).optional().describe('nobody has accepted the keys that they have now'),
  freshness: z.literal('unconfirmed').optional().describe('nobody confirmed yet that their record is the newest'),
  online: z.boolean(),
  unread: z.number(),
})
const { reason: _reason, freshness: _freshness, ...ofContact } = contactViewShape.shape
/** A conversation as `conversation.list` shows it. */
export const conversationShape = z.object({
  conversation: z.string(),
  ...ofContact,
  firstUnread: z.string().optional().describe('message ID'),
  draft: z.string().optional().describe('what was begun and not sent'),
  last: historyEntry
    .pick({ messageId: true, direction: true, from: true, type: true, sentAt: true, state: true })
    .extend({ text: z.string().describe(`its first ${MAX_PREVIEW_CHARACTERS} characters`) })
    .optional(),
})
export const requestShape = z.object({ id: z.string(), name: z.string(), note: z.string(), receivedAt: time })
export const relayProofShape = z.object({ peerId: z.string(), provenAt: time, proof: z.hex() })

export const tokenShape = z.object({
  tokenId: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  conversation: z.string().optional().describe('ID of the friend whose conversation is all that it sees'),
  createdAt: time,
  isPage: z.boolean().describe('a page in a browser; it ends by itself'),
})

export function renderToken({ createdAt, ...token }: TokenView): z.input<typeof tokenShape> {
  return { ...token, createdAt: iso(createdAt) }
}

export const relayCountersShape = z.object({
  claims: z.number().describe('mailboxes'),
  copies: z.number(),
  bytes: z.number().describe('as reckoned on the disk'),
  records: z.number(),
  used: z.number().describe('mailboxes that somebody uses: neither given up nor never used'),
  holding: z.number().describe('mailboxes in which mail lies'),
})
const relayLimits = {
  maxClaims: configSchema.shape.relayMaxClaims,
  maxBytes: configSchema.shape.relayMaxBytes,
  maxDays: configSchema.shape.relayMaxDays,
  claimBits: configSchema.shape.relayClaimBits,
}
export const relayLimitsShape = z
  .strictObject({
    maxClaims: relayLimits.maxClaims.nullable(),
    maxBytes: relayLimits.maxBytes.nullable(),
    maxDays: relayLimits.maxDays.nullable(),
    claimBits: relayLimits.claimBits.nullable(),
  })
  .partial()
export const relaySettingsShape = z.object({
  ...relayLimits,
  drainAt: time.optional().describe('from then on it takes no mail; from the announcement on it opens no mailbox'),
  banned: z.array(z.string()).describe('prefixes of addresses'),
})

export function renderRelaySettings({ drainAt, banned, ...limits }: RelaySettings): z.input<typeof relaySettingsShape> {
  return { ...limits, banned: [...banned], ...(drainAt !== undefined && { drainAt: iso(drainAt) }) }
}

/** A row of the event log with its times in words. */
export function renderEvent(row: NodeEvent): EventView {
  const detail: EventView['detail'] = {}
  for (const [key, value] of Object.entries(row.detail)) {
    detail[key] = key.endsWith('At') && typeof value === 'number' ? iso(value) : value
  }
  return { cursor: row.cursor, event: row.event, at: iso(row.at), detail }
}

export function renderConsumer({ at, ...consumer }: ConsumerView): z.input<typeof consumerShape> {
  return { ...consumer, at: iso(at) }
}

/** A node's status with its times in words. */
export function renderStatus({ relays, ...status }: NodeStatus): z.input<typeof statusShape> {
  return {
    ...status,
    relays: relays.map(({ leavesAt, ...relay }) => ({
      ...relay,
      ...(leavesAt !== undefined && { leavesAt: iso(leavesAt) }),
    })),
  }
}

export function renderInvite({
  inviteId,
  invite: link,
  createdAt,
  expiresAt,
  used,
}: InviteView): z.input<typeof inviteShape> {
  return { inviteId, invite: link, createdAt: iso(createdAt), expires: iso(expiresAt), used }
}

export function renderRequest({ id, name, note, receivedAt }: RequestView): z.input<typeof requestShape> {
  return { id, name, note, receivedAt: iso(receivedAt) }
}

export function renderProof({ peerId, provenAt, proof }: RelayProof): z.input<typeof relayProofShape> {
  return { peerId, provenAt: iso(provenAt), proof }
}

export function renderStep({ step, at, by, detail, until, storedAt }: TraceStep) {
  return {
    step,
    at: iso(at),
    by,
    detail,
    ...(until === undefined ? {} : { until: iso(until) }),
    ...(storedAt === undefined ? {} : { storedAt: iso(storedAt) }),
  }
}

/**
 * A page of at most `MAX_HISTORY_PAGE_BYTES` of text: the newest of what was found, or with `isForward` the oldest.
 * @param limit as many were asked for
 */
export function historyPage(entries: HistoryEntry[], limit: number, isForward = false): z.input<typeof pageShape> {
  let bytes = 0
  let taken = 0
  while (taken < entries.length && (taken === 0 || bytes < MAX_HISTORY_PAGE_BYTES)) {
    taken += 1
    bytes += Buffer.byteLength(entries.at(isForward ? taken - 1 : -taken)!.text)
  }
  const kept = isForward ? entries.slice(0, taken) : entries.slice(entries.length - taken)
  return { messages: kept.map(renderEntry), more: taken < entries.length || entries.length >= limit }
}

export function renderConversation({ last, ...view }: ConversationView): z.input<typeof conversationShape> {
  if (last === undefined) return view
  // by characters, so that none is cut in two
  const text = Array.from(last.text.slice(0, 2 * MAX_PREVIEW_CHARACTERS))
    .slice(0, MAX_PREVIEW_CHARACTERS)
    .join('')
  return { ...view, last: { ...last, text, sentAt: iso(last.sentAt) } }
}

/** Of what was found at most `MAX_HISTORY_PAGE_BYTES` of text, the newest. */
export function renderSearch({ messages, complete }: SearchResult): z.input<typeof searchShape> {
  const { messages: kept, more } = historyPage(messages, Infinity, true)
  return { messages: kept.map((message, i) => ({ ...message, id: messages[i]!.id })), complete: complete && !more }
}

function renderEntry(entry: HistoryEntry): z.input<typeof historyEntry> {
  return {
    messageId: entry.messageId,
    conversation: entry.conversation,
    from: entry.from,
    direction: entry.direction,
    type: entry.type,
    text: entry.text,
    sentAt: iso(entry.sentAt),
    receivedAt: iso(entry.receivedAt),
    state: entry.state,
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
    ...(entry.via === undefined ? {} : { via: entry.via }),
    ...(entry.missing === undefined ? {} : { missing: entry.missing }),
  }
}

function iso(milliseconds: number): string {
  // A peer chooses what it calls its time; what no calendar can show becomes the nearest that it can.
  const bounded = Math.min(Math.max(Number.isFinite(milliseconds) ? milliseconds : 0, 0), MAX_TIME)
  return new Date(bounded).toISOString()
}

/** 9999-12-31, the last day that ISO 8601 writes in four digits. */
const MAX_TIME = 253_402_300_799_999
