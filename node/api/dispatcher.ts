/**
 * Answers requests: JSON-RPC 2.0, single or in batches, whatever they came on. Every face's call passes here, and here
 * alone it is checked who asks, what for, and with which parameters. Subscriptions belong to the transport.
 */
import { z } from 'zod'
import { KithError, UsageError } from '../errors.ts'
import { MAX_API_BATCH } from '../limits.ts'
import { type Caller, checkCaller } from './caller.ts'
import { readEventPage, wantsKinds } from './event-page.ts'
import { isEventOf, limitedService } from './limited-service.ts'
import { type CallContext, findMethod, type Method } from './methods.ts'
import { RPC_ERROR, type RpcErrorObject, toRpcError } from './rpc-error.ts'
import type { NodeRole } from './runtime.ts'
import type { NodeEvent, NodeService, SettingsService } from './service.ts'

export interface DispatcherInit {
  service: NodeService
  role: NodeRole
  /** This node ends with the command that started it. @default false */
  transient?: boolean
  /** The configuration of the home. @default there is none */
  settings?: SettingsService
  /** The methods that are answered, by name. @default the table */
  methods?: (name: string) => Method | undefined
  /** What `ui.open` answers. @default no page is served here */
  openPage?: CallContext['openPage']
  /** A bug of ours, for the log; the caller is told no more than that there is one. */
  onBug?: (error: unknown) => void
}

/** What the transport of a request adds: who asks, and how events reach them. */
export interface Asker extends Pick<CallContext, 'subscribe' | 'unsubscribe'> {
  caller: Caller
  /** Called with the number of requests before any is answered; what it throws is thrown on. @default all may enter */
  enter?: (count: number) => void
}

const requestShape = z.object({
  jsonrpc: z.literal('2.0'),
  method: z.string().max(100),
  params: z.record(z.string(), z.unknown()).optional(),
  id: z.union([z.string().max(200), z.number(), z.null()]).optional(),
})

type RequestId = string | number | null

export interface Answer {
  jsonrpc: '2.0'
  id: RequestId
  result?: unknown
  error?: RpcErrorObject
}

/** Answers for one node; holds nothing between two requests. */
export class Dispatcher {
  readonly #init: DispatcherInit

  constructor(init: DispatcherInit) {
    this.#init = init
  }

  get service(): NodeService {
    return this.#init.service
  }

  /** The node as far as a caller sees it; its log of events is whole, and filtered by who reads it. */
  seenBy({ conversation }: Caller): NodeService {
    const { service } = this.#init
    return conversation === undefined ? service : limitedService(service, conversation)
  }

  /** For whoever meets a bug on the way to or from here. */
  onBug(error: unknown): void {
    this.#init.onBug?.(error)
  }

  /** @returns undefined when all requests were notifications, which nobody waits for; rejects with what `enter` throws alone */
  async answer(text: string, asker: Asker): Promise<Answer | Answer[] | undefined> {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      return failure(null, RPC_ERROR.parse, 'not JSON', 'PARSE')
    }
    if (!Array.isArray(message)) {
      asker.enter?.(1)
      return this.#answer(message, asker)
    }
    if (message.length === 0 || message.length > MAX_API_BATCH) {
      return failure(null, RPC_ERROR.invalidRequest, `a batch has 1 to ${MAX_API_BATCH} requests`, 'INVALID_REQUEST')
    }
    asker.enter?.(message.length)
    const answers = await Promise.all(message.map((request: unknown) => this.#answer(request, asker)))
    const told = answers.filter((answer) => answer !== undefined)
    return told.length === 0 ? undefined : told
  }

  async #answer(message: unknown, asker: Asker): Promise<Answer | undefined> {
    const request = requestShape.safeParse(message)
    if (!request.success) {
      return failure(null, RPC_ERROR.invalidRequest, `not a request: ${firstIssue(request.error)}`, 'INVALID_REQUEST')
    }
    const { id, method, params } = request.data
    const answer = await this.#call(id ?? null, method, params ?? {}, asker)
    return id === undefined ? undefined : answer
  }

  async #call(id: RequestId, name: string, rawParams: unknown, asker: Asker): Promise<Answer> {
    const { methods = findMethod } = this.#init
    const method = methods(name)
    if (method === undefined) return failure(id, RPC_ERROR.unknownMethod, `no method ${name}`, 'UNKNOWN_METHOD')
    try {
      this.#check(name, method, asker.caller)
      const params = method.params.safeParse(rawParams)
      if (!params.success) return failure(id, RPC_ERROR.invalidParams, firstIssue(params.error), 'INVALID_PARAMS')
      // Parsed on the way out too: a caller gets the fields that the table promises and no others.
      const result = method.result.parse(await method.run(this.#context(asker), params.data))
      return { jsonrpc: '2.0', id, result }
    } catch (error) {
      if (!(error instanceof KithError)) this.onBug(error)
      return { jsonrpc: '2.0', id, error: toRpcError(error) }
    }
  }

  #check(name: string, method: Method, caller: Caller): void {
    checkCaller(caller, name, method)
    const { role } = this.#init
    if (method.needs !== 'both' && method.needs !== role) {
      throw new UsageError('WRONG_ROLE', `${name} needs a ${method.needs}, this is a ${role}`)
    }
  }

  #context({ caller, subscribe, unsubscribe }: Asker): CallContext {
    const { service, role, transient = false, settings = NO_SETTINGS, openPage = noPage } = this.#init
    const events: CallContext['events'] = async ({ since, limit, kinds }) => {
      const isWanted = wantsKinds(kinds)
      const wants = (event: NodeEvent): boolean => sees(caller, event) && isWanted(event)
      return await readEventPage(service, { since, limit, wants })
    }
    return { service: this.seenBy(caller), role, transient, events, subscribe, unsubscribe, settings, openPage }
  }
}

function sees({ conversation }: Caller, event: NodeEvent): boolean {
  return conversation === undefined || isEventOf(conversation, event)
}

async function noSettings(): Promise<never> {
  throw new UsageError('NO_SETTINGS', 'this node has no configuration of its own')
}

const NO_SETTINGS: SettingsService = { list: noSettings, set: noSettings }

async function noPage(): Promise<never> {
  throw new UsageError('NO_PAGE', 'this node serves no page', { hint: 'run `kith up`, or `kith ui`' })
}

function failure(id: RequestId, code: number, message: string, name: string): Answer {
  return { jsonrpc: '2.0', id, error: { code, message, data: { code: name } } }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'wrong'
  const text = issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
  return issue.path.length === 0 ? text : `${issue.path.join('.')}: ${text}`
}
