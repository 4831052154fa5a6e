/**
 * The calling side of the API: typed calls by the method table, and events as an asynchronous sequence. A subscriber
 * that does not take its events stops the connection from being read, so that they wait at the node; while a call waits
 * for its answer it is read on.
 */
import { lstat } from 'node:fs/promises'
import { connect as netConnect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { ConfigError, InternalError, type KithError, NetworkError } from '../errors.ts'
import { MAX_API_ANSWER_BYTES, MAX_API_QUEUE } from '../limits.ts'
import { LineSplitter } from './line-splitter.ts'
import type { MethodName, MethodParams, MethodResult } from './methods.ts'
import { fromRpcError, rpcErrorObject } from './rpc-error.ts'
import { checkOwned, type Environment, socketPathsOf } from './socket-path.ts'
import type { EventView } from './views.ts'

/** What a subscription tells: a row of the log, or that rows are gone from it. */
export type Told = EventView | { lagged: { from: number; to: number } }

interface Waiting {
  /** Called before the next line is looked at. */
  settle(result: unknown): void
  reject(error: KithError): void
}

interface Feed {
  queue: Told[]
  wake(): void
}

/** One connection to a node. */
export class ApiClient {
  readonly #stream: Duplex
  readonly #splitter = new LineSplitter(MAX_API_ANSWER_BYTES)
  readonly #waiting = new Map<number, Waiting>()
  readonly #feeds = new Map<number, Feed>()
  #nextId = 1
  #failure: KithError | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('error', () => this.#fail(gone()))
    stream.on('close', () => this.#fail(gone()))
    stream.on('end', () => this.#fail(gone()))
  }

  /** @throws the error of the node, same class and code; NetworkError `NODE_GONE` when the connection ends */
  call<M extends MethodName>(method: M, params: MethodParams<M>): Promise<MethodResult<M>> {
    return this.#request(method, params, () => undefined)
  }

  /** As `call`, of a method that the caller of the command named; parameters and result are the node's to check. */
  async callByName(method: string, params: Record<string, unknown>): Promise<unknown> {
    return await this.call(method as 'rpc.hello', params as Record<string, never>)
  }

  /**
   * Events after a cursor, where a consumer is, or from now on; ends by `return` of the iterator or when `signal` is aborted.
   * @param from a number is a cursor
   * @throws NetworkError `NODE_GONE` when the connection ends
   */
  async *events(
    from: MethodParams<'events.subscribe'> | number | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<Told, void> {
    const feed: Feed = { queue: [], wake: () => undefined }
    const params = typeof from === 'number' ? { since: from } : (from ?? {})
    const { subscription } = await this.#request('events.subscribe', params, (result) => {
      this.#feeds.set(result.subscription, feed)
    })
    const wake = (): void => feed.wake()
    signal?.addEventListener('abort', wake)
    try {
      for (;;) {
        if (signal?.aborted === true) return
        const next = feed.queue.shift()
        if (next !== undefined) {
          if (feed.queue.length === 0) this.#stream.resume()
          yield next
        } else if (this.#failure !== undefined) {
          throw this.#failure
        } else {
          await new Promise<void>((resolve) => (feed.wake = resolve))
        }
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#feeds.delete(subscription)
      this.#stream.resume()
      if (this.#failure === undefined) await this.call('events.unsubscribe', { subscription }).catch(() => undefined)
    }
  }

  close(): void {
    this.#fail(gone())
    this.#stream.end(() => this.#stream.destroy())
  }

  #request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    onResult: (result: MethodResult<M>) => void,
  ): Promise<MethodResult<M>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const settle = (result: unknown): void => {
        onResult(result as MethodResult<M>)
        resolve(result as MethodResult<M>)
      }
      this.#waiting.set(id, { settle, reject })
      this.#stream.resume()
      this.#stream.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    })
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#take(JSON.parse(line) as Record<string, unknown>)
    } catch (cause) {
      this.#fail(new InternalError('BAD_ANSWER', 'the node answered what is not JSON-RPC', { cause }))
      this.#stream.destroy()
    }
  }

  #take(message: Record<string, unknown>): void {
    if (typeof message.method === 'string') {
      this.#takeEvent(message.method, message.params as Record<string, unknown>)
      return
    }
    const error = message.error === undefined ? undefined : fromRpcError(rpcErrorObject.parse(message.error))
    if (message.id === null && error !== undefined) {
      this.#fail(error)
      this.#stream.destroy()
      return
    }
    const waiting = this.#waiting.get(message.id as number)
    if (waiting === undefined) return
    this.#waiting.delete(message.id as number)
    if (error === undefined) waiting.settle(message.result)
    else waiting.reject(error)
  }

  #takeEvent(method: string, { subscription, ...params }: Record<string, unknown>): void {
    const feed = this.#feeds.get(subscription as number)
    if (feed === undefined) return
    if (method === 'event') feed.queue.push(params as unknown as EventView)
    else if (method === 'events.lagged') feed.queue.push({ lagged: params as { from: number; to: number } })
    if (feed.queue.length >= MAX_API_QUEUE && this.#waiting.size === 0) this.#stream.pause()
    feed.wake()
  }

  #fail(error: KithError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
    for (const feed of this.#feeds.values()) feed.wake()
  }
}

function gone(): NetworkError {
  return new NetworkError('NODE_GONE', 'the node has gone', { hint: 'start it with `kith up`' })
}

/**
 * Connects to the node that runs on a home.
 * @returns undefined when none runs
 * @throws ConfigError `SOCKET_FOLDER` when the folder or the socket is not this user's alone
 */
export async function connectToNode(home: string, env: Environment): Promise<ApiClient | undefined> {
  const socket = await openNodeSocket(home, env)
  return socket && new ApiClient(socket)
}

/** As `connectToNode`, the connection itself. */
export async function openNodeSocket(home: string, env: Environment): Promise<Socket | undefined> {
  for (const path of await socketPathsOf(home, env)) {
    if (!(await checkOwned(dirname(path)))) continue
    const socket = await connectTo(path)
    if (socket !== undefined) return socket
  }
  return undefined
}

async function connectTo(path: string): Promise<Socket | undefined> {
  try {
    const stat = await lstat(path)
    if (process.getuid !== undefined && stat.uid !== process.getuid()) {
      throw new ConfigError('SOCKET_FOLDER', `${path} belongs to another user`)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return new Promise((resolve, reject) => {
    const socket = netConnect(path)
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Nobody listens: left over, or the node has just gone.
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined)
      else reject(new NetworkError('NODE_UNREACHABLE', `${path} cannot be reached`, { cause: error }))
    })
  })
}
