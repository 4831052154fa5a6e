/**
 * The method table of the API: one entry for each thing a face can ask of a node, with the shapes of its parameters and
 * its result. Transports carry it, `kith` and bots call it; times are ISO 8601 in UTC, lives are seconds. Clients ignore
 * fields they do not know; servers refuse parameters they do not know.
 */
import { z } from 'zod'
import { UsageError } from '../errors.ts'
import {
  MAX_CONFIG_BYTES,
  MAX_HISTORY_PAGE,
  MAX_LIVE_INVITES,
  MAX_REQUESTS_PER_INVITE,
  MAX_TOKEN_NAME_BYTES,
  MAX_WAIT_SECONDS,
  MIN_INVITE_SECONDS,
} from '../limits.ts'
import { type Demands, SCOPES } from './caller.ts'
import { beginOf, type EventPage } from './event-page.ts'
import { describeApi, type OpenRpcDocument } from './openrpc.ts'
import type { NodeRole } from './runtime.ts'
import { newToken } from './secret.ts'
import type { NodeService, SettingsService } from './service.ts'
import {
  consumerShape,
  contactShape,
  contactViewShape,
  conversationShape,
  cursorShape,
  deliveryStateShape,
  eventShape,
  historyPage,
  inviteShape,
  laggedShape,
  pageShape,
  relayCountersShape,
  relayLimitsShape,
  relayProofShape,
  renderConsumer,
  renderConversation,
  relaySettingsShape,
  renderEvent,
  renderInvite,
  renderProof,
  renderRelaySettings,
  renderRequest,
  renderSearch,
  renderStatus,
  renderStep,
  renderToken,
  requestShape,
  searchShape,
  settingShape,
  statusShape,
  tokenShape,
  traceShape,
} from './views.ts'

/** Version of the method table; a change that breaks callers raises it. */
export const API_VERSION = 1

/** What a call knows of the connection that it came on. */
export interface CallContext {
  /** The node, as far as the caller sees it. */
  readonly service: NodeService
  readonly role: NodeRole
  /** This node ends with the command that started it. */
  readonly transient: boolean
  /** Events that the caller may see. */
  events(options: { since: number; limit: number; kinds?: readonly string[] }): Promise<EventPage>
  /** @throws UsageError `TOO_MANY` */
  subscribe(since: number, kinds?: readonly string[]): number
  /** False when there is no such subscription. */
  unsubscribe(subscription: number): boolean
  /** @throws UsageError `NO_SETTINGS` from each of its methods where nobody keeps any */
  readonly settings: SettingsService
  /** The address of the page with a key that is good once; with `isOwn` for a process of this user alone. @throws UsageError `NO_PAGE`, NetworkError `CANNOT_LISTEN` */
  openPage(isOwn: boolean): Promise<string>
}

export interface Method<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> extends Demands {
  summary: string
  /** Which node answers it. */
  needs: NodeRole | 'both'
  /** Parameters of a call as somebody would write it. */
  example: z.input<P>
  params: P
  result: R
  run(context: CallContext, params: z.output<P>): Promise<z.input<R>>
}

function method<P extends z.ZodType, R extends z.ZodType>(definition: Method<P, R>): Method<P, R> {
  return definition
}

const text = z.string().refine((value) => value.isWellFormed(), 'expected well-formed Unicode')
const who = text.min(1).max(200).describe('petname, ID, or an unambiguous prefix of one')
const source = text.min(1).max(64).describe('an IP address, or a prefix of /24 (IPv4) or /48 (IPv6)')
const nothing = z.strictObject({})
const onlyWho = z.strictObject({ who })

export const consumerName = z
  .string()
  .regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, dots, lines and hyphens')
  .describe('a name by which a program goes on behind what it acknowledged')
const eventsFrom = {
  since: cursorShape.optional(),
  consumer: consumerName.optional(),
  kinds: z.array(z.string().min(1).max(32)).min(1).max(32).optional().describe('only these events'),
}

const EXAMPLE_MESSAGE = '4dd1065385b1375708ac927683b35ad8'
const EXAMPLE_WORDS = `${'abandon '.repeat(23)}art`

/** Named, since the table's type cannot follow from what is made of it. */
interface DiscoveredApi extends Omit<OpenRpcDocument, 'methods'> {
  methods: { name: string; summary: string; [field: string]: unknown }[]
}

const MAX_EVENT_PAGE = 500
const DEFAULT_INVITE_SECONDS = 7 * 86_400

export const METHODS = {
  'rpc.hello': method({
    summary: 'Version of the API and kind of node.',
    needs: 'both',
    scope: 'none',
    limited: true,
    example: {},
    params: nothing,
    result: z.object({ api: z.number(), role: z.enum(['node', 'relay']), transient: z.boolean() }),
    run: async (context) => ({ api: API_VERSION, role: context.role, transient: context.transient }),
  }),
  'rpc.discover': method({
    summary: 'This table as an OpenRPC document, with JSON Schemas of parameters and results.',
    needs: 'both',
    scope: 'none',
    limited: true,
    example: {},
    params: nothing,
    result: z.object({
      openrpc: z.string(),
      info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
      methods: z.array(z.looseObject({ name: z.string(), summary: z.string() })),
    }),
    run: async (): Promise<DiscoveredApi> => describeApi(METHODS, API_VERSION) as unknown as DiscoveredApi,
  }),
  'node.status': method({
    summary: 'Who this node is and how it is connected.',
    needs: 'both',
    scope: 'read',
    example: {},
    params: nothing,
    result: statusShape,
    run: async ({ service }) => renderStatus(await service.status()),
  }),
  'node.trust': method({
    summary: 'Says that this home is the only one and the newest: sending that was stopped for its sake goes on.',
    needs: 'node',
    scope: 'admin',
    example: {},
    params: nothing,
    result: z.object({ trusted: z.boolean() }),
    run: async ({ service }) => {
      await service.trustHome()
      return { trusted: true }
    },
  }),
  'identity.rotate': method({
    summary: 'Replaces the root key by the next one, which the 24 words give, and this device; friends are told.',
    needs: 'node',
    scope: 'admin',
    example: { words: EXAMPLE_WORDS },
    params: z.strictObject({ words: text.min(1).max(1000) }),
    result: z.object({ id: z.string(), rotations: z.number() }),
    run: ({ service }, { words }) => service.rotateIdentity(words),
  }),
  'relay.proofs': method({
    summary: 'Proofs against relays that dropped mail which they had signed for.',
    needs: 'node',
    scope: 'read',
    example: {},
    params: nothing,
    result: z.array(relayProofShape),
    run: async ({ service }) => (await service.relayProofs()).map(renderProof),
  }),
  'relay.counters': method({
    summary: 'What a relay holds.',
    needs: 'relay',
    scope: 'metrics',
    example: {},
    params: nothing,
    result: relayCountersShape,
    run: ({ service }) => service.relayCounters(),
  }),
  'relay.settings': method({
    summary: 'What the operator laid down, and the limits that hold by it.',
    needs: 'relay',
    scope: 'read',
    example: {},
    params: nothing,
    result: relaySettingsShape,
    run: async ({ service }) => renderRelaySettings(await service.relaySettings()),
  }),
  'relay.drain': method({
    summary: 'Announces when the relay stops to take mail, from now on it opens no mailbox; null takes that back.',
    needs: 'relay',
    scope: 'admin',
    example: { at: '2027-01-31T00:00:00Z' },
    params: z.strictObject({ at: z.iso.datetime().nullable() }),
    result: relaySettingsShape,
    run: async ({ service }, { at }) =>
      renderRelaySettings(await service.changeRelay({ drainAt: at === null ? null : Date.parse(at) })),
  }),
  'relay.ban': method({
    summary: 'Turns an address away with its neighbours: /24 of IPv4, /48 of IPv6.',
    needs: 'relay',
    scope: 'admin',
    example: { source: '192.0.2.7' },
    params: z.strictObject({ source }),
    result: relaySettingsShape,
    run: async ({ service }, params) => renderRelaySettings(await service.changeRelay({ ban: params.source })),
  }),
  'relay.unban': method({
    summary: 'Lets a prefix in again.',
    needs: 'relay',
    scope: 'admin',
    example: { source: '192.0.2.0/24' },
    params: z.strictObject({ source }),
    result: relaySettingsShape,
    run: async ({ service }, params) => renderRelaySettings(await service.changeRelay({ unban: params.source })),
  }),
  'relay.limits': method({
    summary: 'Other limits than the configuration has, from now on and over restarts; null takes one back.',
    needs: 'relay',
    scope: 'admin',
    example: { maxClaims: 50_000, maxDays: null },
    params: relayLimitsShape,
    result: relaySettingsShape,
    run: async ({ service }, limits) => renderRelaySettings(await service.changeRelay({ limits })),
  }),
  'invite.create': method({
    summary: 'A link that lets others knock.',
    needs: 'node',
    scope: 'admin',
    example: { expiresInSeconds: 3600, uses: 2 },
    params: z.strictObject({
      expiresInSeconds: z.number().int().min(MIN_INVITE_SECONDS).default(DEFAULT_INVITE_SECONDS),
      uses: z.number().int().min(1).max(MAX_REQUESTS_PER_INVITE).default(1),
    }),
    result: inviteShape,
    run: async ({ service }, { expiresInSeconds, uses }) =>
      renderInvite(await service.createInvite({ lifetimeSeconds: expiresInSeconds, uses })),
  }),
  'invite.list': method({
    summary: 'Invites that are alive.',
    needs: 'node',
    scope: 'admin',
    example: {},
    params: nothing,
    result: z.array(inviteShape).max(MAX_LIVE_INVITES),
    run: async ({ service }) => (await service.invites()).map(renderInvite),
  }),
  'invite.revoke': method({
    summary: 'Ends an invite, named by its short name or by the link itself.',
    needs: 'node',
    scope: 'admin',
    example: { inviteId: '5f2c8a1e90b7d346' },
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
    scope: 'admin',
    example: { target: 'kithinvite1…', petname: 'carol', note: 'we met in Aarhus' },
    params: z.strictObject({ target: text.min(1).max(4096), petname: text.min(1).optional(), note: text.optional() }),
    result: contactShape,
    run: ({ service }, params) => service.add(params),
  }),
  'friend.list': method({
    summary: 'Friends and everybody else who is known.',
    needs: 'node',
    scope: 'read',
    limited: true,
    example: {},
    params: nothing,
    result: z.array(contactViewShape),
    run: ({ service }) => service.friends(),
  }),
  'friend.verify': method({
    summary: 'The safety number; with `confirm` the friend becomes verified, if `number` is absent or equal.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'bob' },
    params: z.strictObject({ who, confirm: z.boolean().default(false), number: text.max(200).optional() }),
    result: z.object({
      safetyNumber: z.string(),
      code: z.string().describe('text of a QR code that says the same; `number` takes it too'),
      verified: z.boolean(),
    }),
    run: ({ service }, params) =>
      params.confirm
        ? service.verify(params.who, params.number === undefined ? {} : { number: params.number })
        : service.verify(params.who),
  }),
  'friend.rename': method({
    summary: 'Another petname for a contact; it is seen here alone.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'bob', petname: 'Robert' },
    params: z.strictObject({ who, petname: text.min(1) }),
    result: contactViewShape,
    run: ({ service }, params) => service.rename(params.who, params.petname),
  }),
  'friend.trust': method({
    summary: 'Accepts the keys that a friend has now, without a comparison: sending goes on.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'bob' },
    params: onlyWho,
    result: contactShape.extend({ verified: z.boolean() }),
    run: ({ service }, params) => service.trust(params.who),
  }),
  'friend.block': method({
    summary: 'Ends a friendship or a request, and takes nothing more from them.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'mallory' },
    params: onlyWho,
    result: contactShape,
    run: ({ service }, params) => service.block(params.who),
  }),
  'friend.remove': method({
    summary: 'Ends a friendship.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'bob' },
    params: onlyWho,
    result: contactShape,
    run: ({ service }, params) => service.unfriend(params.who),
  }),
  'request.list': method({
    summary: 'Who asks to be a friend; name and note are what they claim.',
    needs: 'node',
    scope: 'read',
    example: {},
    params: nothing,
    result: z.array(requestShape),
    run: async ({ service }) => (await service.requests()).map(renderRequest),
  }),
  'request.accept': method({
    summary: 'Makes a requester a friend.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'dave', petname: 'dave' },
    params: z.strictObject({ who, petname: text.min(1).optional() }),
    result: contactShape,
    run: ({ service }, params) => service.accept(params.who, params.petname),
  }),
  'request.decline': method({
    summary: 'Drops a request.',
    needs: 'node',
    scope: 'admin',
    example: { who: 'dave' },
    params: onlyWho,
    result: contactShape,
    run: ({ service }, params) => service.decline(params.who),
  }),
  'message.send': method({
    summary: 'Writes a message into the outbox; durable when answered.',
    needs: 'node',
    scope: 'send',
    limited: true,
    example: { who: 'bob', text: 'hello', idempotencyKey: 'echo-41' },
    params: z.strictObject({
      who,
      text,
      idempotencyKey: z
        .string()
        .regex(/^[\x20-\x7e]{1,64}$/, 'expected 1 to 64 printable ASCII characters')
        .optional()
        .describe('the same call with the same key is the same message, for a week at least'),
    }),
    result: z.object({ messageId: z.string(), state: deliveryStateShape }),
    run: ({ service }, { who: friend, text: content, idempotencyKey }) => service.send(friend, content, idempotencyKey),
  }),
  'message.wait': method({
    summary: 'Waits until a message has reached a state, cannot reach it any more, or the time is over.',
    needs: 'node',
    scope: 'send',
    limited: true,
    example: { messageId: EXAMPLE_MESSAGE, state: 'delivered', timeoutSeconds: 60 },
    params: z.strictObject({
      messageId: text.min(1).max(200),
      state: deliveryStateShape,
      timeoutSeconds: z.number().min(0).max(MAX_WAIT_SECONDS),
    }),
    result: z.object({ messageId: z.string(), state: deliveryStateShape }),
    run: async ({ service }, { messageId, state, timeoutSeconds }) => ({
      messageId,
      state: await service.waitForState(messageId, state, timeoutSeconds * 1000),
    }),
  }),
  'message.trace': method({
    summary: 'The way of a message, step by step, and what it waits for.',
    needs: 'node',
    scope: 'read',
    limited: true,
    example: { messageId: EXAMPLE_MESSAGE },
    params: z.strictObject({ messageId: text.min(1).max(200) }),
    result: traceShape,
    run: async ({ service }, { messageId }) => {
      const { steps, ...message } = await service.trace(messageId)
      return { ...message, steps: steps.map(renderStep) }
    },
  }),
  'history.list': method({
    summary: 'A page of a conversation, oldest first: before a message, after one, or the newest.',
    needs: 'node',
    scope: 'read',
    limited: true,
    example: { who: 'bob', limit: 20 },
    params: z.strictObject({
      who,
      limit: z.number().int().min(1).max(MAX_HISTORY_PAGE).default(50),
      before: text.max(200).optional(),
      after: text.max(200).optional().describe('not together with `before`'),
      search: text.max(1000).optional(),
      markRead: z.boolean().default(false).describe('the conversation counts as read from then on'),
    }),
    result: pageShape,
    run: async ({ service }, params) => {
      const isForward = params.after !== undefined
      if (isForward && params.before !== undefined) {
        throw new UsageError('INVALID_PARAMS', 'expected before or after, got both')
      }
      return historyPage(await service.history(params), params.limit, isForward)
    },
  }),
  'history.search': method({
    summary: 'The newest messages that contain a text, in one conversation or in all, newest first.',
    needs: 'node',
    scope: 'read',
    limited: true,
    example: { query: 'aarhus', limit: 20 },
    params: z.strictObject({
      query: text.min(1).max(1000).describe('capitals do not matter'),
      who: who.optional(),
      limit: z.number().int().min(1).max(MAX_HISTORY_PAGE).default(50),
    }),
    result: searchShape,
    run: async ({ service }, params) => renderSearch(await service.search(params)),
  }),
  'conversation.list': method({
    summary: 'Everybody with whom one can or could talk, newest activity first.',
    needs: 'node',
    scope: 'read',
    limited: true,
    example: {},
    params: nothing,
    result: z.object({ conversations: z.array(conversationShape) }),
    run: async ({ service }) => ({ conversations: (await service.conversations()).map(renderConversation) }),
  }),
  'conversation.read': method({
    summary: 'Marks what a friend wrote as read, up to a message or all of it; an event `read` tells other faces.',
    needs: 'node',
    scope: 'send',
    limited: true,
    example: { who: 'bob', upTo: EXAMPLE_MESSAGE },
    params: z.strictObject({ who, upTo: text.min(1).max(200).optional() }),
    result: z.object({ unread: z.number() }),
    run: ({ service }, params) => service.markRead(params.who, params.upTo),
  }),
  'draft.set': method({
    summary: 'Keeps what was begun and not sent, encrypted, for every face; an empty text takes it away.',
    needs: 'node',
    scope: 'send',
    limited: true,
    example: { who: 'bob', text: 'dear bob' },
    params: z.strictObject({ who, text }),
    result: z.object({}),
    run: async ({ service }, params) => {
      await service.setDraft(params.who, params.text)
      return {}
    },
  }),
  'settings.list': method({
    summary: 'The configuration: what holds, and where it came from.',
    needs: 'both',
    scope: 'read',
    example: {},
    params: nothing,
    result: z.array(settingShape),
    run: ({ settings }) => settings.list(),
  }),
  'settings.set': method({
    summary: 'Writes a key of the configuration into the home, or takes it out with null.',
    needs: 'both',
    scope: 'admin',
    example: { key: 'logLevel', value: 'debug' },
    params: z.strictObject({
      key: text.min(1).max(64),
      value: text.max(MAX_CONFIG_BYTES).nullable().describe('lists are separated by commas'),
    }),
    result: settingShape,
    run: ({ settings }, { key, value }) => settings.set(key, value),
  }),
  'token.create': method({
    summary: 'A token for a program that calls over HTTP; it is shown this once.',
    needs: 'both',
    scope: 'admin',
    example: { name: 'echo bot', scopes: ['read', 'send'], conversation: 'bob' },
    params: z.strictObject({
      name: text.min(1).max(MAX_TOKEN_NAME_BYTES),
      scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
      conversation: who.optional().describe('the friend whose conversation is all that it sees'),
    }),
    result: z.object({ tokenId: z.string(), token: z.string() }),
    run: async ({ service }, params) => {
      const token = newToken()
      const { tokenId } = await service.createToken(params, token)
      return { tokenId, token }
    },
  }),
  'token.list': method({
    summary: 'Who may call over HTTP: tokens, and pages in browsers that are signed in.',
    needs: 'both',
    scope: 'admin',
    example: {},
    params: nothing,
    result: z.array(tokenShape),
    run: async ({ service }) => (await service.tokens()).map(renderToken),
  }),
  'token.revoke': method({
    summary: 'Ends a token at once, with the event streams that it opened.',
    needs: 'both',
    scope: 'admin',
    example: { tokenId: '5f2c8a1e90b7d346' },
    params: z.strictObject({ tokenId: text.min(1).max(200) }),
    result: z.object({ tokenId: z.string(), revoked: z.boolean() }),
    run: async ({ service }, { tokenId }) => {
      await service.revokeToken(tokenId)
      return { tokenId, revoked: true }
    },
  }),
  'ui.open': method({
    summary: 'An address that opens the page in one browser, once, within a minute.',
    needs: 'node',
    scope: 'admin',
    example: {},
    params: z.strictObject({
      sameUser: z
        .boolean()
        .default(false)
        .describe('only a process of this user may use it, where the system tells whose it is'),
    }),
    result: z.object({ url: z.string() }),
    run: async (context, { sameUser }) => ({ url: await context.openPage(sameUser) }),
  }),
  'events.since': method({
    summary: 'Events after a cursor, or where a consumer is, oldest first.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: { since: 0 },
    params: z.strictObject({
      ...eventsFrom,
      limit: z.number().int().min(1).max(MAX_EVENT_PAGE).default(100),
    }),
    result: z.object({ events: z.array(eventShape), cursor: cursorShape, lagged: laggedShape.optional() }),
    run: async (context, { since, consumer, kinds, limit }) => {
      if (since === undefined && consumer === undefined) {
        throw new UsageError('INVALID_PARAMS', 'expected since or consumer, got neither')
      }
      const begin = await beginOf(context.service, { since, consumer })
      const { events, ...rest } = await context.events({ since: begin, limit, kinds })
      return { ...rest, events: events.map(renderEvent) }
    },
  }),
  'events.subscribe': method({
    summary:
      'Tells every event after a cursor, where a consumer is, or from now on, as notifications `event` on this connection; `events.lagged` for what is gone from the log.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: { since: 41 },
    params: z.strictObject(eventsFrom),
    result: z.object({ subscription: z.number(), cursor: cursorShape }),
    run: async (context, { since, consumer, kinds }) => {
      const begin = await beginOf(context.service, { since, consumer })
      return { subscription: context.subscribe(begin, kinds), cursor: begin }
    },
  }),
  'events.unsubscribe': method({
    summary: 'Ends a subscription of this connection.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: { subscription: 1 },
    params: z.strictObject({ subscription: z.number().int() }),
    result: z.object({ ended: z.boolean() }),
    run: async (context, params) => ({ ended: context.unsubscribe(params.subscription) }),
  }),
  'events.ack': method({
    summary: 'A consumer is done with everything up to a cursor; it goes on behind it, whoever was restarted.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: { consumer: 'echo', cursor: 42 },
    params: z.strictObject({ consumer: consumerName, cursor: cursorShape }),
    result: z.object({ consumer: z.string(), cursor: cursorShape }),
    run: async ({ service }, { consumer, cursor }) => ({
      consumer,
      cursor: await service.acknowledge(consumer, cursor),
    }),
  }),
  'events.consumers': method({
    summary: 'Who goes on in the event log where they were.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: {},
    params: nothing,
    result: z.array(consumerShape),
    run: async ({ service }) => (await service.consumers()).map(renderConsumer),
  }),
  'events.forget': method({
    summary: 'Ends a consumer that is not used any more.',
    needs: 'both',
    scope: 'read',
    limited: true,
    example: { consumer: 'echo' },
    params: z.strictObject({ consumer: consumerName }),
    result: z.object({ consumer: z.string(), forgotten: z.boolean() }),
    run: async ({ service }, { consumer }) => ({ consumer, forgotten: await service.forgetConsumer(consumer) }),
  }),
} as const

export type MethodName = keyof typeof METHODS
export type MethodParams<M extends MethodName> = z.input<(typeof METHODS)[M]['params']>
export type MethodResult<M extends MethodName> = z.output<(typeof METHODS)[M]['result']>

/** The entry of a name that came from a caller. */
export function findMethod(name: string): Method | undefined {
  return Object.hasOwn(METHODS, name) ? METHODS[name as MethodName] : undefined
}
