/**
 * The simulated network: who is up, who reaches whom, and how peers dial each other. Everybody online is everybody's
 * neighbour. Links, gossip and the DHT have files of their own; `sim-network.ts` is the port that a node holds.
 */
import { NetworkError } from '../../node/errors.ts'
import type { Inbound, Link } from '../../node/ports.ts'
import type { Engine } from './engine.ts'
import type { Incarnation } from './incarnation.ts'
import { type Host, hostOf, type PeerAddress, peerIdText } from './sim-address.ts'
import { SimDht } from './sim-dht.ts'
import type { Endpoint, Wire } from './sim-endpoint.ts'
import { SimGossip } from './sim-gossip.ts'
import { SimLink } from './sim-link.ts'

/** How long a dial into nothing takes to fail. */
const DIAL_TIMEOUT_MS = 10_000

/** Nodes by name, one or several. */
export type Names = string | readonly string[]

/** How a dial ends at the caller, one way back. */
interface Dial {
  accept(open: () => Link): void
  refuse(reason: string): void
}

export class SimNet implements Wire {
  readonly dht: SimDht
  readonly gossip: SimGossip
  readonly #engine: Engine
  readonly #hosts = new Map<string, Host>()
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #offline = new Set<string>()
  #partitions: { left: ReadonlySet<string>; right: ReadonlySet<string> }[] = []
  #links: SimLink[] = []
  #hostCount = 0

  constructor(engine: Engine) {
    this.#engine = engine
    this.gossip = new SimGossip(engine, this)
    this.dht = new SimDht(engine, this)
  }

  // ---- for tests ----

  /** Nothing passes between the two sides from now on; links across break. */
  partition(left: Names, right: Names): void {
    this.#partitions.push({ left: asSet(left), right: asSet(right) })
    this.#loseCutLinks()
  }

  /** Ends every partition. */
  heal(): void {
    this.#partitions = []
  }

  /** Takes the network from nodes that may run on; they notice as their links break. */
  offline(names: Names): void {
    for (const name of asSet(names)) this.#offline.add(name)
    this.#loseCutLinks()
  }

  online(names: Names): void {
    for (const name of asSet(names)) this.#offline.delete(name)
  }

  /** Gives a node another address, as when a laptop goes elsewhere; its links break. */
  move(name: string): void {
    this.#hosts.set(name, hostOf(this.#hostCount++))
    for (const link of this.#linksOf(name)) link.lose()
  }

  // ---- for the parts of the network and the world ----

  endpoints(): Endpoint[] {
    return [...this.#endpoints.values()]
  }

  isUp(endpoint: Endpoint): boolean {
    return endpoint.life.alive && this.#endpoints.get(endpoint.name) === endpoint
  }

  reaches(a: Endpoint, b: Endpoint): boolean {
    return this.isUp(a) && this.isUp(b) && !this.#isCut(a.life.node, b.life.node)
  }

  /** Where a node lives; it gets its place at the first question. */
  hostOf(name: string): Host {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    const host = hostOf(this.#hostCount++)
    this.#hosts.set(name, host)
    return host
  }

  join(life: Incarnation, peerId: Uint8Array, inbound: Inbound, topics: readonly string[]): Endpoint {
    const name = peerIdText(peerId)
    const endpoint: Endpoint = { life, peerId, name, inbound, topics: new Set(topics), seen: new Map() }
    this.#endpoints.set(name, endpoint)
    return endpoint
  }

  leave(self: Endpoint): void {
    for (const link of this.#links) {
      if (link.client === self) link.closeClient()
      if (link.server === self) link.closeServer()
    }
    if (this.#endpoints.get(self.name) === self) this.#endpoints.delete(self.name)
  }

  /** A node is gone without a word. */
  crash(name: string): void {
    for (const link of this.#linksOf(name)) link.lose()
    for (const endpoint of this.endpoints()) {
      if (endpoint.life.node === name) this.#endpoints.delete(endpoint.name)
    }
  }

  /** @throws NetworkError `UNREACHABLE` or `TIMED_OUT` */
  dial(self: Endpoint, to: PeerAddress): Promise<Link> {
    const { life } = self
    return life.promise((resolve, reject) => {
      const timer = life.after(DIAL_TIMEOUT_MS, () =>
        reject(new NetworkError('TIMED_OUT', `no connection within ${DIAL_TIMEOUT_MS} ms`)),
      )
      const back = (settle: () => void): void => {
        timer.cancel()
        life.after(this.#engine.delay(), settle)
      }
      this.#engine.schedule(this.#engine.delay(), () =>
        this.#arrive(self, to, {
          accept: (open) => back(() => resolve(open())),
          refuse: (reason) => back(() => reject(new NetworkError('UNREACHABLE', reason))),
        }),
      )
    })
  }

  #arrive(self: Endpoint, { ip, peerId }: PeerAddress, dial: Dial): void {
    const { random, rates, faults } = this.#engine
    if (!self.life.alive) return
    const node = [...this.#hosts].find(([, host]) => host.ip === ip)?.[0]
    if (node === undefined || this.#isCut(self.life.node, node)) {
      faults.unreachable++
      return // nobody answers: the caller waits for its timeout
    }
    if (random.chance(rates.breakRate)) {
      faults.broken++
      return
    }
    const server = this.#endpoints.get(peerIdText(peerId))
    if (server === undefined || server === self || server.life.node !== node || !this.isUp(server)) {
      return dial.refuse('nobody of this name listens there')
    }
    server.life.trace('inbound.serve', [self.name])
    const serving = server.inbound.serve({ prefix: this.hostOf(self.life.node).prefix })
    if (serving === undefined) return dial.refuse('it serves no mailboxes')
    const link = new SimLink(this.#engine, this, self, server, serving)
    this.#links = [...this.#links.filter((each) => each.open), link]
    dial.accept(() => link.port())
  }

  #isCut(a: string, b: string): boolean {
    if (a === b) return false
    if (this.#offline.has(a) || this.#offline.has(b)) return true
    return this.#partitions.some(({ left, right }) => (left.has(a) && right.has(b)) || (left.has(b) && right.has(a)))
  }

  #loseCutLinks(): void {
    for (const link of this.#links) {
      if (link.open && this.#isCut(link.client.life.node, link.server.life.node)) link.lose()
    }
  }

  #linksOf(name: string): SimLink[] {
    return this.#links.filter((link) => link.open && (link.client.life.node === name || link.server.life.node === name))
  }
}

function asSet(names: Names): ReadonlySet<string> {
  return new Set(typeof names === 'string' ? [names] : names)
}
