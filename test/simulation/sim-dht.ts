/**
 * The DHT of the simulated network: every peer that is up holds every record that it takes. Records stay with a host
 * over its restarts, for 48 hours. A holder may lie: it takes everything and serves the oldest it ever had.
 */
import { equal, toHex } from '../../node/crypto/bytes.ts'
import { ForgedError, PeerError } from '../../node/errors.ts'
import { DAY, type Engine } from './engine.ts'
import type { Endpoint, Wire } from './sim-endpoint.ts'

/** How long a holder that does not answer is waited for. */
const QUERY_TIMEOUT_MS = 10_000
const RECORD_LIFE_MS = 2 * DAY

interface Held {
  best: Uint8Array
  oldest: Uint8Array
  at: number
}

export class SimDht {
  /** Nodes whose DHT side lies. */
  readonly liars = new Set<string>()
  readonly #engine: Engine
  readonly #wire: Wire
  readonly #held = new Map<string, Map<string, Held>>()

  constructor(engine: Engine, wire: Wire) {
    this.#engine = engine
    this.#wire = wire
  }

  /** Puts a record at a node without asking it, as an attacker's own node would hold it. */
  plant(node: string, key: Uint8Array, value: Uint8Array): void {
    this.#holder(node).set(toHex(key), { best: value, oldest: value, at: this.#engine.now })
  }

  /** Records that a node holds. */
  heldBy(node: string): number {
    return this.#holder(node).size
  }

  /** How many others took the record. */
  async put(from: Endpoint, key: Uint8Array, value: Uint8Array): Promise<number> {
    if (!this.#offer(from, key, value)) return 0
    const answers = await this.#askAll(from, (holder) => this.#offer(holder, key, value))
    return answers.filter((taken) => taken).length
  }

  /** The different valid values of the own store and of every holder that answered, in order of arrival. */
  async get(from: Endpoint, key: Uint8Array): Promise<Uint8Array[]> {
    const answers = await this.#askAll(from, (holder) => this.#serve(holder, key))
    const found = new Map<string, Uint8Array>()
    for (const value of [this.#serve(from, key), ...answers]) {
      if (value !== undefined && this.#isValid(from, key, value)) found.set(toHex(value), new Uint8Array(value))
    }
    return [...found.values()]
  }

  /** Asks every other peer; the answers that came in time, in order of arrival. */
  #askAll<T>(from: Endpoint, ask: (holder: Endpoint) => T): Promise<T[]> {
    const holders = this.#wire.endpoints().filter((each) => each !== from && this.#wire.reaches(from, each))
    const answers: T[] = []
    return from.life.promise((resolve) => {
      const timer = from.life.after(QUERY_TIMEOUT_MS, () => resolve(answers))
      let open = holders.length
      const finish = (): void => {
        timer.cancel()
        resolve(answers)
      }
      if (open === 0) from.life.after(0, finish)
      for (const holder of holders) {
        this.#askOne(from, holder, ask, (answer) => {
          answers.push(answer)
          if (--open === 0) finish()
        })
      }
    })
  }

  #askOne<T>(from: Endpoint, holder: Endpoint, ask: (holder: Endpoint) => T, answered: (answer: T) => void): void {
    const { random, rates, faults } = this.#engine
    if (random.chance(rates.dropRate)) {
      faults.dropped++
      return
    }
    this.#engine.schedule(this.#engine.delay(), () => {
      if (!this.#wire.isUp(holder)) return
      const answer = ask(holder)
      from.life.after(this.#engine.delay(), () => {
        if (this.#wire.reaches(holder, from)) answered(answer)
      })
    })
  }

  #offer(holder: Endpoint, key: Uint8Array, value: Uint8Array): boolean {
    const held = this.#holder(holder.life.node)
    const name = toHex(key)
    const known = this.#fresh(held.get(name))
    if (this.liars.has(holder.life.node)) {
      held.set(name, {
        best: new Uint8Array(value),
        oldest: known?.oldest ?? new Uint8Array(value),
        at: this.#engine.now,
      })
      return true
    }
    if (known !== undefined && equal(known.best, value)) {
      // judged when it came first: republishing is most of what a DHT does
      held.set(name, { ...known, at: this.#engine.now })
      return true
    }
    if (!this.#isValid(holder, key, value)) return false
    if (known !== undefined && holder.inbound.compareRecords(key, known.best, value) > 0) return false
    held.set(name, {
      best: new Uint8Array(value),
      oldest: known?.oldest ?? new Uint8Array(value),
      at: this.#engine.now,
    })
    return true
  }

  #serve(holder: Endpoint, key: Uint8Array): Uint8Array | undefined {
    const known = this.#fresh(this.#holder(holder.life.node).get(toHex(key)))
    if (!this.liars.has(holder.life.node)) return known?.best
    this.#engine.faults.lies++
    return known?.oldest
  }

  #isValid(judge: Endpoint, key: Uint8Array, value: Uint8Array): boolean {
    judge.life.trace('inbound.validateRecord', [key, value])
    try {
      judge.inbound.validateRecord(key, value)
      return true
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof ForgedError)) this.#engine.fail(error)
      return false
    }
  }

  #fresh(held: Held | undefined): Held | undefined {
    return held !== undefined && held.at > this.#engine.now - RECORD_LIFE_MS ? held : undefined
  }

  #holder(node: string): Map<string, Held> {
    const known = this.#held.get(node)
    if (known !== undefined) return known
    const held = new Map<string, Held>()
    this.#held.set(node, held)
    return held
  }
}
