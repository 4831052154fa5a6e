/**
 * From `send` to the friend's disk and to `delivered`, between processes: by gossip, and by the relay alone; beside raw
 * echoes between two processes of the same run.
 */
import { type Echo, libp2pEcho, tcpEcho } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { meet, NAMES, startPair, startRelay } from './friends.ts'
import { processorTimeOf } from './process-costs.ts'
import { type Figure, Group } from './report.ts'
import type { WatchedNode } from './watched-node.ts'

const TEXT = 'x'.repeat(256)
/** Messages in a row that come by gossip before it counts as warm. */
const WARM = 5
const MAX_WARMING = 200

const WAYS = { gossip: 'normal', relay: 'light' } as const
type Way = keyof typeof WAYS

const ROLES = ['sender', 'reader', 'relay'] as const

interface Measured {
  queued: number[]
  arrived: number[]
  answered: number[]
  receipted: number[]
  burst: { count: number; arrivedMs: number; deliveredMs: number }
  /** Milliseconds of processor time that a message takes in each process, one after another. */
  processor: Record<(typeof ROLES)[number], number> | undefined
  /** How many of the messages came by each way. */
  via: Record<string, number>
  peers: number
}

export async function benchDelivery(bench: Bench): Promise<Group> {
  const group = new Group('Messages of 256 B between two processes, and a relay')
  const echoes = { tcp: await tcpEcho(bench, 256), libp2p: await libp2pEcho(bench, 256) }
  const trips: Record<keyof typeof echoes, number[]> = { tcp: [], libp2p: [] }
  const measured: Partial<Record<Way, Measured>> = {}
  let echoMs = 0
  const echo = async (): Promise<void> => {
    trips.tcp.push(...(await raw(echoes.tcp, bench)))
    const before = await processorTimeOf(echoes.libp2p.pid)
    trips.libp2p.push(...(await raw(echoes.libp2p, bench)))
    echoMs += ((await processorTimeOf(echoes.libp2p.pid)) ?? Number.NaN) - (before ?? Number.NaN)
  }
  for (const way of ['gossip', 'relay'] as const) {
    await echo()
    measured[way] = await measure(bench, way)
    await echo()
  }
  group.times('raw: TCP echo, 256 B', trips.tcp)
  const base = group.times('raw: libp2p echo, 256 B', trips.libp2p)
  for (const way of ['gossip', 'relay'] as const) report(group, way, measured[way]!, base)
  group.note(
    'a raw echo goes both ways; from `send` to the disk is one way, with two synced writes and the postage between',
  )
  group.note(
    '`delivered` waits on purpose: a receipt that rides on no message leaves after 1 to 5 s, drawn each time (PROTOCOL 6);',
  )
  group.note(
    'where the friend answers at once, the receipt rides on the answer, and that is two messages, one each way',
  )
  group.note(
    'more than ten round trips: three programs work on a message, and on a busy machine they wait for the processor;',
  )
  if (!Number.isNaN(echoMs)) {
    const each = (echoMs / trips.libp2p.length).toFixed(2)
    group.note(
      `the raw libp2p echo takes ${each} ms of processor time where it is echoed; the steps have a group of their own`,
    )
  }
  return group
}

async function raw(echo: Echo, bench: Bench): Promise<number[]> {
  return await echo.roundTrips(bench.amount(1000, 50))
}

function report(group: Group, way: Way, measured: Measured, base: Figure): void {
  const { queued, arrived, answered, receipted, burst, processor, via, peers } = measured
  const by = way === 'gossip' ? 'by gossip' : 'by relay alone'
  group.times(`send to durable in the outbox, ${by}`, queued, base)
  group.times(`send to the friend's disk, ${by}`, arrived, base)
  group.times(`send to delivered, friend answers at once, ${by}`, answered, base)
  group.times(`send to delivered, receipt by itself, ${by}`, receipted, base)
  const { count, arrivedMs, deliveredMs } = burst
  group.rate(`${count} at once to the friend's disk, ${by}`, count, [(1000 * count) / arrivedMs], base)
  group.rate(`${count} at once to delivered, ${by}`, count, [(1000 * count) / deliveredMs], base)
  if (processor) {
    const parts = ROLES.map((role) => `${processor[role].toFixed(1)} ms at the ${role}`)
    group.note(`${by}: a message takes ${parts.join(', ')} of processor time`)
  }
  const came = Object.entries(via).map(([name, times]) => `${times} by ${name}`)
  group.note(`${by}: the messages came ${came.join(', ')}; each person had ${peers} connections`)
}

async function measure(bench: Bench, way: Way): Promise<Measured> {
  const nodes = await bench.nodes()
  const relay = await startRelay(nodes)
  const pair = await startPair(bench, nodes, relay, { profile: WAYS[way] })
  const { alice, bob } = pair
  await meet(relay, pair)
  await warm(alice, bob, way)
  const pids = [alice.process.pid, bob.process.pid, relay.pid]
  const count = bench.amount(300, 10)
  const before = await Promise.all(pids.map(processorTimeOf))
  const one = await oneByOne(alice, bob, count)
  const after = await Promise.all(pids.map(processorTimeOf))
  const processor = perMessage(before, after, count)
  await allDelivered(alice)
  const answered = await withAnswers(alice, bob, bench.amount(200, 5))
  const receipted: number[] = []
  for (let i = 0; i < bench.amount(20, 1); i++) receipted.push(await untilDelivered(alice))
  const burst = await atOnce(alice, bob, bench.amount(500, 20))
  const { peers } = await alice.api.call('node.status', {})
  await nodes.stopAll()
  return { ...one, answered, receipted, burst, processor, via: waysOf(bob), peers }
}

/** Gossip needs heartbeats to find its mesh; until then the relay is quicker. */
async function warm(alice: WatchedNode, bob: WatchedNode, way: Way): Promise<void> {
  let inARow = 0
  for (let i = 0; inARow < WARM; i++) {
    if (i >= MAX_WARMING) throw new Error(`${MAX_WARMING} messages, and they do not come by ${way}`)
    const { messageId } = await alice.send(NAMES.bob, TEXT)
    await bob.until(() => bob.messages.has(messageId))
    inARow = bob.messages.get(messageId)!.via === way ? inARow + 1 : 0
  }
  await allDelivered(alice)
  bob.messages.clear()
}

/** The next message is sent when the one before is on the friend's disk. */
async function oneByOne(alice: WatchedNode, bob: WatchedNode, count: number) {
  const queued: number[] = []
  const arrived: number[] = []
  for (let i = 0; i < count; i++) {
    const { messageId, at, queuedAt } = await alice.send(NAMES.bob, TEXT)
    await bob.until(() => bob.messages.has(messageId))
    queued.push(queuedAt - at)
    arrived.push(bob.messages.get(messageId)!.at - at)
  }
  return { queued, arrived }
}

function perMessage(
  before: (number | undefined)[],
  after: (number | undefined)[],
  count: number,
): Measured['processor'] {
  const spent = after.map((ms, i) => (ms! - before[i]!) / count)
  if (spent.some(Number.isNaN)) return undefined
  return { sender: spent[0]!, reader: spent[1]!, relay: spent[2]! }
}

async function withAnswers(alice: WatchedNode, bob: WatchedNode, count: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const { messageId, at } = await alice.send(NAMES.bob, TEXT)
    await bob.until(() => bob.messages.has(messageId))
    await bob.send(NAMES.alice, TEXT)
    await alice.until(() => alice.delivered.has(messageId))
    times.push(alice.delivered.get(messageId)! - at)
  }
  await allDelivered(bob)
  return times
}

async function untilDelivered(alice: WatchedNode): Promise<number> {
  const { messageId, at } = await alice.send(NAMES.bob, TEXT)
  await alice.until(() => alice.delivered.has(messageId))
  return alice.delivered.get(messageId)! - at
}

async function atOnce(alice: WatchedNode, bob: WatchedNode, count: number): Promise<Measured['burst']> {
  const begin = performance.now()
  const sent = await Promise.all(Array.from({ length: count }, async () => await alice.send(NAMES.bob, TEXT)))
  await bob.until(() => sent.every(({ messageId }) => bob.messages.has(messageId)))
  const arrivedMs = performance.now() - begin
  await alice.until(() => sent.every(({ messageId }) => alice.delivered.has(messageId)))
  return { count, arrivedMs, deliveredMs: performance.now() - begin }
}

/** Nothing waits for a receipt any more. */
async function allDelivered(sender: WatchedNode): Promise<void> {
  for (;;) {
    const { unacknowledged } = await sender.api.call('node.status', {})
    if (unacknowledged === 0) return
    const known = sender.delivered.size
    await sender.until(() => sender.delivered.size > known)
  }
}

function waysOf(reader: WatchedNode): Record<string, number> {
  const ways: Record<string, number> = {}
  for (const { via } of reader.messages.values()) ways[via] = (ways[via] ?? 0) + 1
  return ways
}
