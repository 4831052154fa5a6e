/**
 * The calling side of the API over HTTP: calls by POST, events as server-sent events. A reader that takes nothing stops the
 * stream from being read, so that events wait at the node.
 */
import { InternalError, type KithError, NetworkError } from '../errors.ts'
import { MAX_API_ANSWER_BYTES } from '../limits.ts'
import type { Told } from './client.ts'
import type { MethodName, MethodParams, MethodResult } from './methods.ts'
import { fromRpcError, rpcErrorObject } from './rpc-error.ts'
import type { EventView } from './views.ts'

interface Call {
  method?: string
  headers?: Record<string, string>
  body?: string
}

interface Answer {
  id: number | null
  result?: unknown
  error?: unknown
}

export class HttpClient {
  readonly #origin: string
  readonly #token: string
  readonly #ending = new AbortController()
  #nextId = 1

  constructor(origin: string, token: string) {
    this.#origin = origin
    this.#token = token
  }

  async call<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: this.#nextId++, method, params })
    const headers = { 'content-type': 'application/json' }
    const response = await this.#fetch('/rpc', { method: 'POST', headers, body }, this.#ending.signal)
    const answer = await answerOf(response)
    if (answer.error !== undefined) throw refusalOf(answer.error)
    return answer.result as MethodResult<M>
  }

  async *events(from: MethodParams<'events.subscribe'> = {}, signal?: AbortSignal): AsyncGenerator<Told, void> {
    const { since, consumer, kinds } = from
    const query = new URLSearchParams({
      ...(since !== undefined && { since: String(since) }),
      ...(consumer !== undefined && { consumer }),
      ...(kinds !== undefined && { kinds: kinds.join(',') }),
    })
    const ended = AbortSignal.any([this.#ending.signal, ...(signal ? [signal] : [])])
    try {
      const response = await this.#fetch(`/events?${query.toString()}`, {}, ended)
      if (!response.ok || response.body === null) throw refusalOf((await answerOf(response)).error)
      yield* eventsIn(response.body.pipeThrough(new TextDecoderStream()))
      throw gone()
    } catch (error) {
      if (signal?.aborted !== true) throw error
    }
  }

  close(): void {
    this.#ending.abort()
  }

  async #fetch(path: string, init: Call, signal: AbortSignal): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#token}` }
    try {
      return await fetch(`${this.#origin}${path}`, { ...init, headers, signal, redirect: 'error' })
    } catch (cause) {
      throw gone(cause)
    }
  }
}

/** @throws NetworkError `NODE_GONE` when the stream breaks */
async function* eventsIn(stream: ReadableStream<string>): AsyncGenerator<Told, void> {
  let text = ''
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => Promise.reject(gone(cause)))
      if (done) return
      text += value
      if (text.length > MAX_API_ANSWER_BYTES)
        throw new InternalError('BAD_ANSWER', 'the node sent an event without end')
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const told = toldIn(block)
        if (told !== undefined) yield told
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** Undefined for what only keeps the connection. */
function toldIn(block: string): Told | undefined {
  const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string | undefined]))
  const data = fields.get('data')
  if (data === undefined) return undefined
  if (fields.get('event') === 'lagged') return { lagged: JSON.parse(data) as { from: number; to: number } }
  return JSON.parse(data) as EventView
}

async function answerOf(response: Response): Promise<Answer> {
  try {
    return (await response.json()) as Answer
  } catch (cause) {
    throw new InternalError('BAD_ANSWER', `the node answered ${response.status} without JSON`, { cause })
  }
}

function refusalOf(error: unknown): KithError {
  const object = rpcErrorObject.safeParse(error)
  return object.success
    ? fromRpcError(object.data)
    : new InternalError('BAD_ANSWER', 'the node answered no error of its own')
}

function gone(cause?: unknown): NetworkError {
  return new NetworkError('NODE_GONE', 'the node has gone', { hint: 'start it with `kith up`', cause })
}
