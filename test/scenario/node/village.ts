/**
 * A village for stories of whole nodes: relays and people in a simulated world, what each of them heard and saw, and what
 * must hold in the end. The world is `test/simulation`'s; here is what several stories ask of it.
 */
import { expect } from 'chai'
import type { HistoryEntry, NodeEvent } from '../../../node/api/service.ts'
import { toHex } from '../../../node/crypto/bytes.ts'
import type { EntryRow } from '../../../node/delivery/outbox.ts'
import { loadEntries, readBody } from '../../../node/delivery/outbox.ts'
import { idFromText } from '../../../node/identity/root.ts'
import { KithError } from '../../../node/errors.ts'
import type { NodeOptions } from '../../../node/node.ts'
import { type Inbound, type RowChange, type Store, TABLE } from '../../../node/ports.ts'
import {
  addressOf,
  befriend,
  type Hooks,
  type Person,
  type Relay,
  startPerson,
  startRelay,
} from '../../simulation/people.ts'
import type { EngineOptions } from '../../simulation/engine.ts'
import type { KithNode } from '../../../node/node.ts'
import { createWorld, type SimNode, type SimPorts, type World } from '../../simulation/world.ts'

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

/** Adds a person, who is listened to from the first moment. */
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
    { relays: addresses, ...node },
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

/** 32 bytes. */
export async function idOf(person: Person): Promise<Uint8Array> {
  return idFromText(await person.do((it) => it.id))
}

/** What lies in a person's outbox for a friend, receipts and profiles too. */
export async function outboxOf({ world }: Village, person: Person, friend: Person): Promise<EntryRow[]> {
  const { rows } = world.disk(person.name).image()
  return loadEntries(storeOf((range) => rows.list(range)), await idOf(friend))
}

/** As `say`, and waits for a state of the message. */
export async function waitFor(person: Person, messageId: string, state: 'sent' | 'custody' | 'delivered'): Promise<string> {
  return person.do((it) => it.waitForState(messageId, state, 40 * 86_400_000))
}

/** Nothing is on its way between the two, in the world's time of `forMs` at most. */
export async function untilRest(village: Village, forMs?: number): Promise<void> {
  const { world, alice, bob } = village
  await world.eventually(
    async () => (await alice.it.status()).unacknowledged === 0 && (await bob.it.status()).unacknowledged === 0,
    forMs,
  )
  // receipts leave with the word of the relays
  await world.eventually(async () => {
    const images = [alice, bob].map(({ name }) => world.disk(name).image().rows)
    const ids = [await bob.it.id, await alice.it.id].map(idFromText)
    return images.every((rows, i) => rows.list({ table: TABLE.outbox, scope: ids[i]! }).length === 0)
  }, forMs)
}

/** A text that was sent: by whom, its ID, and what the sender had before it. */
export interface Sent {
  from: string
  text: string
  messageId: string
  /** Message IDs of the sender's history when it was sent. */
  after: string[]
}

/** Sends a text and notes what came before it for the sender; undefined when the node is down or crashes over it. */
export async function sayAfter(from: Person, to: Person, text: string): Promise<Sent | undefined> {
  try {
    return await from.do(async (it) => {
      const before = await it.history({ who: to.name, limit: 1000 })
      const { messageId } = await it.send(to.name, text)
      return { from: from.name, text, messageId, after: before.map((entry) => entry.messageId) }
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'CrashedError') return undefined
    throw error
  }
}

/**
 * Both histories hold each text of `sent` exactly once and behind everything that its sender knew, and all are delivered.
 * @param extra texts that a crash may have swallowed before they were reported: at most once then
 */
export async function expectWholeTalk(village: Village, sent: readonly Sent[], extra: ReadonlySet<string> = new Set()) {
  const { alice, bob } = village
  for (const [reader, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const history = await historyOf(reader, other)
    const order = history.map((entry) => entry.messageId)
    expect(new Set(order).size, `${reader.name} shows a message twice`).to.equal(order.length)
    const texts = history.map((entry) => entry.text)
    expect(new Set(texts).size, `${reader.name} shows a text twice`).to.equal(texts.length)
    const known = sent.map(({ text }) => text)
    expect(
      texts.filter((text) => !extra.has(text)).toSorted(),
      `${reader.name} has not what was said`,
    ).to.deep.equal(known.filter((text) => !extra.has(text)).toSorted())
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
  const bodies = new Map(rows.filter(({ position }) => position[0] === 1).map((row) => [toHex(row.position), row.value]))
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

function storeOf(list: (range: Parameters<Store['list']>[0]) => Awaited<ReturnType<Store['list']>>, get?: (key: Parameters<Store['get']>[0]) => Uint8Array | undefined): Store {
  return {
    get: async (key) => get?.(key),
    list: async (range) => list(range),
    write: async () => undefined,
    blind: () => new Uint8Array(8),
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
