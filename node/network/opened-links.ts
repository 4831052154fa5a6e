/**
 * Links that this node opens to mailbox servers: dialled within a time, and the connections under them spared while others are
 * pruned. What is said on a link is `mailbox-link.ts`.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import { NetworkError } from '../errors.ts'
import type { Link } from '../ports.ts'
import { dialFailure } from './dial-failure.ts'
import { MailboxLink } from './mailbox-link.ts'
import { parseServerAddress } from './server-address.ts'
import { KEEP_ALIVE_TAG, MAILBOX_PROTOCOL, MAX_LINKS_PER_CONNECTION, type StackServices } from './stack-options.ts'

export interface OpenedLinksInit {
  libp2p: Libp2p<StackServices>
  /** Multiaddrs of peers whose connections are kept anyhow. */
  bootstrap: readonly string[]
  /** Aborted when the network stops. */
  stopped: AbortSignal
}

/** A link is open, or refused, by then. */
const CONNECT_TIMEOUT_MS = 10_000

export class OpenedLinks {
  readonly #init: OpenedLinksInit
  readonly #links = new Set<MailboxLink>()

  constructor(init: OpenedLinksInit) {
    this.#init = init
  }

  /**
   * @param server multiaddr that ends in `/p2p/…`
   * @throws UsageError `BAD_ADDRESS`; NetworkError `UNREACHABLE`, `TIMED_OUT`
   */
  async open(server: string): Promise<Link> {
    const { libp2p, stopped } = this.#init
    const { address, peerId } = parseServerAddress(server)
    const attempt = new AbortController()
    let isLate = false
    const timeout = setTimeout(() => {
      isLate = true
      attempt.abort()
    }, CONNECT_TIMEOUT_MS)
    const abort = (): void => attempt.abort()
    stopped.addEventListener('abort', abort)
    let connection: Connection | undefined
    try {
      connection = await libp2p.dial(address, { signal: attempt.signal })
      const stream = await connection.newStream(MAILBOX_PROTOCOL, {
        signal: attempt.signal,
        runOnLimitedConnection: true,
        maxOutboundStreams: MAX_LINKS_PER_CONNECTION,
      })
      const link = new MailboxLink(stream, peerId.toMultihash().bytes)
      this.#keep(link, peerId)
      return link
    } catch (error) {
      if (!isLate) throw new NetworkError('UNREACHABLE', dialFailure(error), { cause: error })
      // A connection that negotiates nothing is dead, and the next attempt would be given it again.
      connection?.abort(new Error('no stream could be opened'))
      throw new NetworkError('TIMED_OUT', `not reached within ${CONNECT_TIMEOUT_MS / 1000} s`, { cause: error })
    } finally {
      clearTimeout(timeout)
      stopped.removeEventListener('abort', abort)
    }
  }

  close(): void {
    for (const link of this.#links) link.close()
  }

  /** While there is a link the connection is spared when others are pruned. */
  #keep(link: MailboxLink, peerId: Connection['remotePeer']): void {
    const { libp2p, stopped } = this.#init
    const tag = (value: { value: number } | undefined): void => {
      if (stopped.aborted) return
      // Best effort: a peer that was dropped from the peer store meanwhile needs no tag.
      libp2p.peerStore.merge(peerId, { tags: { [KEEP_ALIVE_TAG]: value } }).catch(() => undefined)
    }
    this.#links.add(link)
    tag({ value: 100 })
    link.onClose(() => {
      this.#links.delete(link)
      const id = peerId.toMultihash().bytes
      const isLast = ![...this.#links].some((other) => Buffer.compare(other.peerId, id) === 0)
      if (isLast && !this.#isBootstrap(id)) tag(undefined)
    })
  }

  #isBootstrap(id: Uint8Array): boolean {
    return this.#init.bootstrap.some(
      (address) => Buffer.compare(parseServerAddress(address).peerId.toMultihash().bytes, id) === 0,
    )
  }
}
