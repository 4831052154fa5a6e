/**
 * Keeps the DHT's routing table filled (PROTOCOL 2). kad-dht offers a new peer to the table once; when the ping that
 * verifies it fails, on a busy machine or while the peer is starting, nothing offers it again and every query finds
 * nobody. And its first query of self runs before there is anyone to ask, the next one five minutes later.
 */
import type { Libp2p, PeerInfo } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { DHT_PROTOCOL } from './stack-options.ts'

/** With fewer peers in the table, connected ones are offered again. */
const ENOUGH_PEERS = 3
const FIRST_PERIOD_MS = 1000
const LONGEST_PERIOD_MS = 30_000
const SELF_QUERY_TIMEOUT_MS = 10_000

/** What the class has beyond its published interface. */
type DhtInternals = KadDHT & { routingTable: { size: number }; onPeerConnect(peer: PeerInfo): Promise<void> }

export class DhtWatchdog {
  readonly #libp2p: Libp2p
  readonly #dht: DhtInternals
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #period = FIRST_PERIOD_MS
  #hasQueriedSelf = false

  constructor(libp2p: Libp2p, dht: KadDHT) {
    this.#libp2p = libp2p
    this.#dht = dht as DhtInternals
    // A new peer is a reason to look sooner.
    libp2p.addEventListener('peer:identify', this.#soon)
    this.#schedule()
  }

  stop(): void {
    this.#stopped.abort()
    this.#libp2p.removeEventListener('peer:identify', this.#soon)
    clearTimeout(this.#timer)
  }

  readonly #soon = (): void => {
    this.#period = FIRST_PERIOD_MS
    this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#stopped.signal.aborted) return
    this.#timer = setTimeout(() => void this.#run(), this.#period)
    this.#period = Math.min(2 * this.#period, LONGEST_PERIOD_MS)
  }

  async #run(): Promise<void> {
    try {
      if (routingTableSize(this.#dht) < ENOUGH_PEERS) await this.#offerConnected()
      if (!this.#hasQueriedSelf && routingTableSize(this.#dht) > 0) {
        this.#hasQueriedSelf = true
        await this.#querySelf()
      }
    } catch {
      // Peers come and go while we look; the next round sees what is there then.
    }
    this.#schedule()
  }

  async #offerConnected(): Promise<void> {
    for (const peerId of this.#libp2p.getPeers()) {
      const peer = await this.#libp2p.peerStore.get(peerId)
      if (!peer.protocols.includes(DHT_PROTOCOL)) continue
      await this.#dht.onPeerConnect({ id: peer.id, multiaddrs: peer.addresses.map(({ multiaddr }) => multiaddr) })
    }
  }

  /** Finds the peers nearest to this node; each one heard of enters the table. */
  async #querySelf(): Promise<void> {
    const query = new AbortController()
    const abort = (): void => query.abort()
    const timeout = setTimeout(abort, SELF_QUERY_TIMEOUT_MS)
    this.#stopped.signal.addEventListener('abort', abort)
    try {
      const id = this.#libp2p.peerId.toMultihash().bytes
      const events = this.#dht.getClosestPeers(id, { signal: query.signal })[Symbol.asyncIterator]()
      while (!(await events.next()).done);
    } finally {
      clearTimeout(timeout)
      this.#stopped.signal.removeEventListener('abort', abort)
    }
  }
}

/** Peers in the routing table. */
export function routingTableSize(dht: KadDHT): number {
  return (dht as DhtInternals).routingTable.size
}
