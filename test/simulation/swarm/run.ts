/** Runs one plan: whole nodes on images of a village at rest, the plan's steps, and at the end everybody comes back and is checked. */
import { utf8 } from '../../../node/crypto/bytes.ts'
import { KithError } from '../../../node/errors.ts'
import { KithNode } from '../../../node/node.ts'
import { type Inbound, TABLE } from '../../../node/ports.ts'
import { allTopics } from '../../../node/mailbox/buckets.ts'
import { BUCKET_BITS } from '../../../node/node.ts'
import { KithRelay } from '../../../node/relay.ts'
import { MINUTE, SimulationError } from '../engine.ts'
import { type FaultCounts, NO_FAULTS } from '../faults.ts'
import type { Person, Relay } from '../people.ts'
import type { DiskImage } from '../sim-disk.ts'
import { CrashedError, createWorld, type SimNode, type SimPorts, type World } from '../world.ts'
import type { Settling } from '../engine.ts'
import type { Defect } from './defects.ts'
import { type Fixture, fixtureOf, relaySeed } from './fixture.ts'
import { holds, type Invariant, Violation } from './invariants.ts'
import { PersonWatch, type Surroundings } from './person-watch.ts'
import { type Act, otherRelay, type Plan, PLANTED, RELAYS, type Step } from './plan.ts'
import { RelayWatch } from './relay-watch.ts'
import { expectAtRest } from './rest.ts'

const CHEAP_CLAIM_BITS = 1
const PAUSE_MS = 1 * MINUTE

/** A text that somebody was asked to send. */
export interface Said {
  from: string
  to: string
  text: string
  /** What its author's disk held of the conversation then. */
  after: string[]
  sending: Settling<{ messageId: string }>
}

export interface Failure {
  invariant: Invariant
  message: string
}

/** How a run ended and what it came to. */
export interface Outcome {
  plan: Plan
  /** Hash of all that crossed a port. */
  digest: string
  virtualMs: number
  /** Calls of ports. */
  calls: number
  acts: Map<Act, number>
  faults: FaultCounts
  states: Map<string, number>
  failure?: Failure
}

/** The world of one plan while it runs. */
export class Swarm {
  readonly plan: Plan
  readonly world: World
  readonly fixture: Fixture
  readonly people = new Map<string, Person>()
  readonly relays = new Map<string, Relay>()
  readonly personWatches = new Map<string, PersonWatch>()
  readonly relayWatches = new Map<string, RelayWatch>()
  readonly said: Said[] = []
  /** Pairs of which one ended the friendship, `from to` both ways. */
  readonly ended = new Set<string>()
  readonly acts = new Map<Act, number>()
  readonly states = new Map<string, number>()
  #image: DiskImage | undefined
  #stranger: SimNode<SimPorts> | undefined
  readonly #overheard: { topic: string; envelope: Uint8Array }[] = []
  #isLost = false
  readonly #rowsAtFirst = new Map<string, number>()

  constructor(plan: Plan, fixture: Fixture) {
    this.plan = plan
    this.fixture = fixture
    this.world = createWorld(plan.seed)
  }

  /** Everybody starts from their image. */
  async begin(defect: Defect | undefined): Promise<void> {
    const { world, plan, fixture } = this
    await world.run({ forMs: fixture.elapsed })
    const around: Surroundings = {
      ids: fixture.ids,
      diskOf: (name) => world.disk(name),
      receiptFor: (receipt) => {
        const found = [...this.relayWatches.values()].map((relay) => relay.receiptFor(receipt))
        return found.find((cid) => cid !== undefined)
      },
      told: (state) => this.states.set(state, (this.states.get(state) ?? 0) + 1),
      fail: (error) => world.fail(error),
    }
    for (const name of [...RELAYS, ...plan.people]) {
      world.disk(name).restore(fixture.disks.get(name)!)
      this.#rowsAtFirst.set(name, world.disk(name).rows.count())
    }
    // in the order of the fixture's world: that gives each relay the address that people remember
    for (const name of RELAYS) world.net.hostOf(name)
    for (const name of RELAYS) await this.#startRelay(name, around, defect)
    for (const name of plan.people) await this.#startPerson(name, around, defect)
    if (plan.steps.some(({ act }) => act === 'flood')) await this.#startStranger()
  }

  async #startRelay(name: string, { fail }: Surroundings, defect: Defect | undefined): Promise<void> {
    const { world } = this
    const watch = new RelayWatch(name, world.disk(name), world.random.fork(`cheats of ${name}`), fail)
    this.relayWatches.set(name, watch)
    world.disk(name).onDurable = (changes) => watch.durable(changes)
    const signingSeed = relaySeed(name)
    let life = 0
    const relay = await world.start(name, async (ports) => {
      life++
      const plain = { ...ports, network: watch.network(ports.createNetwork(signingSeed)) }
      const dressed = defect?.relay?.(plain, { life, world, name }) ?? plain
      const it = await KithRelay.open(dressed, { signingSeed, policy: { claimBits: CHEAP_CLAIM_BITS } })
      await it.start()
      return it
    })
    this.relays.set(name, relay)
  }

  async #startPerson(name: string, around: Surroundings, defect: Defect | undefined): Promise<void> {
    const { world, plan, fixture } = this
    const watch = new PersonWatch(name, around)
    this.personWatches.set(name, watch)
    world.disk(name).onDurable = (changes) => watch.durable(changes)
    const options = { relays: fixture.addresses, profile: plan.light.includes(name) ? 'light' : 'normal' } as const
    let life = 0
    const person = await world.start(name, async (ports) => {
      life++
      const plain = { ...ports, network: watch.network(ports.network) }
      const it = await KithNode.open(defect?.person?.(plain, { life, world, name }) ?? plain, options)
      await it.start()
      return it
    })
    this.people.set(name, person)
  }

  async #startStranger(): Promise<void> {
    const inbound: Inbound = {
      admit: (envelope, topic) => {
        if (this.#overheard.length < 64) this.#overheard.push({ topic, envelope })
        return 'accept'
      },
      serve: () => undefined,
      validateRecord: () => undefined,
      compareRecords: () => 0,
    }
    this.#stranger = await this.world.start('stranger', async (ports) => {
      await ports.network.start(inbound)
      ports.network.subscribe(allTopics(BUCKET_BITS))
      return ports
    })
  }

  /** The plan, step by step; after each the cheap checks. */
  async live(): Promise<void> {
    const { steps, lost } = this.plan
    for (const [i, step] of steps.entries()) {
      await this.world.pass(step.wait)
      if (lost !== undefined && i === steps.length >> 1) {
        this.world.crash(lost)
        this.#isLost = true
      }
      if (this.#act(step)) this.acts.set(step.act, (this.acts.get(step.act) ?? 0) + 1)
      this.checkSends()
      this.checkBounds()
    }
  }

  /** Everybody comes back, what was wrong with the world is over. */
  async calm(): Promise<void> {
    const { world, plan } = this
    world.net.heal()
    world.net.online([...plan.people, ...RELAYS])
    Object.assign(world.rates, NO_FAULTS)
    world.net.dht.liars.clear()
    const other = otherRelay(plan)
    if (plan.end !== 'cheating') this.relayWatches.get(other)!.cheat = 'honest'
    if (plan.end === 'gone') world.crash(other)
    for (const name of this.present()) {
      world.disk(name).refusing = undefined
      // a call that was to be the last is none any more
      if (this.nodeOf(name).isUp) world.crashAt(name, Infinity)
    }
    this.reviveAll()
  }

  /** Nodes that are to be there at the end. */
  present(): string[] {
    const { people, lost, end } = this.plan
    const gone = end === 'gone' ? otherRelay(this.plan) : undefined
    return [...RELAYS.filter((name) => name !== gone), ...people.filter((name) => name !== lost)]
  }

  reviveAll(): void {
    for (const name of this.present()) this.world.revive(name)
  }

  nodeOf(name: string): Person | Relay {
    return this.people.get(name) ?? this.relays.get(name)!
  }

  /** What was asked of a node either happened or failed for a reason. */
  checkSends(): void {
    for (const { sending, from, to, text } of this.said) {
      if (!sending.done) continue
      try {
        sending.result()
      } catch (error) {
        const isEnded = this.ended.has(`${from} ${to}`)
        holds(isExpected(error, isEnded), 'noBug', () => `${from} cannot send ${text}: ${String(error)}`)
      }
    }
  }

  checkBounds(): void {
    const { world, said, plan } = this
    const nodes = plan.people.length + RELAYS.length
    const events = 400 + 60 * nodes + 20 * said.length
    holds(world.pending <= events, 'bounded', () => `${world.pending} events wait, more than ${events}`)
    for (const [name, before] of this.#rowsAtFirst) {
      const rows = world.disk(name).rows.count()
      const bound = before + 200 + 40 * said.length
      holds(rows <= bound, 'bounded', () => `${name} has ${rows} rows, more than ${bound}`)
    }
  }

  /** @returns whether there was something to do */
  #act(step: Step): boolean {
    const { world, plan } = this
    const { net, rates } = world
    const other = otherRelay(plan)
    switch (step.act) {
      case 'send':
        return this.#send(step.from, step.to, step.texts)
      case 'crash':
        if (!this.nodeOf(step.who).isUp) return false
        world.crash(step.who)
        return true
      case 'crash at a call': {
        const node = this.nodeOf(step.who)
        if (!node.isUp) return false
        world.crashAt(step.who, node.calls + step.calls, step.side)
        return true
      }
      case 'start':
        // a node does not start on a disk that takes nothing
        if (this.nodeOf(step.who).isUp || world.disk(step.who).refusing !== undefined) return false
        if (this.#isLost && step.who === plan.lost) return false
        world.revive(step.who)
        return true
      case 'offline':
        net.offline(step.who)
        return true
      case 'online':
        net.online(step.who)
        return true
      case 'move':
        net.move(step.who)
        return true
      case 'partition':
        net.partition(step.left, step.right)
        return true
      case 'heal':
        net.heal()
        return true
      case 'calm':
        Object.assign(rates, NO_FAULTS)
        return true
      case 'loss':
        rates.dropRate = step.rate
        return true
      case 'duplication':
        rates.duplicateRate = step.rate
        return true
      case 'breaks':
        rates.breakRate = step.rate
        return true
      case 'reordering':
        rates.delayMs = [5, step.upTo]
        return true
      case 'slow disks':
        rates.syncMs = [1, step.upTo]
        return true
      case 'full disk':
        if (!this.nodeOf(step.who).isBooted) return false
        world.disk(step.who).refusing = step.code
        world.schedule(step.forMs, () => (world.disk(step.who).refusing = undefined))
        return true
      case 'clock':
        world.skew(step.who, step.ahead)
        return true
      case 'cheat':
        this.relayWatches.get(other)!.cheat = step.how
        return true
      case 'lie':
        net.dht.liars.add(other).add(plan.people.at(-1)!)
        return true
      case 'tell the truth':
        net.dht.liars.clear()
        return true
      case 'image':
        this.#image = world.disk(other).image()
        return true
      case 'forget everything':
        this.#replaceDisk(other, undefined)
        return true
      case 'restore the image':
        if (this.#image === undefined) return false
        this.#replaceDisk(other, this.#image)
        return true
      case 'vanish':
        world.crash(other)
        net.offline(other)
        return true
      case 'flood':
        this.#flood(step.with)
        return true
      case 'unfriend':
        return this.#unfriend(step.from, step.to)
    }
  }

  #send(from: string, to: string, texts: number): boolean {
    const person = this.people.get(from)!
    if (!person.isBooted || this.ended.has(`${from} ${to}`)) return false
    for (let i = 0; i < texts; i++) {
      const text = `${PLANTED} ${this.plan.seed}.${this.said.length}`
      const after = this.personWatches.get(from)!.knownWith(to)
      this.said.push({ from, to, text, after, sending: this.world.begin(() => person.it.send(to, text)) })
    }
    return true
  }

  #unfriend(from: string, to: string): boolean {
    const person = this.people.get(from)!
    if (!person.isBooted || this.ended.has(`${from} ${to}`)) return false
    this.ended.add(`${from} ${to}`).add(`${to} ${from}`)
    this.world.begin(() => person.it.unfriend(to))
    return true
  }

  /** A relay's operator begins anew, on an empty disk or on a copy of an older one, and gives it a new store ID. */
  #replaceDisk(name: string, image: DiskImage | undefined): void {
    const { world } = this
    const disk = world.disk(name)
    world.crash(name)
    this.relayWatches.get(name)!.newStore()
    if (image === undefined) {
      disk.wipe()
    } else {
      const rows = image.rows.copy()
      const key = { table: TABLE.meta, scope: new Uint8Array(0), position: utf8('custody') }
      rows.apply([{ key, value: undefined }])
      disk.restore({ ...image, rows })
    }
    disk.refusing = undefined
    world.revive(name)
  }

  /** Somebody without a friend here sends what they made up, and what they overheard. */
  #flood(kind: 'envelopes' | 'frames' | 'records'): void {
    const { world, fixture } = this
    const stranger = this.#stranger!
    const random = world.random.fork(`flood at ${world.now}`)
    const { network } = stranger.it
    if (kind === 'envelopes') {
      for (const topic of allTopics(BUCKET_BITS)) {
        world.begin(() => network.publish(topic, random.bytes(4096)))
        for (const { envelope } of random.shuffle(this.#overheard).slice(0, 4)) {
          world.begin(() => network.publish(topic, envelope))
        }
      }
    } else if (kind === 'records') {
      for (let i = 0; i < 8; i++) world.begin(() => network.putRecord(random.bytes(40), random.bytes(400)))
    } else {
      for (const address of fixture.addresses) {
        world.begin(async () => {
          const link = await network.connect(address)
          await Promise.allSettled(Array.from({ length: 20 }, () => link.call(random.bytes(200), MINUTE)))
          link.close()
        })
      }
    }
  }
}

function isExpected(error: unknown, isEnded: boolean): boolean {
  if (error instanceof CrashedError) return true
  if (!(error instanceof KithError)) return false
  return error.code.startsWith('STORE_') || (isEnded && error.code === 'NOT_A_FRIEND')
}

/** Runs a plan, with a defect planted if one is given. Never rejects for what the plan finds. */
export async function runPlan(plan: Plan, defect?: Defect): Promise<Outcome> {
  const swarm = new Swarm(plan, await fixtureOf(plan.people.length))
  const { world, acts, states } = swarm
  let failure: Failure | undefined
  try {
    await swarm.begin(defect)
    await swarm.live()
    await swarm.calm()
    await expectAtRest(swarm)
    await world.pass(PAUSE_MS)
  } catch (error) {
    failure = failureOf(error)
  }
  const { faults, elapsed, trace } = world
  const virtualMs = elapsed - swarm.fixture.elapsed
  const digest = trace.digest()
  return { plan, digest, virtualMs, calls: trace.count, acts, faults, states, ...(failure && { failure }) }
}

function failureOf(error: unknown): Failure {
  const cause = error instanceof SimulationError ? (error.cause ?? error) : error
  if (cause instanceof Violation) return { invariant: cause.invariant, message: cause.message }
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return { invariant: 'noBug', message: text }
}
