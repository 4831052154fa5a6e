/**
 * Keeps a connection to each bootstrap peer, for ever. libp2p has no such thing: its bootstrap module dials once, and
 * the keep-alive tag gives up after five attempts.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Logger } from '../ports.ts'
import { KEEP_ALIVE_TAG } from './stack-options.ts'
import { parseServerAddress, type ServerAddress } from './server-address.ts'

const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 5 * 60 * 1000
const DIAL_TIMEOUT_MS = 10_000

export class BootstrapDialler {
  readonly #libp2p: Libp2p
  readonly #logger: Logger
  readonly #stopped = new AbortController()
  readonly #servers: ServerAddress[]
  readonly #timers = new Map<ServerAddress, NodeJS.Timeout>()
  readonly #failures = new Map<ServerAddress, number>()

  /** @throws UsageError `BAD_ADDRESS` when a bootstrap is not a multiaddr that ends in `/p2p/…` */
  constructor(libp2p: Libp2p, bootstrap: readonly string[], logger: Logger) {
    this.#libp2p = libp2p
    this.#logger = logger
    this.#servers = bootstrap.map(parseServerAddress).filter(({ peerId }) => !peerId.equals(libp2p.peerId))
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    for (const server of this.#servers) void this.#dial(server)
  }

  stop(): void {
    this.#stopped.abort()
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    for (const server of this.#servers) {
      if (server.peerId.equals(event.detail)) this.#later(server)
    }
  }

  async #dial(server: ServerAddress): Promise<void> {
    if (this.#stopped.signal.aborted || this.#isConnected(server)) return
    const attempt = new AbortController()
    const abort = (): void => attempt.abort()
    const timeout = setTimeout(abort, DIAL_TIMEOUT_MS)
    this.#stopped.signal.addEventListener('abort', abort)
    try {
      await this.#libp2p.dial(server.address, { signal: attempt.signal })
      this.#failures.delete(server)
      await this.#libp2p.peerStore.merge(server.peerId, { tags: { [KEEP_ALIVE_TAG]: { value: 100 } } })
    } catch (error) {
      this.#failures.set(server, (this.#failures.get(server) ?? 0) + 1)
      this.#logger.debug('a bootstrap peer is not reached', { error })
    } finally {
      clearTimeout(timeout)
      this.#stopped.signal.removeEventListener('abort', abort)
    }
    if (!this.#isConnected(server)) this.#later(server)
  }

  #isConnected(server: ServerAddress): boolean {
    return this.#libp2p.getConnections(server.peerId).length > 0
  }

  #later(server: ServerAddress): void {
    if (this.#stopped.signal.aborted) return
    clearTimeout(this.#timers.get(server))
    const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#failures.get(server) ?? 0), LONGEST_DELAY_MS)
    // Between half and one and a half: after an outage not everybody comes back in one moment.
    const jittered = delay * (0.5 + Math.random())
    this.#timers.set(
      server,
      setTimeout(() => void this.#dial(server), jittered),
    )
  }
}
