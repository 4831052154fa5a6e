/**
 * The API over HTTP on a loopback address (docs/HTTP.md): off until it is asked for. Others than this user reach the port
 * too, so that nothing is answered without a token; how many connections there are, and how long each may take, is bounded.
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { NetworkError, UsageError } from '../../errors.ts'
import { MAX_HTTP_CONNECTIONS, MAX_HTTP_HEADER_BYTES } from '../../limits.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { Admission } from './admission.ts'
import { type App, createApp } from './app.ts'
import { EventStreams } from './event-streams.ts'
import { type PageFile, readPageFiles } from './page-files.ts'
import { PageKeys } from './page-keys.ts'

/** How long a connection may take, in milliseconds. */
export interface HttpPatience {
  /** From the connection, or the first byte of a request, to the end of its headers. */
  headers: number
  /** To the end of its body. */
  request: number
  /** Between two requests. */
  idle: number
  /** How often all that is looked at. */
  check: number
}

export interface HttpServerInit {
  dispatcher: Dispatcher
  /** Folder of the built page. @default no page is served */
  page?: string
  patience?: HttpPatience
}

const PATIENCE: HttpPatience = { headers: 10_000, request: 30_000, idle: 5000, check: 1000 }

/** Where the page is when nobody said where HTTP is; the same from run to run, so that a page that is open finds its node. */
export const PAGE_ADDRESSES = ['127.0.0.1:4380', '127.0.0.1:0']

const CLOSE_STEP_MS = 20

/** Where a listener shall be: the host as a socket takes it. */
interface HttpAddress {
  host: '127.0.0.1' | '::1'
  port: number
}

/** `127.0.0.1:4380` or `[::1]:4380`, checked by the configuration. */
function parseHttpAddress(text: string): HttpAddress {
  const host = text.startsWith('[::1]:') ? '::1' : '127.0.0.1'
  return { host, port: Number(text.slice(text.lastIndexOf(':') + 1)) }
}

/** What is served at the moment. */
interface Face {
  app: App
  admission: Admission
  streams: EventStreams
}

/** A listener; `listen` starts it once. */
export class HttpServer {
  readonly #init: HttpServerInit
  readonly #keys = new PageKeys()
  #files: ReadonlyMap<string, PageFile> = new Map()
  #face: Face
  #server: Server | undefined
  #port = 0
  #origin = ''

  constructor(init: HttpServerInit) {
    this.#init = init
    this.#face = this.#makeFace(init.dispatcher)
  }

  /** @throws NetworkError `CANNOT_LISTEN` */
  async listen({ host, port }: HttpAddress): Promise<void> {
    const { patience = PATIENCE } = this.#init
    await this.#readPage()
    const server = createAdaptorServer({
      fetch: (request, bindings) => this.#face.app.fetch(request, bindings),
      overrideGlobalObjects: false,
      serverOptions: {
        headersTimeout: patience.headers,
        requestTimeout: patience.request,
        keepAliveTimeout: patience.idle,
        connectionsCheckingInterval: patience.check,
        maxHeaderSize: MAX_HTTP_HEADER_BYTES,
      },
    }) as Server
    server.maxConnections = MAX_HTTP_CONNECTIONS
    server.listen(port, host)
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw new NetworkError('CANNOT_LISTEN', `cannot listen on ${host}, port ${port}, for HTTP`, {
        hint: 'another process may hold the port; see `kith config set http`',
        cause,
      })
    }
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    this.#origin = `http://${host === '::1' ? '[::1]' : host}:${this.#port}`
  }

  /**
   * Listens at the first address that is free, each `127.0.0.1:PORT` or `[::1]:PORT`.
   * @throws NetworkError `CANNOT_LISTEN`
   */
  async listenAtOneOf(addresses: readonly string[]): Promise<void> {
    for (const [index, address] of addresses.entries()) {
      try {
        return await this.listen(parseHttpAddress(address))
      } catch (error) {
        if (index === addresses.length - 1) throw error
      }
    }
  }

  /** For example `http://127.0.0.1:4380`; empty before it listens. */
  get origin(): string {
    return this.#origin
  }

  /**
   * The address of the page with a key in its fragment, which no browser sends to anybody.
   * @param isOwn only a process of this user may use the key, where the system tells whose it is
   * @throws UsageError `NO_PAGE` when there is no page
   */
  async openPage(isOwn = false): Promise<string> {
    // It may have been built since.
    if (this.#files.size === 0) await this.#readPage()
    if (!this.#files.has('/')) {
      throw new UsageError('NO_PAGE', 'the page is not built', { hint: 'in a checkout: `npm run build:web`' })
    }
    return `${this.#origin}/#key=${this.#keys.make(isOwn)}`
  }

  /** Answers for another node from now on; keys and files stay. */
  serve(dispatcher: Dispatcher): void {
    const before = this.#face
    this.#face = this.#makeFace(dispatcher)
    before.streams.close()
    before.admission.close()
  }

  /** Takes nothing new, ends the event streams, and lets calls end that are being answered. @param graceMs longest wait */
  async close(graceMs: number): Promise<void> {
    this.#face.streams.close()
    this.#face.admission.close()
    const server = this.#server
    if (server === undefined) return
    const closed = new Promise((resolve) => server.close(resolve))
    // A connection that was kept open for more is closed when its answer is out.
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_STEP_MS)
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(cut)
  }

  async #readPage(): Promise<void> {
    const { page } = this.#init
    if (page !== undefined) this.#files = await readPageFiles(page)
  }

  #makeFace(dispatcher: Dispatcher): Face {
    const port = (): number => this.#port
    const admission = new Admission({ service: dispatcher.service, keys: this.#keys, port })
    const streams = new EventStreams(dispatcher)
    const app = createApp({ dispatcher, admission, streams, files: () => this.#files, port })
    return { app, admission, streams }
  }
}
