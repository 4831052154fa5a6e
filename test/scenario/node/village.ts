/**
 * A village for stories of whole nodes: relays and people in a simulated world, what each of them heard and saw, and what
 * must hold in the end. The world is `test/simulation`'s; here is what several stories ask of it.
 */
import { expect } from 'chai'
import type { HistoryEntry, NodeEvent } from '../../../node/api/service.ts'
import { toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel, sendingLane } from '../../../node/delivery/channel.ts'
import { loadEntries, type OutboxEntry, readBody } from '../../../node/delivery/outbox.ts'
import { idFromText } from '../../../node/identity/root.ts'
import { KithError } from '../../../node/errors.ts'
import type { NodeOptions } from '../../../node/node.ts'
import { type Inbound, type LinkServer, type RowChange, type Store, TABLE } from '../../../node/ports.ts'
import {
  addressOf,
  befriend,
  type Hooks,
  type Person,
  type Relay,
  startPerson,
  startRelay,
} from '../../simulation/people.ts'
import { type EngineOptions, HOUR } from '../../simulation/engine.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import type { KithNode } from '../../../node/node.ts'
import type { KithRelay } from '../../../node/relay.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { CrashedError, createWorld, type SimNode, type SimPorts, type World } from '../../simulation/world.ts'

const NONE = new Uint8Array(0)
/** The order in which states may follow one another; what ends stands alike. */
const RANK: Record<string, number> = { queued: 0, sent: 1, custody: 2, delivered: 3, expired: 3, failed: 3 }

/** A person with everything that their node told, over all its lives. */
export interface Villager {
  person: Person
  /** As listeners heard it; after a crash what was written and not told is missing. */
  heard: NodeEvent[]
  /** Every batch that came to lie on the node's disk. */
  written: RowChange[][]
}

export interface Village {
  world: World
  relays: Relay[]
  addresses: string[]
  alice: Person
  bob: Person
  /** By name. */
  villagers: Map<string, Villager>
}

export interface VillageOptions extends EngineOptions {
  /** @default 1 */
  relays?: number
  /** Whether alice and bob are friends already. @default true */
  friends?: boolean
  /** Options of alice's and bob's nodes, besides their relays. */
  node?: Partial<NodeOptions>
  /** What is done to each relay. */
  relayHooks?: Parameters<typeof startRelay>[3]
}

/** Relays `relay1`, `relay2` …, and alice and bob, who read mail at all of them. */
export async function createVillage(seed: number, options: VillageOptions = {}): Promise<Village> {
  const { relays: count = 1, friends = true, node, relayHooks, ...engine } = options
  const world = createWorld(seed, engine)
  const relays: Relay[] = []
  for (let i = 1; i <= count; i++) relays.push(await startRelay(world, `relay${i}`, {}, relayHooks))
  const addresses: string[] = []
  for (const relay of relays) addresses.push(await addressOf(relay))
  const village: Village = { world, relays, addresses, villagers: new Map(), alice: undefined!, bob: undefined! }
  village.alice = await settle(village, 'alice', node)
  village.bob = await settle(village, 'bob', node)
  if (friends) await befriend(world, village.alice, village.bob)
  return village
}

/** Adds a person, who is listened to from the first moment. Options that are getters are asked at each start. */
export async function settle(
  village: Village,
  name: string,
  node: Partial<NodeOptions> = {},
  hooks: Hooks<KithNode> = {},
): Promise<Person> {
  const villager: Villager = { person: undefined!, heard: [], written: [] }
  village.villagers.set(name, villager)
  const { world, addresses } = village
  const unanswered = new Set<RowChange[]>()
  villager.person = await startPerson(
    world,
    name,
    Object.defineProperties({ relays: addresses }, Object.getOwnPropertyDescriptors(node)) as NodeOptions,
    {
      ports: (ports) => {
        const { rows } = world.disk(name).image()
        // a crash keeps some of the batches that were not answered
        for (const batch of unanswered) {
          const isKept = batch.every(({ key, value }) => toHex(rows.get(key) ?? NONE) === toHex(value ?? NONE))
          if (isKept) villager.written.push(batch)
        }
        unanswered.clear()
        const dressed = hooks.ports?.(ports) ?? ports
        return { ...dressed, store: rememberWrites(dressed.store, villager.written, unanswered) }
      },
      opened: (opened) => {
        opened.onEvent((event) => villager.heard.push(event))
        hooks.opened?.(opened)
      },
    },
  )
  await idOf(villager.person)
  return villager.person
}

function rememberWrites(store: Store, written: RowChange[][], unanswered: Set<RowChange[]>): Store {
  return {
    get: (key) => store.get(key),
    list: (range) => store.list(range),
    blind: (bytes) => store.blind(bytes),
    async write(changes) {
      const batch = [...changes]
      unanswered.add(batch)
      try {
        await store.write(batch)
        written.push(batch)
      } finally {
        unanswered.delete(batch)
      }
    },
  }
}

export function heardBy({ villagers }: Village, person: Person): NodeEvent[] {
  return villagers.get(person.name)!.heard
}

/** All events in a person's log. */
export async function eventsOf(person: Person): Promise<NodeEvent[]> {
  return person.do((it) => it.eventsSince(0, 100_000))
}

export async function historyOf(person: Person, who: Person): Promise<HistoryEntry[]> {
  return person.do((it) => it.history({ who: who.name, limit: 1000 }))
}

const knownIds = new WeakMap<Person, Uint8Array>()

/** 32 bytes; of somebody who was up when they settled. */
export async function idOf(person: Person): Promise<Uint8Array> {
  const id = knownIds.get(person) ?? idFromText(await person.do((it) => it.id))
  knownIds.set(person, id)
  return id
}

/** A person's disk as it is now, to be read. */
export function diskOf({ world }: Village, { name }: Person): Store {
  const { rows } = world.disk(name).image()
  return storeOf(
    (range) => rows.list(range),
    (key) => rows.get(key),
  )
}

/** What lies in a person's outbox for a friend, receipts and profiles too. */
export async function outboxOf(village: Village, person: Person, friend: Person): Promise<OutboxEntry[]> {
  return loadEntries(diskOf(village, person), await idOf(friend))
}

/** The sessions that a person has with a friend, the one to send in first. */
export async function lanesOf(
  village: Village,
  person: Person,
  friend: Person,
): Promise<{ id: string; rekey: number }[]> {
  const channel = await loadChannel(diskOf(village, person), await idOf(friend))
  const first = sendingLane(channel)
  const lanes = channel.lanes.toSorted((a, b) => Number(b === first) - Number(a === first))
  return lanes.map(({ id, session }) => ({ id: toHex(id), rekey: session.rekey }))
}

/** As the world's `eventually`; who crashed meanwhile is started again, and is a no until then. */
export async function eventually(village: Village, question: () => Promise<boolean>, forMs?: number): Promise<void> {
  const { world, alice, bob } = village
  await world.eventually(async () => {
    for (const { isUp, name } of [alice, bob]) if (!isUp) world.revive(name)
    return alice.isBooted && bob.isBooted && (await question())
  }, forMs)
}

/** Lets days go by. */
export async function passDays({ world }: Village, days: number): Promise<void> {
  for (let i = 0; i < days * 2; i++) await world.pass(12 * HOUR)
}

/** Nothing is on its way between the two, in the world's time of `forMs` at most. */
export async function untilRest(village: Village, forMs?: number): Promise<void> {
  const { world, alice, bob } = village
  // receipts are no messages, and leave with the word of the relays
  await eventually(
    village,
    async () => {
      const counts = [(await alice.it.status()).unacknowledged, (await bob.it.status()).unacknowledged]
      const images = [alice, bob].map(({ name }) => world.disk(name).image().rows)
      const ids = [bob.it.id, alice.it.id].map(idFromText)
      const isEmpty = images.every((rows, i) => rows.list({ table: TABLE.outbox, scope: ids[i]! }).length === 0)
      return isEmpty && counts.join() === '0,0'
    },
    forMs,
  )
}

/** A text that was sent: by whom, its ID, and what the sender had before it. */
export interface Sent {
  from: string
  text: string
  messageId: string
  /** Message IDs of the sender's history when it was sent. */
  after: string[]
}

/** Does what is not done yet; after a crash the node is started again and looks again. */
export async function persevere<R>(
  { world }: Village,
  person: Person,
  action: (it: KithNode) => Promise<R>,
): Promise<R> {
  for (;;) {
    try {
      return await person.do(action)
    } catch (error) {
      if (!(error instanceof CrashedError)) throw error
      await world.restart(person.name)
    }
  }
}

/** Sends a text that is not in the sender's history yet. */
export async function sayOnce(village: Village, from: Person, to: Person, text: string): Promise<Sent> {
  return persevere(village, from, async (it) => {
    const history = await it.history({ who: to.name, limit: 1000 })
    const place = history.findIndex((entry) => entry.text === text)
    const after = history.slice(0, place < 0 ? undefined : place).map((entry) => entry.messageId)
    const messageId = history[place]?.messageId ?? (await it.send(to.name, text)).messageId
    return { from: from.name, text, messageId, after }
  })
}

/** alice invites, bob asks, alice accepts, bob's node greets. */
export async function meet(village: Village): Promise<void> {
  const { alice, bob } = village
  const { invite } = await persevere(village, alice, async (it) => {
    const [known] = await it.invites()
    return known ?? (await it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
  })
  await persevere(village, bob, async (it) => {
    if ((await it.friends()).length === 0) await it.add({ target: invite, petname: 'alice' })
  })
  await eventually(village, async () => (await alice.it.requests()).length === 1)
  await persevere(village, alice, async (it) => {
    if ((await it.requests()).length === 1) await it.accept('bob', 'bob')
  })
  await eventually(village, async () => {
    const states = [...(await alice.it.friends()), ...(await bob.it.friends())].map(({ state }) => state)
    return states.join() === 'friend,friend'
  })
}

/**
 * Both histories hold each text of `sent` exactly once and behind everything that its sender knew, and all are delivered.
 */
export async function expectWholeTalk(village: Village, sent: readonly Sent[]): Promise<void> {
  const { alice, bob } = village
  for (const [reader, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    // what a node says itself, of keys, nobody sent
    const history = (await historyOf(reader, other)).filter(({ type }) => type !== 'notice')
    const order = history.map((entry) => entry.messageId)
    expect(new Set(order).size, `${reader.name} shows a message twice`).to.equal(order.length)
    const texts = history.map((entry) => entry.text)
    expect(new Set(texts).size, `${reader.name} shows a text twice`).to.equal(texts.length)
    const known = sent.map(({ text }) => text)
    expect(texts.toSorted(), `${reader.name} has not what was said`).to.deep.equal(known.toSorted())
    for (const { messageId, text, after } of sent) {
      const place = order.indexOf(messageId)
      for (const earlier of after) {
        expect(order.indexOf(earlier), `${reader.name} shows what followed before ${text}`).to.be.lessThan(place)
      }
    }
    for (const entry of history) expect(entry.state, entry.text).to.equal('delivered')
  }
}

/** The states that a person was told of a message never went back, and each was told once. */
export function expectForwardStates(events: readonly NodeEvent[]): void {
  const last = new Map<string, number>()
  for (const { event, detail } of events) {
    if (event !== 'state') continue
    const name = String(detail['messageId'])
    const rank = RANK[String(detail['state'])]!
    expect(rank, `state ${String(detail['state'])} of ${name}`).to.be.greaterThan(last.get(name) ?? 0)
    last.set(name, rank)
  }
}

/** A log without gaps and without anything told twice; what was heard live is in it as it is. */
export async function expectWholeLog(village: Village, person: Person): Promise<void> {
  const log = await eventsOf(person)
  expect(log.map(({ cursor }) => cursor)).to.deep.equal(log.map((_, i) => i + 1))
  const byCursor = new Map(log.map((event) => [event.cursor, event]))
  const heard = heardBy(village, person)
  for (const event of heard) expect(byCursor.get(event.cursor)).to.deep.equal(event)
  expect(new Set(heard.map(({ cursor }) => cursor)).size).to.equal(heard.length)
  const behind = log.filter(({ event }) => event === 'behind')
  expect(behind, 'nobody was put back to an older state').to.deep.equal([])
  const shown = log.filter(({ event }) => event === 'message').map(({ detail }) => detail['messageId'])
  expect(new Set(shown).size, 'a message was told twice').to.equal(shown.length)
}

/**
 * No message key sealed two payloads: of everything that ever lay in the outbox under one lane, chain and count, the
 * payload is the same.
 */
export async function expectKeysUsedOnce(village: Village, person: Person, friend: Person): Promise<void> {
  const scope = await idOf(friend)
  const payloads = new Map<string, string>()
  for (const changes of village.villagers.get(person.name)!.written) {
    for (const { key, payload } of await sealedIn(changes, scope)) {
      expect(payloads.get(key) ?? payload, `key ${key} of ${person.name}`).to.equal(payload)
      payloads.set(key, payload)
    }
  }
}

/** The places of the ratchet that a batch of changes uses, and the payloads under them. */
async function sealedIn(changes: readonly RowChange[], scope: Uint8Array): Promise<{ key: string; payload: string }[]> {
  const rows = changes.flatMap(({ key, value }) =>
    key.table === TABLE.outbox && toHex(key.scope) === toHex(scope) && value ? [{ position: key.position, value }] : [],
  )
  const bodies = new Map(
    rows.filter(({ position }) => position[0] === 1).map((row) => [toHex(row.position), row.value]),
  )
  const store = storeOf(
    () => rows.filter(({ position }) => position[0] === 0),
    ({ position }) => bodies.get(toHex(position)),
  )
  const found: { key: string; payload: string }[] = []
  for (const { number, lane, chain, count } of await loadEntries(store, scope)) {
    const body = await readBody(store, scope, number)
    if (lane && body) found.push({ key: `${toHex(lane)}/${chain}/${count}`, payload: toHex(body.payload) })
  }
  return found
}

function storeOf(
  list: (range: Parameters<Store['list']>[0]) => Awaited<ReturnType<Store['list']>>,
  get?: (key: Parameters<Store['get']>[0]) => Uint8Array | undefined,
): Store {
  return {
    get: async (key) => get?.(key),
    list: async (range) => list(range),
    write: async () => undefined,
    blind: () => new Uint8Array(8),
  }
}

/**
 * Relays with this show every frame that comes to them, and may answer something else.
 * @param answered what goes back in place of the true answer
 * @param refused what goes back at once, and nothing is done
 */
export function tapFrames(
  look: (verb: number, args: Uint8Array) => void,
  answered: (verb: number, answer: Uint8Array) => Uint8Array = (_, answer) => answer,
  refused: (verb: number) => Uint8Array | undefined = () => undefined,
): Hooks<KithRelay> {
  const tapped = (server: LinkServer): LinkServer => ({
    async handle(frame) {
      const { verb, args } = decode(wire.request, frame, MAX_FRAME_BYTES)
      look(verb, args)
      return refused(verb) ?? answered(verb, await server.handle(frame))
    },
    close: () => server.close(),
  })
  return {
    ports: (ports) => {
      const { network } = ports
      const start: typeof network.start = async (inbound) =>
        network.start({
          ...inbound,
          serve(source) {
            const server = inbound.serve(source)
            return server && tapped(server)
          },
        })
      const get = (target: typeof network, name: string | symbol): unknown =>
        name === 'start' ? start : Reflect.get(target, name)
      return { ...ports, network: new Proxy(network, { get }) }
    },
  }
}

/** A peer without a program of ours, in a test's hands. */
export type Stranger = SimNode<SimPorts>

/** Starts a peer that does what a test says; it takes part in gossip and keeps what comes by. */
export async function startStranger(
  village: Village,
  name: string,
  topics: readonly string[] = [],
): Promise<{ stranger: Stranger; overheard: { topic: string; envelope: Uint8Array }[] }> {
  const overheard: { topic: string; envelope: Uint8Array }[] = []
  const inbound: Inbound = {
    admit(envelope, topic) {
      overheard.push({ topic, envelope })
      return 'accept'
    },
    serve: () => undefined,
    validateRecord: () => undefined,
    compareRecords: () => 0,
  }
  const stranger = await village.world.start(name, async (ports) => {
    await ports.network.start(inbound)
    ports.network.subscribe(topics)
    return ports
  })
  return { stranger, overheard }
}

/** The code of the KithError that `action` ends in. */
export async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action
  } catch (error) {
    if (error instanceof KithError) return error.code
    throw error
  }
  throw new Error('it did not fail')
}
