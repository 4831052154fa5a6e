/**
 * The API's unix socket: same user only. It lies in an owner-checked folder of mode 0700, has mode 0600 itself, and is
 * served by the process that holds the data directory; a socket that nobody answers is left over and replaced.
 */
import { lstat, unlink } from 'node:fs/promises'
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { ConfigError, StoreError } from '../errors.ts'
import { MAX_API_CONNECTIONS } from '../limits.ts'
import { ApiConnection } from './connection.ts'
import { Dispatcher, type DispatcherInit } from './dispatcher.ts'
import { HttpServer, PAGE_ADDRESSES } from './http/http-server.ts'
import { closeToOthers, type Environment, prepareSocketFolder, socketPathsOf } from './socket-path.ts'

export interface ApiServerInit extends Omit<DispatcherInit, 'openPage'> {
  /** Folder of the built page. @default no page is served */
  page?: string
}

/**
 * Serves the API of one node on any number of streams, on its unix socket once `listen` was called, and over HTTP once
 * `listenHttp` or `ui.open` was.
 */
export class ApiServer {
  readonly #init: ApiServerInit
  readonly #dispatcher: Dispatcher
  readonly #connections = new Map<ApiConnection, Duplex>()
  #server: Server | undefined
  #http: Promise<HttpServer> | undefined

  constructor(init: ApiServerInit) {
    this.#init = init
    // A page outlives a command that is the node for a moment.
    const openPage = init.transient === true ? {} : { openPage: (isOwn: boolean) => this.openPage(isOwn) }
    this.#dispatcher = new Dispatcher({ ...init, ...openPage })
  }

  /** Serves one stream until it ends. */
  accept(stream: Duplex): void {
    if (this.#connections.size >= MAX_API_CONNECTIONS) {
      stream.on('error', () => stream.destroy())
      const error = { code: -32000, message: `at most ${MAX_API_CONNECTIONS} connections`, data: { code: 'TOO_MANY' } }
      stream.end(`${JSON.stringify({ jsonrpc: '2.0', id: null, error })}\n`, () => stream.destroy())
      return
    }
    const connection = new ApiConnection({ stream, dispatcher: this.#dispatcher })
    this.#connections.set(connection, stream)
    stream.on('close', () => this.#connections.delete(connection))
  }

  /**
   * Listens on the socket of a home. Only the process that holds the home's lock may call it.
   * @returns the path
   * @throws StoreError `HOME_IN_USE` when somebody answers there; ConfigError `SOCKET_FOLDER`, `SOCKET_PATH`
   */
  async listen(home: string, env: Environment): Promise<string> {
    const path = await this.#choosePath(home, env)
    await removeStale(path)
    const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
    await closeToOthers(path)
    this.#server = server
    return path
  }

  /**
   * Listens for HTTP.
   * @returns the origin, for example `http://127.0.0.1:4380`
   * @param address `127.0.0.1:PORT` or `[::1]:PORT`
   * @throws NetworkError `CANNOT_LISTEN`
   */
  async listenHttp(address: string): Promise<string> {
    this.#http = this.#startHttp([address])
    return (await this.#http).origin
  }

  /**
   * The address of the page with a key that is good once; HTTP is listened for from now on.
   * @param isOwn only a process of this user may use the key, where the system tells whose it is
   * @throws NetworkError `CANNOT_LISTEN`
   */
  async openPage(isOwn = false): Promise<string> {
    this.#http ??= this.#startHttp(PAGE_ADDRESSES).catch((error: unknown) => {
      this.#http = undefined
      throw error
    })
    return await (await this.#http).openPage(isOwn)
  }

  /** Answers over a listener that was there before; it is closed with the rest. */
  takeHttp(http: HttpServer): void {
    http.serve(this.#dispatcher)
    this.#http = Promise.resolve(http)
  }

  async #startHttp(addresses: readonly string[]): Promise<HttpServer> {
    const http = new HttpServer({ dispatcher: this.#dispatcher, page: this.#init.page })
    await http.listenAtOneOf(addresses)
    return http
  }

  /**
   * Takes no new connection, lets requests end that are being worked on, and closes.
   * @param graceMs longest wait
   */
  async close(graceMs: number): Promise<void> {
    const server = this.#server
    this.#server = undefined
    // Closing the server removes the socket's file; what is connected stays.
    const closed = server === undefined ? undefined : new Promise((resolve) => server.close(resolve))
    const httpClosed = this.#http?.then((http) => http.close(graceMs)).catch(() => undefined)
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)))
    await Promise.race([grace, Promise.all([...this.#connections.keys()].map((connection) => connection.idle()))])
    const gone = [...this.#connections.values()].map(
      (stream) => new Promise((resolve) => (stream.closed ? resolve(undefined) : stream.once('close', resolve))),
    )
    for (const connection of this.#connections.keys()) connection.end()
    await Promise.race([new Promise((resolve) => setTimeout(resolve, FLUSH_MS).unref()), Promise.all(gone)])
    for (const stream of this.#connections.values()) stream.destroy()
    clearTimeout(timer)
    await httpClosed
    await closed
  }

  async #choosePath(home: string, env: Environment): Promise<string> {
    const paths = await socketPathsOf(home, env)
    for (const path of paths) {
      if (await prepareSocketFolder(dirname(path))) return path
    }
    throw new ConfigError('SOCKET_FOLDER', 'no folder for the socket can be created', {
      hint: 'set XDG_RUNTIME_DIR or TMPDIR to a folder that you may write to',
    })
  }
}

/** A last answer has this long to reach a reader that is there. */
const FLUSH_MS = 500

async function removeStale(path: string): Promise<void> {
  try {
    const stat = await lstat(path)
    if (!stat.isSocket()) throw new ConfigError('SOCKET_FOLDER', `${path} is not a socket`, { hint: 'remove it' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (await answers(path)) {
    throw new StoreError('HOME_IN_USE', 'another node serves this home', { hint: 'stop it first' })
  }
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = netConnect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
