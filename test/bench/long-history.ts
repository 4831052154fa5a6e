/** A conversation of a thousand messages beside the same one when it has a million: to open, send, page and acknowledge. */
import { HistoryFiller } from '../support/history-filler.ts'
import type { KithProcess } from '../support/kith-process.ts'
import type { Bench } from './bench.ts'
import { meet, NAMES, startPair, startRelay } from './friends.ts'
import { timed, timesOf } from './measure.ts'
import { residentOf } from './process-costs.ts'
import { type Figure, Group } from './report.ts'
import { WatchedNode } from './watched-node.ts'

const PAGE = 50

interface Measured {
  start: number[]
  send: number[]
  newest: number[]
  middle: number[]
  /** From the friend's `send` over an answer to the friend's `delivered`. */
  acknowledged: number[]
  megabytes: number | undefined
}

export async function benchLongHistory(bench: Bench): Promise<Group> {
  const sizes = { short: bench.amount(1000, 100), long: bench.amount(1_000_000, 2000) }
  const group = new Group(`One conversation with ${sizes.short} messages, and with ${sizes.long}`)
  const nodes = await bench.nodes()
  const relay = await startRelay(nodes)
  const pair = await startPair(bench, nodes, relay, { profile: 'light' })
  await meet(relay, pair)
  const { alice, bob } = pair
  await alice.process.stop()
  const filler = new HistoryFiller(alice.process, String((await alice.process.ask('id'))[0]!.id), pair.bobId)

  let middle = await filler.fill(sizes.short)
  const short = await measure(bench, nodes, alice.process, bob, middle)
  middle = await filler.fill(sizes.long)
  const long = await measure(bench, nodes, alice.process, bob, middle)

  const compare = (name: string, of: (measured: Measured) => number[]): Figure => {
    const base = group.times(`${name}, ${sizes.short}`, of(short))
    return group.times(`${name}, ${sizes.long}`, of(long), base)
  }
  compare('start to ready', (it) => it.start)
  compare('send to durable in the outbox', (it) => it.send)
  compare(`the newest ${PAGE}`, (it) => it.newest)
  compare(`${PAGE} from the middle`, (it) => it.middle)
  compare('a message of the friend, answered, to its acknowledgement', (it) => it.acknowledged)
  if (short.megabytes !== undefined && long.megabytes !== undefined) {
    const base = group.memory(`resident memory, ${sizes.short}`, [short.megabytes])
    group.memory(`resident memory, ${sizes.long}`, [long.megabytes], base)
  }
  group.note('the messages are written by the conversation itself, in batches, while the node is down')
  group.note('an acknowledgement by itself waits 1 to 5 s on purpose, so it rides on an answer here')
  return group
}

async function measure(
  bench: Bench,
  nodes: Awaited<ReturnType<Bench['nodes']>>,
  process: KithProcess,
  bob: WatchedNode,
  middle: string,
): Promise<Measured> {
  const start: number[] = []
  for (let i = 0; i < bench.amount(5, 1); i++) {
    await process.stop()
    start.push((await timed(() => process.start('--profile', 'light'))).ms)
  }
  const alice = await WatchedNode.connect(nodes, process)
  const count = bench.amount(200, 5)
  const send = await timesOf(count, () => alice.send(NAMES.bob, 'hello'))
  await alice.until(() => alice.delivered.size >= send.length)
  const newest = await timesOf(count, () => alice.api.call('history.list', { who: NAMES.bob, limit: PAGE }))
  const older = { who: NAMES.bob, limit: PAGE, before: middle }
  const pages = await timesOf(count, () => alice.api.call('history.list', older))
  const acknowledged = await timesOf(count, async () => {
    const { messageId } = await bob.send(NAMES.alice, 'hello')
    await alice.until(() => alice.messages.has(messageId))
    await alice.send(NAMES.bob, 'an answer, on which the receipt rides')
    await bob.until(() => bob.delivered.has(messageId))
  })
  const megabytes = await residentOf(process.pid)
  alice.close()
  return { start, send, newest, middle: pages, acknowledged, megabytes }
}
