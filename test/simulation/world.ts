/**
 * A world of simulated nodes under one seed: starts, crashes and restarts them, and gives each life of a node ports of
 * its own. One seed gives one course of events, to the byte (`world.trace.digest()`).
 *
 *     const world = createWorld(seed, { faults: { dropRate: 0.1 } })
 *     const alice = await world.start('alice', (ports) => createNode(ports))
 *     await alice.do((node) => node.send('bob', 'hello'))
 *     world.crash('alice')
 *     await world.restart('alice')
 *     await world.eventually(async () => (await alice.it.history('bob')).length === 1)
 */
import type { Network, Ports } from '../../node/ports.ts'
import { sha256 } from '../../node/crypto/hash.ts'
import { utf8 } from '../../node/crypto/bytes.ts'
import { DAY, Engine, type EngineOptions, type Settling, SimulationError } from './engine.ts'
import { type CrashSide, createSimClock, createSimLogger, createSimRandom, Incarnation } from './incarnation.ts'
import { SimDisk } from './sim-disk.ts'
import { SimNet } from './sim-net.ts'
import { createSimNetwork } from './sim-network.ts'

/** The ports of one life. `network` has a peer ID that belongs to the node's name and stays over its restarts. */
export interface SimPorts extends Ports {
  /** A network port under the peer ID of another seed of 32 bytes. */
  createNetwork(seed: Uint8Array): Network
  /** The seed of `network`, 32 bytes. */
  transportSeed: Uint8Array
}

/** Starts the program of a node on its ports; called again after each crash. */
export type Boot<T> = (ports: SimPorts) => T | Promise<T>

const ASK_EVERY_MS = 100
/** A question without an answer for this long is asked again. */
const ANSWER_MS = 10_000

/** A promise was waited for in a life that is over. */
export class CrashedError extends Error {
  constructor(node: string) {
    super(`${node} is not running, or crashed meanwhile`)
    this.name = 'CrashedError'
  }
}

/** A node as a test holds it, over all its lives. */
export class SimNode<T> {
  readonly name: string
  readonly #world: World
  readonly #boot: Boot<T>
  #life: Incarnation | undefined
  #booting: Settling<T> | undefined

  constructor(world: World, name: string, boot: Boot<T>) {
    this.#world = world
    this.name = name
    this.#boot = boot
  }

  /** What its program returned in this life. @throws CrashedError while it is down; what the program threw */
  get it(): T {
    if (!this.isUp || this.#booting === undefined || !this.#booting.done) throw new CrashedError(this.name)
    return this.#booting.result()
  }

  /** Whether it runs; it may still be starting. */
  get isUp(): boolean {
    return this.#life?.alive === true
  }

  /** Whether its program has started in this life, or failed to. */
  get isBooted(): boolean {
    return this.isUp && this.#booting?.done === true
  }

  /** Calls of Store and Network in this life, or in the last when it is down: the crash points that a test can go through. */
  get calls(): number {
    return this.#life?.calls ?? 0
  }

  /**
   * Does `action` on it as an event and runs the world until that has settled.
   * @throws CrashedError when it is down, or crashes before
   */
  async do<R>(action: (it: T) => R | Promise<R>): Promise<R> {
    const life = this.#life
    const settling = this.#world.begin(() => action(this.it))
    await this.#world.reach(() => settling.done || life?.alive !== true)
    if (!settling.done) throw new CrashedError(this.name)
    return settling.result()
  }

  /** For the world: begins a new life. */
  live(life: Incarnation, ports: SimPorts, failed: (error: unknown) => void): void {
    this.#life = life
    this.#booting = this.#world.begin(async () => {
      try {
        return await this.#boot(ports)
      } catch (error) {
        failed(error)
        throw error
      }
    })
  }

  /** For the world: ends the present life. */
  die(): void {
    this.#life?.revoke()
  }

  /** For the world: ends the present life at one of its calls. */
  dieAt(call: number, side: CrashSide): void {
    if (this.#life === undefined || !this.isUp) throw new CrashedError(this.name)
    this.#life.crashAt(call, side)
  }
}

export class World extends Engine {
  readonly net = new SimNet(this)
  readonly #nodes = new Map<string, SimNode<unknown>>()
  readonly #disks = new Map<string, SimDisk>()
  readonly #lives = new Map<string, number>()
  readonly #skews = new Map<string, number>()

  /** Starts a node of a new name and runs the world until its program has started. */
  async start<T>(name: string, boot: Boot<T>): Promise<SimNode<T>> {
    if (this.#nodes.has(name)) throw new RangeError(`expected a new name, got ${name}`)
    const node = new SimNode(this, name, boot)
    this.#nodes.set(name, node)
    await this.#boot(node)
    return node
  }

  /** Ends the life of a node at once, without a word. Nothing happens to one that is down. */
  crash(name: string): void {
    const node = this.#node(name)
    if (!node.isUp) return
    this.faults.crashed++
    this.trace.add(this.now, `${name} crashes`)
    node.die()
    this.disk(name).crash()
    this.net.crash(name)
  }

  /** Ends the life of a node at its `call`-th call of Store or Network, counted from 1 (see `SimNode.calls`). */
  crashAt(name: string, call: number, side: CrashSide = this.random.chance(0.5) ? 'before' : 'after'): void {
    this.#node(name).dieAt(call, side)
  }

  /** Crashes a node when it is up, starts it again on its disk and runs the world until its program has started. */
  async restart(name: string): Promise<void> {
    this.crash(name)
    await this.#boot(this.#node(name))
  }

  /** Starts a node that is down, from inside an event: it starts as the world runs on, and fails the run if it cannot. */
  revive(name: string): void {
    const node = this.#node(name)
    if (!node.isUp) this.#live(node, (error) => this.fail(error))
  }

  #live(node: SimNode<unknown>, failed: (error: unknown) => void = () => {}): void {
    const { name } = node
    const number = (this.#lives.get(name) ?? 0) + 1
    this.#lives.set(name, number)
    this.trace.add(this.now, `${name} starts`)
    const life = new Incarnation(this, name, number, () => this.#crashByFault(name))
    node.live(life, this.#ports(life), failed)
  }

  /**
   * Asks `question` again and again, ten times a virtual second, until it says yes. A node that is down, or crashes over
   * the answer, is a no.
   * @throws SimulationError when that takes longer than `forMs` @default a day
   */
  async eventually(question: () => boolean | Promise<boolean>, forMs = DAY): Promise<void> {
    const end = this.now + forMs
    while (this.now <= end) {
      const asked = this.begin(question)
      const patience = this.now + ANSWER_MS
      this.schedule(ANSWER_MS, () => {})
      await this.reach(() => asked.done || this.now >= patience)
      if (isYes(asked)) return
      await this.pass(ASK_EVERY_MS)
    }
    throw new SimulationError(this, `not so within ${forMs} ms: ${question.toString()}`)
  }

  /** The disk of a node, new and empty at first. */
  disk(name: string): SimDisk {
    const known = this.#disks.get(name)
    if (known !== undefined) return known
    const disk = new SimDisk(this, name)
    this.#disks.set(name, disk)
    return disk
  }

  /** Sets how far the clock of a node is ahead of the world's, from now on. */
  skew(name: string, milliseconds: number): void {
    this.#skews.set(name, milliseconds)
  }

  async #boot(node: SimNode<unknown>): Promise<void> {
    this.#live(node)
    await this.reach(() => node.isBooted || (!node.isUp && this.rates.crashRate === 0))
    void node.it
  }

  #crashByFault(name: string): void {
    this.crash(name)
    if (this.rates.crashRate === 0) return
    this.schedule(this.random.int(...this.rates.restartMs), () => this.revive(name))
  }

  #ports(life: Incarnation): SimPorts {
    const { node } = life
    const peerSeed = sha256(utf8(`peer of ${node} in world ${this.seed}`))
    return {
      clock: createSimClock(life, () => this.#skews.get(node) ?? 0),
      random: createSimRandom(life),
      store: this.disk(node).open(life),
      network: createSimNetwork(this.net, life, peerSeed),
      logger: createSimLogger(life),
      createNetwork: (seed) => createSimNetwork(this.net, life, seed),
      transportSeed: peerSeed,
    }
  }

  #node(name: string): SimNode<unknown> {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new RangeError(`expected the name of a node, got ${name}`)
    return node
  }
}

function isYes(asked: Settling<boolean>): boolean {
  try {
    return asked.done && asked.result()
  } catch (error) {
    if (error instanceof CrashedError) return false
    throw error
  }
}

/** A new world; the same seed and options give the same course of events. */
export function createWorld(seed: number, options: EngineOptions = {}): World {
  return new World(seed, options)
}
