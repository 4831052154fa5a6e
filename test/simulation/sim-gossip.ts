/**
 * Gossip of the simulated network: an envelope goes from hop to hop among the subscribers of its topic, each of which
 * decides whether it goes on. Hops take their time, get lost or arrive twice, as the faults say.
 */
import { sha256 } from '../../node/crypto/hash.ts'
import { toHex, utf8 } from '../../node/crypto/bytes.ts'
import type { Engine } from './engine.ts'
import type { Endpoint, Wire } from './sim-endpoint.ts'

/** Neighbours that a peer hands an envelope to. */
const MESH_DEGREE = 6
/** How long the network itself knows an envelope again. */
const GOSSIP_SEEN_MS = 120_000
const SWEEP_SEEN_FROM = 1000

export class SimGossip {
  readonly #engine: Engine
  readonly #wire: Wire

  constructor(engine: Engine, wire: Wire) {
    this.#engine = engine
    this.#wire = wire
  }

  /** Peers that the envelope was handed to; 0 for one that `from` has published or seen lately. */
  publish(from: Endpoint, topic: string, envelope: Uint8Array): number {
    return this.#firstSight(from, topic, envelope) ? this.#spread(from, topic, envelope, undefined) : 0
  }

  #spread(from: Endpoint, topic: string, envelope: Uint8Array, source: Endpoint | undefined): number {
    const neighbours = this.#wire
      .endpoints()
      .filter((each) => each !== from && each !== source && each.topics.has(topic) && this.#wire.reaches(from, each))
    const chosen = this.#engine.random.shuffle(neighbours).slice(0, MESH_DEGREE)
    for (const to of chosen) this.#hop(from, to, topic, envelope)
    return chosen.length
  }

  #hop(from: Endpoint, to: Endpoint, topic: string, envelope: Uint8Array): void {
    const { random, rates, faults } = this.#engine
    if (random.chance(rates.dropRate)) {
      faults.dropped++
      return
    }
    this.#engine.schedule(this.#engine.delay(), () => this.#arrive(from, to, topic, envelope, false))
    if (!random.chance(rates.duplicateRate)) return
    faults.duplicated++
    const again = this.#engine.delay() + this.#engine.delay()
    this.#engine.schedule(again, () => this.#arrive(from, to, topic, envelope, true))
  }

  #arrive(from: Endpoint, to: Endpoint, topic: string, envelope: Uint8Array, forced: boolean): void {
    if (!this.#wire.isUp(to) || !to.topics.has(topic)) return
    // Gossipsub marks an envelope seen before it is judged; a forced duplicate comes past that memory.
    if (!this.#firstSight(to, topic, envelope) && !forced) return
    const verdict = to.inbound.admit(new Uint8Array(envelope), topic, from.name)
    to.life.trace('inbound.admit', [from.name, topic, envelope, verdict])
    if (verdict === 'accept' && to.life.alive) this.#spread(to, topic, envelope, from)
    if (verdict === 'reject') this.#engine.faults.rejected++
  }

  #firstSight(at: Endpoint, topic: string, envelope: Uint8Array): boolean {
    const name = toHex(sha256(utf8(topic), envelope))
    const oldest = this.#engine.now - GOSSIP_SEEN_MS
    const known = at.seen.get(name)
    if (known !== undefined && known > oldest) return false
    if (at.seen.size >= SWEEP_SEEN_FROM) {
      for (const [old, time] of at.seen) if (time <= oldest) at.seen.delete(old)
    }
    at.seen.set(name, this.#engine.now)
    return true
  }
}
