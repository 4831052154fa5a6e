/** A relay and two people as real processes, with everything published, so that what is measured is no start. */
import type { KithNodes, KithProcess } from '../support/kith-process.ts'
import { until } from '../support/until.ts'
import type { Bench } from './bench.ts'
import { WatchedNode } from './watched-node.ts'

export const NAMES = { alice: 'Alice', bob: 'Bob' } as const
/** An identity record and a prekey record. */
const RECORDS_PER_PERSON = 2
const TIMEOUT_MS = 120_000

/** A relay that runs. */
export async function startRelay(nodes: KithNodes): Promise<KithProcess> {
  const relay = nodes.node('relay', 'relay')
  await relay.start()
  return relay
}

export interface Pair {
  alice: WatchedNode
  bob: WatchedNode
  bobId: string
}

/** Two people who never met, whose nodes have done what a node does once. */
export async function startPair(
  bench: Bench,
  nodes: KithNodes,
  relay: KithProcess,
  options: { suffix?: string; profile?: string } = {},
): Promise<Pair> {
  const { suffix = '', profile = 'normal' } = options
  const before = (await relay.call('relay.counters', {})).records
  const alice = nodes.node(`alice${suffix}`, 'up')
  const bob = nodes.node(`bob${suffix}`, 'up')
  await alice.ask('init', '--name', NAMES.alice, '--relay', relay.address)
  const [created] = await bob.ask('init', '--name', NAMES.bob, '--relay', relay.address)
  await Promise.all([alice.start('--profile', profile), bob.start('--profile', profile)])
  const [a, b] = [await WatchedNode.connect(nodes, alice), await WatchedNode.connect(nodes, bob)]
  bench.atEnd(async () => {
    a.close()
    b.close()
  })
  await until(
    async () => (await relay.call('relay.counters', {})).records >= before + 2 * RECORDS_PER_PERSON,
    TIMEOUT_MS,
  )
  return { alice: a, bob: b, bobId: String(created!.id) }
}

/** When, on this process's clock, each step of becoming friends was heard of. */
export interface Meeting {
  added: number
  requested: number
  friendOfAsked: number
  friendOfAsking: number
}

/** Bob knocks with an invite of alice's, who accepts at once. */
export async function meet(relay: KithProcess, { alice, bob, bobId }: Pair): Promise<Meeting> {
  const { claims } = await relay.call('relay.counters', {})
  const { invite } = await alice.api.call('invite.create', {})
  // an invite that goes by hand from one person to another finds its mailbox claimed
  await until(async () => (await relay.call('relay.counters', {})).claims > claims, TIMEOUT_MS)
  const at: Partial<Meeting> = {}
  let accepting: Promise<unknown> = Promise.resolve()
  alice.onEvent = ({ event, detail }, now) => {
    if (event === 'request' && detail.id === bobId && at.requested === undefined) {
      at.requested = now
      accepting = alice.api.call('request.accept', { who: bobId })
    }
    if (event === 'friend') at.friendOfAsked ??= now
  }
  bob.onEvent = ({ event }, now) => {
    if (event === 'friend') at.friendOfAsking ??= now
  }
  at.added = performance.now()
  await bob.api.call('friend.add', { target: invite })
  await Promise.all([
    alice.until(() => at.friendOfAsked !== undefined),
    bob.until(() => at.friendOfAsking !== undefined),
  ])
  await accepting
  return at as Meeting
}
