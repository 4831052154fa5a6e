/**
 * The world of one plan while it runs: whole nodes on images of a village at rest, watched from outside, with a defect
 * planted if one is given.
 */
import { equal, utf8 } from '../../../node/crypto/bytes.ts'
import type { DirectMode } from '../../../node/delivery/direct-links.ts'
import { KithError } from '../../../node/errors.ts'
import { allTopics } from '../../../node/mailbox/buckets.ts'
import { BUCKET_BITS, KithNode } from '../../../node/node.ts'
import { type Inbound, type Row, TABLE } from '../../../node/ports.ts'
import { KithRelay } from '../../../node/relay.ts'
import { DAY, type Settling } from '../engine.ts'
import { NO_FAULTS } from '../faults.ts'
import type { Person, Relay } from '../people.ts'
import type { DiskImage } from '../sim-disk.ts'
import { CrashedError, createWorld, type SimNode, type SimPorts, type World } from '../world.ts'
import type { Defect } from './defects.ts'
import { type Fixture, relaySeed } from './fixture.ts'
import { holds } from './invariants.ts'
import { PersonWatch, type Surroundings, type WatchImage } from './person-watch.ts'
import { type Act, friendsAmong, otherRelay, type Plan, RELAYS } from './plan.ts'
import { RelayWatch } from './relay-watch.ts'
import { SessionWatch } from './session-watch.ts'

const CHEAP_CLAIM_BITS = 1
/** What was said first is not given up before the end. */
const MAX_AGE_MS = 350 * DAY

/** A text that somebody was asked to send. */
export interface Said {
  from: string
  to: string
  text: string
  /** What its author's disk held of the conversation then. */
  after: string[]
  /** The program that was asked: what a crash interrupts never settles. */
  asked: KithNode
  sending: Settling<{ messageId: string }>
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
  /** Of those, by who did it. */
  readonly left = new Set<string>()
  readonly acts = new Map<Act, number>()
  readonly states = new Map<string, number>()
  image: DiskImage | undefined
  stranger: SimNode<SimPorts> | undefined
  readonly overheard: { topic: string; envelope: Uint8Array }[] = []
  /** Copies of the disk that is put back now and then. */
  readonly homes: { disk: DiskImage; watch: WatchImage }[] = []
  /** Pairs of which one was put back to before something happened between them, `from to` both ways. */
  readonly torn = new Set<string>()
  isLost = false
  /** How far all clocks are ahead of the world's, milliseconds. */
  #age = 0
  readonly #ahead = new Map<string, number>()
  /** People whose machine noticed that their home is another one, until they started with that. */
  readonly #changedHomes = new Set<string>()
  readonly #direct = new Map<string, DirectMode>()
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
      hadBefore: (name, messageId) => name === plan.restored && this.personWatches.get(name)!.everShown.has(messageId),
      sessionsOf: (name) => this.personWatches.get(name)!.sessions!,
      isTorn: (name, friend) => this.torn.has(`${name} ${friend}`),
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

  async #startRelay(name: string, around: Surroundings, defect: Defect | undefined): Promise<void> {
    const { world } = this
    const watch = new RelayWatch(name, world.disk(name), world.random.fork(`cheats of ${name}`), (error) =>
      around.fail(error),
    )
    this.relayWatches.set(name, watch)
    world.disk(name).onDurable = (changes) => watch.durable(changes)
    const signingSeed = relaySeed(name)
    let life = 0
    const memory = new Map<string, string>()
    const relay = await world.start(name, async (ports) => {
      life++
      const plain = { ...ports, network: watch.network(ports.createNetwork(signingSeed)) }
      const dressed = defect?.relay?.(plain, { life, memory }) ?? plain
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
    if (plan.restored !== undefined) {
      watch.sessions = new SessionWatch(name, around)
      watch.sessions.begin(world.disk(name))
    }
    world.disk(name).onDurable = (changes) => watch.durable(changes)
    this.#direct.set(name, plan.direct.includes(name) ? 'always' : 'never')
    let life = 0
    const memory = new Map<string, string>()
    const person = await world.start(name, async (ports) => {
      life++
      const plain = { ...ports, network: watch.network(ports.network) }
      const it = await KithNode.open(defect?.person?.(plain, { life, memory }) ?? plain, {
        relays: fixture.addresses,
        profile: plan.light.includes(name) ? 'light' : 'normal',
        direct: this.#direct.get(name)!,
        signingSeed: ports.transportSeed,
        isHomeChanged: this.#changedHomes.has(name),
      })
      this.#changedHomes.delete(name)
      await it.start()
      return it
    })
    this.people.set(name, person)
  }

  async #startStranger(): Promise<void> {
    const inbound: Inbound = {
      admit: (envelope, topic) => {
        if (this.overheard.length < 64) this.overheard.push({ topic, envelope })
        return 'accept'
      },
      serve: () => undefined,
      validateRecord: () => undefined,
      compareRecords: () => 0,
    }
    this.stranger = await this.world.start('stranger', async (ports) => {
      await ports.network.start(inbound)
      ports.network.subscribe(allTopics(BUCKET_BITS))
      return ports
    })
  }

  /** Sets how far one clock is ahead of the others. */
  setClock(name: string, ahead: number): void {
    this.#ahead.set(name, ahead)
    this.world.skew(name, this.#age + ahead)
  }

  /** Time goes by for everybody, in which nothing happens. @returns whether it may: texts live for a year */
  age(milliseconds: number): boolean {
    if (this.#age + milliseconds > MAX_AGE_MS) return false
    this.#age += milliseconds
    for (const name of [...RELAYS, ...this.plan.people]) this.setClock(name, this.#ahead.get(name) ?? 0)
    for (const relay of this.relayWatches.values()) relay.grow(milliseconds)
    return true
  }

  /** Somebody changes a setting, for which the node starts again. */
  setDirect(name: string, mode: DirectMode): void {
    this.#direct.set(name, mode)
    this.world.crash(name)
    this.world.revive(name)
  }

  /** The disk that is put back now and then is copied. */
  copyHome(): void {
    const name = this.plan.restored!
    this.homes.push({ disk: this.world.disk(name).image(), watch: this.personWatches.get(name)!.image() })
  }

  /** @param isNoticed whether the machine notices */
  putHomeBack({ disk: image, watch }: { disk: DiskImage; watch: WatchImage }, isNoticed: boolean): void {
    const { world, fixture } = this
    const name = this.plan.restored!
    const disk = world.disk(name)
    world.crash(name)
    for (const [friend, scope] of fixture.ids) {
      const sessions = { table: TABLE.session, scope }
      if (!isNoticed && isSame(disk.rows.list(sessions), image.rows.list(sessions))) continue
      this.torn.add(`${name} ${friend}`).add(`${friend} ${name}`)
    }
    disk.restore(image)
    disk.refusing = undefined
    this.personWatches.get(name)!.restore(watch, isNoticed)
    if (isNoticed) this.#changedHomes.add(name)
    else this.#changedHomes.delete(name)
    world.revive(name)
  }

  /** The disk that is put back now and then loses what it has of its sessions with a friend. @param which of them, 0 to 1 */
  loseSessions(which: number): void {
    const { world, fixture, plan } = this
    const name = plan.restored!
    const friends = friendsAmong(plan.people).filter((pair) => pair.includes(name))
    const friend = friends[Math.floor(which * friends.length)]!.find((one) => one !== name)!
    const scope = fixture.ids.get(friend)!
    const disk = world.disk(name)
    world.crash(name)
    const image = disk.image()
    const lanes = image.rows.list({ table: TABLE.session, scope, from: utf8('l'), to: utf8('m') })
    image.rows.apply(
      lanes.map(({ position }) => ({ key: { table: TABLE.session, scope, position }, value: undefined })),
    )
    disk.restore(image)
    disk.refusing = undefined
    this.torn.add(`${name} ${friend}`).add(`${friend} ${name}`)
    world.revive(name)
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

  /** Whether a node that runs is still at it. */
  isSending({ sending, from, asked }: Said): boolean {
    const person = this.people.get(from)!
    return !sending.done && person.isBooted && person.it === asked
  }

  /** What was asked of a node either happened or failed for a reason. */
  checkSends(): void {
    for (const { sending, from, to, text } of this.said) {
      if (!sending.done) continue
      try {
        sending.result()
      } catch (error) {
        const isEnded = this.ended.has(`${from} ${to}`)
        const isTorn = this.torn.has(`${from} ${to}`)
        holds(isExpected(error, isEnded, isTorn), 'noBug', () => `${from} cannot send ${text}: ${String(error)}`)
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
}

function isSame(one: readonly Row[], other: readonly Row[]): boolean {
  if (one.length !== other.length) return false
  return one.every(({ position, value }, i) => equal(position, other[i]!.position) && equal(value, other[i]!.value))
}

function isExpected(error: unknown, isEnded: boolean, isTorn: boolean): boolean {
  if (error instanceof CrashedError) return true
  if (!(error instanceof KithError)) return false
  if (isTorn && error.code === 'ROLLED_BACK') return true
  return error.code.startsWith('STORE_') || (isEnded && error.code === 'NOT_A_FRIEND')
}
