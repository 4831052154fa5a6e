/**
 * The method table of the API: one entry for each thing a face can ask of a node, with the shapes of its parameters and
 * its result. Transports carry it, `kith` and bots call it; times are ISO 8601 in UTC, lives are seconds. Clients ignore
 * fields they do not know; servers refuse parameters they do not know.
 */
import { z } from 'zod'
import {
  MAX_HISTORY_PAGE,
  MAX_HISTORY_PAGE_BYTES,
  MAX_LIVE_INVITES,
  MAX_REQUESTS_PER_INVITE,
  MAX_WAIT_SECONDS,
  MIN_INVITE_SECONDS,
} from '../limits.ts'
import type { NodeRole } from './runtime.ts'
import {
  CONTACT_STATES,
  DELIVERY_STATES,
  type HistoryEntry,
  type InviteView,
  type NodeEvent,
  type NodeService,
  type TraceStep,
} from './service.ts'

/** Version of the method table; a change that breaks callers raises it. */
export const API_VERSION = 1

/** What a call knows of the connection that it came on. */
export interface CallContext {
  readonly service: NodeService
  readonly role: NodeRole
  /** This node ends with the command that started it. */
  readonly transient: boolean
  /** @throws UsageError `TOO_MANY` */
  subscribe(since: number): number
  /** False when there is no such subscription. */
  unsubscribe(subscription: number): boolean
}

export interface Method<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  summary: string
  /** Which node answers it. */
  needs: NodeRole | 'both'
  params: P
  result: R
  run(context: CallContext, params: z.output<P>): Promise<z.input<R>>
}

function method<P extends z.ZodType, R extends z.ZodType>(definition: Method<P, R>): Method<P, R> {
  return definition
}

const text = z.string().refine((value) => value.isWellFormed(), 'expected well-formed Unicode')
const who = text.min(1).max(200).describe('petname, ID, or an unambiguous prefix of one')
const time = z.iso.datetime().describe('ISO 8601, UTC')
const cursor = z.number().int().min(0)
const nothing = z.strictObject({})
const onlyWho = z.strictObject({ who })
const deliveryState = z.enum(DELIVERY_STATES)
const contact = z.object({ id: z.string(), state: z.enum(CONTACT_STATES) })

const relayStatus = z.object({
  address: z.string(),
  connected: z.boolean(),
  problem: z.string().optional(),
  standIn: z.boolean().optional(),
})
const status = z.object({
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

const invite = z.object({
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
  state: deliveryState,
  reason: z.string().optional(),
  via: z.enum(['gossip', 'relay', 'direct']).optional(),
})

const trace = z.object({
  messageId: z.string(),
  state: deliveryState,
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

const page = z.object({
  messages: z.array(historyEntry),
  more: z.boolean().describe('older ones may exist: ask again with `before` set to the first of these'),
})

const event = z.object({
  cursor,
  event: z.string(),
  at: time,
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})
/** A row of the event log as the API tells it. */
export type EventView = z.output<typeof event>

const MAX_EVENT_PAGE = 500
const DEFAULT_INVITE_SECONDS = 7 * 86_400

export const METHODS = {
  'rpc.hello': method({
    summary: 'Version of the API and kind of node.',
    needs: 'both',
    params: nothing,
    result: z.object({ api: z.number(), role: z.enum(['node', 'relay']), transient: z.boolean() }),
    run: async (context) => ({ api: API_VERSION, role: context.role, transient: context.transient }),
  }),
  'rpc.discover': method({
    summary: 'This table, with JSON Schemas of parameters and results.',
    needs: 'both',
    params: nothing,
    result: z.object({ methods: z.array(z.record(z.string(), z.unknown())) }),
    run: async (): Promise<{ methods: Record<string, unknown>[] }> => ({ methods: describeMethods() }),
  }),
  'node.status': method({
    summary: 'Who this node is and how it is connected.',
    needs: 'both',
    params: nothing,
    result: status,
    run: ({ service }) => service.status(),
  }),
  'node.trust': method({
    summary: 'Says that this home is the only one and the newest: sending that was stopped for its sake goes on.',
    needs: 'node',
    params: nothing,
    result: z.object({ trusted: z.boolean() }),
    run: async ({ service }) => {
      await service.trustHome()
      return { trusted: true }
    },
  }),
  'relay.proofs': method({
    summary: 'Proofs against relays that dropped mail which they had signed for.',
    needs: 'node',
    params: nothing,
    result: z.array(z.object({ peerId: z.string(), provenAt: time, proof: z.hex() })),
    run: async ({ service }) =>
      (await service.relayProofs()).map(({ peerId, provenAt, proof }) => ({ peerId, provenAt: iso(provenAt), proof })),
  }),
  'relay.counters': method({
    summary: 'What a relay holds.',
    needs: 'relay',
    params: nothing,
    result: z.object({ claims: z.number(), copies: z.number(), bytes: z.number(), records: z.number() }),
    run: ({ service }) => service.relayCounters(),
  }),
  'invite.create': method({
    summary: 'A link that lets others knock.',
    needs: 'node',
    params: z.strictObject({
      expiresInSeconds: z.number().int().min(MIN_INVITE_SECONDS).default(DEFAULT_INVITE_SECONDS),
      uses: z.number().int().min(1).max(MAX_REQUESTS_PER_INVITE).default(1),
    }),
    result: invite,
    run: async ({ service }, { expiresInSeconds, uses }) =>
      renderInvite(await service.createInvite({ lifetimeSeconds: expiresInSeconds, uses })),
  }),
  'invite.list': method({
    summary: 'Invites that are alive.',
    needs: 'node',
    params: nothing,
    result: z.array(invite).max(MAX_LIVE_INVITES),
    run: async ({ service }) => (await service.invites()).map(renderInvite),
  }),
  'invite.revoke': method({
    summary: 'Ends an invite, named by its short name or by the link itself.',
    needs: 'node',
    params: z.strictObject({ inviteId: text.min(1).max(4096) }),
    result: z.object({ inviteId: z.string(), revoked: z.boolean() }),
    run: async ({ service }, { inviteId: named }) => {
      const linked = (await service.invites()).find(({ invite: link }) => link === named)
      const inviteId = linked?.inviteId ?? named
      await service.revokeInvite(inviteId)
      return { inviteId, revoked: true }
    },
  }),
  'friend.add': method({
    summary: 'Sends a friend request to the owner of an invite or an ID.',
    needs: 'node',
    params: z.strictObject({ target: text.min(1).max(4096), petname: text.min(1).optional(), note: text.optional() }),
    result: contact,
    run: ({ service }, params) => service.add(params),
  }),
  'friend.list': method({
    summary: 'Friends and everybody else who is known.',
    needs: 'node',
    params: nothing,
    result: z.array(
      z.object({
        id: z.string(),
        petname: z.string(),
        name: z.string(),
        state: z.enum(CONTACT_STATES),
        reason: z.string().optional(),
        verified: z.boolean(),
        online: z.boolean(),
        unread: z.number(),
      }),
    ),
    run: ({ service }) => service.friends(),
  }),
  'friend.verify': method({
    summary: 'The safety number; with `confirm` the friend becomes verified, if `number` is absent or equal.',
    needs: 'node',
    params: z.strictObject({ who, confirm: z.boolean().default(false), number: text.max(200).optional() }),
    result: z.object({ safetyNumber: z.string(), verified: z.boolean() }),
    run: ({ service }, params) =>
      params.confirm
        ? service.verify(params.who, params.number === undefined ? {} : { number: params.number })
        : service.verify(params.who),
  }),
  'friend.block': method({
    summary: 'Ends a friendship or a request, and takes nothing more from them.',
    needs: 'node',
    params: onlyWho,
    result: contact,
    run: ({ service }, params) => service.block(params.who),
  }),
  'friend.remove': method({
    summary: 'Ends a friendship.',
    needs: 'node',
    params: onlyWho,
    result: contact,
    run: ({ service }, params) => service.unfriend(params.who),
  }),
  'request.list': method({
    summary: 'Who asks to be a friend; name and note are what they claim.',
    needs: 'node',
    params: nothing,
    result: z.array(z.object({ id: z.string(), name: z.string(), note: z.string(), receivedAt: time })),
    run: async ({ service }) =>
      (await service.requests()).map(({ id, name, note, receivedAt }) => ({
        id,
        name,
        note,
        receivedAt: iso(receivedAt),
      })),
  }),
  'request.accept': method({
    summary: 'Makes a requester a friend.',
    needs: 'node',
    params: z.strictObject({ who, petname: text.min(1).optional() }),
    result: contact,
    run: ({ service }, params) => service.accept(params.who, params.petname),
  }),
  'request.decline': method({
    summary: 'Drops a request.',
    needs: 'node',
    params: onlyWho,
    result: contact,
    run: ({ service }, params) => service.decline(params.who),
  }),
  'message.send': method({
    summary: 'Writes a message into the outbox; durable when answered.',
    needs: 'node',
    params: z.strictObject({ who, text }),
    result: z.object({ messageId: z.string(), state: deliveryState }),
    run: ({ service }, params) => service.send(params.who, params.text),
  }),
  'message.wait': method({
    summary: 'Waits until a message has reached a state, cannot reach it any more, or the time is over.',
    needs: 'node',
    params: z.strictObject({
      messageId: text.min(1).max(200),
      state: deliveryState,
      timeoutSeconds: z.number().min(0).max(MAX_WAIT_SECONDS),
    }),
    result: z.object({ messageId: z.string(), state: deliveryState }),
    run: async ({ service }, { messageId, state, timeoutSeconds }) => ({
      messageId,
      state: await service.waitForState(messageId, state, timeoutSeconds * 1000),
    }),
  }),
  'message.trace': method({
    summary: 'The way of a message, step by step, and what it waits for.',
    needs: 'node',
    params: z.strictObject({ messageId: text.min(1).max(200) }),
    result: trace,
    run: async ({ service }, { messageId }) => {
      const { steps, ...message } = await service.trace(messageId)
      return { ...message, steps: steps.map(renderStep) }
    },
  }),
  'history.list': method({
    summary: 'A page of a conversation, oldest first, ending before a message or at the newest.',
    needs: 'node',
    params: z.strictObject({
      who,
      limit: z.number().int().min(1).max(MAX_HISTORY_PAGE).default(50),
      before: text.max(200).optional(),
      search: text.max(1000).optional(),
    }),
    result: page,
    run: async ({ service }, params) => historyPage(await service.history(params), params.limit),
  }),
  'events.since': method({
    summary: 'Events after a cursor, oldest first.',
    needs: 'both',
    params: z.strictObject({ since: cursor, limit: z.number().int().min(1).max(MAX_EVENT_PAGE).default(100) }),
    result: z.object({ events: z.array(event), cursor }),
    run: async ({ service }, { since, limit }) => {
      const events = await service.eventsSince(since, limit)
      return { events: events.map(renderEvent), cursor: events.at(-1)?.cursor ?? since }
    },
  }),
  'events.subscribe': method({
    summary: 'Tells every event after a cursor (without one: from now on) as notifications `event` on this connection.',
    needs: 'both',
    params: z.strictObject({ since: cursor.optional() }),
    result: z.object({ subscription: z.number(), cursor }),
    run: async (context, params) => {
      const since = params.since ?? context.service.lastCursor()
      return { subscription: context.subscribe(since), cursor: since }
    },
  }),
  'events.unsubscribe': method({
    summary: 'Ends a subscription of this connection.',
    needs: 'both',
    params: z.strictObject({ subscription: z.number().int() }),
    result: z.object({ ended: z.boolean() }),
    run: async (context, params) => ({ ended: context.unsubscribe(params.subscription) }),
  }),
} as const

export type MethodName = keyof typeof METHODS
export type MethodParams<M extends MethodName> = z.input<(typeof METHODS)[M]['params']>
export type MethodResult<M extends MethodName> = z.output<(typeof METHODS)[M]['result']>

/** The entry of a name that came from a caller. */
export function findMethod(name: string): Method | undefined {
  return Object.hasOwn(METHODS, name) ? METHODS[name as MethodName] : undefined
}

/** The table as data: names, summaries, JSON Schemas. */
export function describeMethods(): Record<string, unknown>[] {
  return Object.entries(METHODS).map(([name, { summary, needs, params, result }]) => ({
    name,
    summary,
    needs,
    params: z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }),
    result: z.toJSONSchema(result, { unrepresentable: 'any' }),
  }))
}

/** A row of the event log with its times in words. */
export function renderEvent(row: NodeEvent): EventView {
  const detail: EventView['detail'] = {}
  for (const [key, value] of Object.entries(row.detail)) {
    detail[key] = key.endsWith('At') && typeof value === 'number' ? iso(value) : value
  }
  return { cursor: row.cursor, event: row.event, at: iso(row.at), detail }
}

function renderInvite({ inviteId, invite: link, createdAt, expiresAt, used }: InviteView): z.input<typeof invite> {
  return { inviteId, invite: link, createdAt: iso(createdAt), expires: iso(expiresAt), used }
}

function renderStep({ step, at, by, detail, until, storedAt }: TraceStep) {
  return {
    step,
    at: iso(at),
    by,
    detail,
    ...(until === undefined ? {} : { until: iso(until) }),
    ...(storedAt === undefined ? {} : { storedAt: iso(storedAt) }),
  }
}

function historyPage(entries: HistoryEntry[], limit: number): z.input<typeof page> {
  let bytes = 0
  let first = entries.length
  while (first > 0 && (first === entries.length || bytes < MAX_HISTORY_PAGE_BYTES)) {
    first -= 1
    bytes += Buffer.byteLength(entries[first]!.text)
  }
  const messages = entries.slice(first).map((entry) => ({
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
  }))
  return { messages, more: first > 0 || entries.length >= limit }
}

function iso(milliseconds: number): string {
  // A peer chooses what it calls its time; what no calendar can show becomes the nearest that it can.
  const bounded = Math.min(Math.max(Number.isFinite(milliseconds) ? milliseconds : 0, 0), MAX_TIME)
  return new Date(bounded).toISOString()
}

/** 9999-12-31, the last day that ISO 8601 writes in four digits. */
const MAX_TIME = 253_402_300_799_999
