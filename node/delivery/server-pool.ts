/**
 * Kept links to mailbox servers: one for each server that anybody uses, dialled again for ever with back-off and jitter
 * (PROTOCOL 6). Says HELLO on each new link and tells its users.
 */
import { toHex } from '../crypto/bytes.ts'
import { describe, NetworkError } from '../errors.ts'
import type { Clock, Logger, Network, Random, Timer } from '../ports.ts'
import { Backoff } from './backoff.ts'
import type { ServerHello } from './mailbox-calls.ts'
import { createMailboxClient, type MailboxClient } from './mailbox-client.ts'

/** A lower bound would hammer a server that is down, a higher one would leave mail lying after it came back. */
const RECONNECT = { baseMs: 500, maxMs: 60_000 }
/** A link that stays is greeted again: what a server says of the time is forgotten after a day. */
const GREET_MS = 6 * 3_600_000

/** A server that answered HELLO on a living link. */
export interface ConnectedServer {
  address: string
  peerId: Uint8Array
  storeId: Uint8Array
  client: MailboxClient
}

/** Somebody who needs a link. Both calls are synchronous and must not throw. */
export interface ServerUser {
  connected(server: ConnectedServer): void
  disconnected(): void
}

export interface ServerPoolInit {
  network: Pick<Network, 'connect'>
  clock: Clock
  random: Random
  logger: Logger
  /** What a server said in HELLO, of the time too; whether it is believed is not decided here. */
  onHello: (address: string, peerId: Uint8Array, hello: ServerHello) => void
  /** A link to a server is up. */
  onServer: (server: ConnectedServer) => void
}

interface Entry {
  address: string
  users: Set<ServerUser>
  backoff: Backoff
  connected: ConnectedServer | undefined
  dialling: boolean
  retry: Timer | undefined
  greeting: Timer | undefined
  problem: string | undefined
}

export class ServerPool {
  readonly #init: ServerPoolInit
  readonly #entries = new Map<string, Entry>()
  #started = false
  #stopped = false

  constructor(init: ServerPoolInit) {
    this.#init = init
  }

  /** Begins to dial: the network is there. Before, who needs a link waits, and no back-off grows. */
  start(): void {
    this.#started = true
    for (const entry of this.#entries.values()) this.#dial(entry)
  }

  /** Keeps a link to `address` until the returned function is called. A living link is told at once. */
  use(address: string, user: ServerUser): () => void {
    let entry = this.#entries.get(address)
    if (!entry) {
      entry = {
        address,
        users: new Set(),
        backoff: new Backoff({ random: this.#init.random, ...RECONNECT }),
        connected: undefined,
        dialling: false,
        retry: undefined,
        greeting: undefined,
        problem: undefined,
      }
      this.#entries.set(address, entry)
    }
    const used = entry
    used.users.add(user)
    if (used.connected) user.connected(used.connected)
    else this.#dial(used)
    return () => {
      used.users.delete(user)
      if (used.users.size === 0) this.#drop(used)
    }
  }

  /**
   * Runs `work` with a server as soon as it is connected.
   * @throws NetworkError `TIMED_OUT` when it is not within `timeoutMs`; what `work` throws
   */
  async withServer<T>(address: string, timeoutMs: number, work: (server: ConnectedServer) => Promise<T>): Promise<T> {
    let end: (() => void) | undefined
    let timer: Timer | undefined
    try {
      const server = await new Promise<ConnectedServer>((resolve, reject) => {
        timer = this.#init.clock.after(timeoutMs, () => {
          const problem = this.status(address).problem
          reject(new NetworkError('TIMED_OUT', problem ?? 'the server was not reached in time'))
        })
        end = this.use(address, { connected: resolve, disconnected: () => undefined })
      })
      return await work(server)
    } finally {
      timer?.cancel()
      end?.()
    }
  }

  /** What is known of the server now. */
  status(address: string): { connected: boolean; problem: string | undefined } {
    const entry = this.#entries.get(address)
    return { connected: entry?.connected !== undefined, problem: entry?.problem }
  }

  /** The servers that somebody needs a link to now. */
  inUse(): { address: string; connected: boolean }[] {
    return [...this.#entries.values()].map(({ address, connected }) => ({
      address,
      connected: connected !== undefined,
    }))
  }

  /** The living link, if there is one. */
  connected(address: string): ConnectedServer | undefined {
    return this.#entries.get(address)?.connected
  }

  stop(): void {
    this.#stopped = true
    for (const entry of this.#entries.values()) this.#drop(entry)
  }

  #drop(entry: Entry): void {
    this.#entries.delete(entry.address)
    entry.retry?.cancel()
    entry.greeting?.cancel()
    entry.users.clear()
    entry.connected?.client.close()
    entry.connected = undefined
  }

  #isLive(entry: Entry): boolean {
    return !this.#stopped && this.#entries.get(entry.address) === entry
  }

  #dial(entry: Entry): void {
    if (!this.#started || entry.dialling || entry.retry || !this.#isLive(entry)) return
    entry.dialling = true
    this.#connect(entry)
      .catch((error: unknown) => {
        entry.problem = describe(error)
        this.#init.logger.debug('server not reached', { problem: entry.problem })
        this.#retryLater(entry)
      })
      .finally(() => {
        entry.dialling = false
      })
  }

  async #connect(entry: Entry): Promise<void> {
    const { network, clock, random, logger } = this.#init
    const link = await network.connect(entry.address)
    const client = createMailboxClient({ link, clock, random, logger })
    try {
      const hello = await client.hello()
      if (!this.#isLive(entry)) {
        client.close()
        return
      }
      this.#init.onHello(entry.address, link.peerId, hello)
      const connected = { address: entry.address, peerId: link.peerId, storeId: hello.storeId, client }
      entry.connected = connected
      entry.problem = undefined
      entry.backoff.reset()
      link.onClose(() => {
        if (entry.connected !== connected) return
        entry.connected = undefined
        entry.greeting?.cancel()
        entry.problem = 'the connection ended'
        for (const user of entry.users) user.disconnected()
        this.#retryLater(entry)
      })
      this.#greetLater(entry, connected)
      this.#init.onServer(connected)
      logger.info('server connected', { server: toHex(link.peerId).slice(-8) })
      // somebody who joins in one of these calls is told by `use`
      const users = Array.from(entry.users)
      for (const user of users) user.connected(connected)
    } catch (error) {
      client.close()
      throw error
    }
  }

  #greetLater(entry: Entry, connected: ConnectedServer): void {
    entry.greeting = this.#init.clock.after(GREET_MS, () => {
      connected.client.hello().then(
        (hello) => {
          if (entry.connected !== connected) return
          this.#init.onHello(entry.address, connected.peerId, hello)
          this.#greetLater(entry, connected)
        },
        () => connected.client.close(),
      )
    })
  }

  #retryLater(entry: Entry): void {
    if (!this.#isLive(entry)) return
    entry.retry = this.#init.clock.after(entry.backoff.next(), () => {
      entry.retry = undefined
      this.#dial(entry)
    })
  }
}
