/**
 * Mail of 25 friends that waits at three relays for one person: fetched, decrypted, stored and acknowledged; beside what one
 * relay hands out and what a bare Level syncs in the same run; and the memory that it takes, by how much waits.
 */
import { claimRow, NO_SCOPE, readRow } from '../../node/custody/rows.ts'
import { createMailboxClient } from '../../node/delivery/mailbox-client.ts'
import { KIND } from '../../node/mailbox/keys.ts'
import { TABLE } from '../../node/ports.ts'
import { openHome } from '../../node/store/home.ts'
import { systemClock, systemRandom } from '../../node/system.ts'
import { encode } from '../../node/wire/schema.ts'
import type { KithNodes, KithProcess } from '../support/kith-process.ts'
import { loopbackNode, strictLogger } from '../support/libp2p-nodes.ts'
import { RecordingInbound } from '../support/recording-inbound.ts'
import { until } from '../support/until.ts'
import type { Bench } from './bench.ts'
import { residentOf } from './process-costs.ts'
import { Group } from './report.ts'
import { bareRate } from './store.ts'
import { WatchedNode } from './watched-node.ts'

const RELAYS = 3
const USES = 13
const READER = 'Reader'
const TEXT = 'x'.repeat(256)
/** Weeks of use that a mailbox needs to hold so much: 128 envelopes at first, doubled by each (PROTOCOL 6). */
const WEEKS = 3
const AT_ONCE = 20
const SAMPLE_MS = 250
const TIMEOUT_MS = 900_000

interface Drained {
  count: number
  /** Milliseconds from `ready` until all of it was on the disk and told. */
  storedMs: number
  /** Until no relay held any of it. */
  acknowledgedMs: number
  /** Megabytes. */
  peak: number | undefined
}

export async function benchDrain(bench: Bench): Promise<Group> {
  const friends = bench.amount(25, 2)
  const nodes = await bench.nodes()
  const relays = Array.from({ length: RELAYS }, (_, i) => nodes.node(`relay${i}`, 'relay'))
  for (const relay of relays) await relay.start()
  const reader = nodes.node('reader', 'up')
  await reader.ask('init', '--name', READER, ...relaysOf(relays))
  await reader.start('--profile', 'light')
  const senders = await startFriends(nodes, relays, reader, friends)
  await reader.stop()

  const few = await drain(bench, relays, reader, senders, bench.amount(40, 2))
  // every mailbox is claimed at every relay since then
  const addresses = await ageMailboxes(relays)
  await leaveMail(relays, senders, bench.amount(400, 8))
  const read = await readBare(relays[0]!, addresses)
  const many = await drain(bench, relays, reader, senders, 0, read.copies)

  const group = new Group(`Mail of ${friends} friends, waiting at ${RELAYS} relays for one person`)
  const handed = group.rate('raw: copies that one relay hands out', read.copies, [read.rate])
  const synced = group.rate(
    'raw: messages into a bare Level, 64 at once',
    many.count,
    await bareRate(bench, many.count),
  )
  for (const one of [few, many]) {
    const rate = (1000 * one.count) / one.storedMs
    group.rate(`${one.count} waiting: fetched, opened, stored`, one.count, [rate], handed)
    group.rate('the same', one.count, [rate], synced)
  }
  group.times(`${many.count} waiting: until no relay holds any`, [many.acknowledgedMs])
  if (few.peak !== undefined && many.peak !== undefined) {
    const base = group.memory(`highest resident memory, ${few.count} waiting`, [few.peak])
    group.memory(`highest resident memory, ${many.count} waiting`, [many.peak], base)
  }
  group.note(`each message lies at ${RELAYS} relays and is opened once: the reader opens three copies for each`)
  group.note('acknowledgements are spread over a minute on purpose')
  return group
}

function relaysOf(relays: readonly KithProcess[]): string[] {
  return relays.flatMap(({ address }) => ['--relay', address])
}

async function startFriends(
  nodes: KithNodes,
  relays: readonly KithProcess[],
  reader: KithProcess,
  count: number,
): Promise<WatchedNode[]> {
  const watched = await WatchedNode.connect(nodes, reader)
  watched.onEvent = ({ event, detail }) => {
    if (event === 'request') void watched.api.call('request.accept', { who: String(detail.id) })
  }
  const senders: WatchedNode[] = []
  let invite = ''
  for (let i = 0; i < count; i++) {
    if (i % USES === 0) ({ invite } = await watched.api.call('invite.create', { uses: USES }))
    const node = nodes.node(`friend${i}`, 'up')
    await node.ask('init', '--name', `Friend ${i}`, ...relaysOf(relays))
    await node.start('--profile', 'light')
    const sender = await WatchedNode.connect(nodes, node)
    let isFriend = false
    sender.onEvent = ({ event }) => {
      isFriend ||= event === 'friend'
    }
    await sender.api.call('friend.add', { target: invite, petname: READER })
    await sender.until(() => isFriend)
    senders.push(sender)
  }
  await until(
    async () => (await watched.api.call('friend.list', {})).filter(isFriendState).length === count,
    TIMEOUT_MS,
  )
  watched.close()
  return senders
}

function isFriendState({ state }: { state: string }): boolean {
  return state === 'friend'
}

/** Gives every mailbox the room that weeks of use give it. @returns the addresses that the first relay serves */
async function ageMailboxes(relays: readonly KithProcess[]): Promise<Uint8Array[]> {
  const addresses: Uint8Array[] = []
  for (const relay of relays) {
    await relay.stop()
    const { store } = await openHome({ path: relay.home, role: 'relay', random: systemRandom })
    const rows = await store.list({ table: TABLE.claim, scope: NO_SCOPE, limit: 1000 })
    const claims = rows.map(({ position, value }) => ({ position, claim: readRow(claimRow, value) }))
    await store.write(
      claims.map(({ position, claim }) => ({
        key: { table: TABLE.claim, scope: NO_SCOPE, position },
        value: encode(claimRow, { ...claim, weeks: WEEKS }),
      })),
    )
    await store.close()
    await relay.start()
    if (relay !== relays[0]) continue
    addresses.push(...claims.filter(({ claim }) => claim.kind === KIND.friend).map(({ claim }) => claim.address))
  }
  return addresses
}

/** Every friend writes so many, and every relay signs for all of them. */
async function leaveMail(relays: readonly KithProcess[], senders: readonly WatchedNode[], each: number): Promise<void> {
  await Promise.all(
    senders.map(async (sender) => {
      for (let i = 0; i < each; i += AT_ONCE) {
        const count = Math.min(AT_ONCE, each - i)
        await Promise.all(Array.from({ length: count }, async () => await sender.send(READER, TEXT)))
      }
    }),
  )
  const all = senders.length * each
  await until(async () => {
    const counters = await Promise.all(relays.map(async (relay) => await relay.call('relay.counters', {})))
    return counters.every(({ copies }) => copies >= all)
  }, TIMEOUT_MS)
}

/** What a relay hands out to somebody who only takes it. */
async function readBare(
  relay: KithProcess,
  addresses: readonly Uint8Array[],
): Promise<{ copies: number; rate: number }> {
  const { network } = loopbackNode()
  await network.start(new RecordingInbound())
  try {
    const link = await network.connect(relay.address)
    const client = createMailboxClient({ link, clock: systemClock, random: systemRandom, logger: strictLogger })
    await client.hello()
    const { copies: held } = await relay.call('relay.counters', {})
    const begin = performance.now()
    await client.subscribe({ entries: addresses.map((address) => ({ address, after: 0 })) })
    let copies = 0
    while (copies < held) {
      const window = await client.pull()
      if (window.status !== 'ok') throw new Error(`the relay answered pull with ${window.status}`)
      copies += window.items.length
    }
    const ms = performance.now() - begin
    client.close()
    return { copies, rate: (1000 * copies) / ms }
  } finally {
    await network.stop()
  }
}

/** Starts the reader, for whom so much more of each friend waits, and stops it when all has come and no relay holds any. */
async function drain(
  bench: Bench,
  relays: readonly KithProcess[],
  reader: KithProcess,
  senders: readonly WatchedNode[],
  each: number,
  waiting = each * senders.length,
): Promise<Drained> {
  if (each > 0) await leaveMail(relays, senders, each)
  await reader.start('--profile', 'light')
  const begin = performance.now()
  let peak = 0
  const sampling = setInterval(() => {
    void residentOf(reader.pid).then((megabytes) => {
      peak = Math.max(peak, megabytes ?? 0)
    })
  }, SAMPLE_MS)
  bench.atEnd(async () => clearInterval(sampling))
  const told = (): number =>
    reader.events.filter(({ event, direction }) => event === 'message' && direction === 'in').length
  await until(() => told() === waiting, TIMEOUT_MS)
  const storedMs = performance.now() - begin
  await until(async () => {
    const counters = await Promise.all(relays.map(async (relay) => await relay.call('relay.counters', {})))
    return counters.every(({ copies }) => copies === 0)
  }, TIMEOUT_MS)
  const acknowledgedMs = performance.now() - begin
  clearInterval(sampling)
  await reader.stop()
  return { count: waiting, storedMs, acknowledgedMs, peak: peak === 0 ? undefined : peak }
}
