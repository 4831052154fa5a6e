/** Resident memory of processes that have nothing to do: a node, a relay, bare libp2p with the same services, Node.js. */
import { startBare } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { meet, NAMES, startPair, startRelay } from './friends.ts'
import { residentOf } from './process-costs.ts'
import { Group } from './report.ts'

export async function benchMemory(bench: Bench): Promise<Group> {
  const group = new Group('Resident memory at rest')
  if ((await residentOf(process.pid)) === undefined) {
    group.note('left out: this system has no /proc')
    return group
  }
  const nodes = await bench.nodes()
  const relay = await startRelay(nodes)
  const pair = await startPair(bench, nodes, relay)
  const { alice, bob } = pair
  await meet(relay, pair)
  const { messageId } = await alice.send(NAMES.bob, 'hello')
  // the receipt is the last thing that such a pair does before it rests
  await alice.until(() => alice.delivered.has(messageId))
  const first = await startBare(bench, 'libp2p')
  const second = await startBare(bench, 'libp2p', first.address)
  const idle = await startBare(bench, 'idle')

  const base = group.memory('Node.js alone', await sizesOf(idle.process.pid))
  const stack = group.memory(
    'bare libp2p with the same services, two of them connected',
    await sizesOf(first.process.pid, second.process.pid),
    base,
  )
  group.memory('kith up, one friend, all delivered', await sizesOf(alice.process.pid, bob.process.pid), stack)
  group.memory('kith relay, two people connected', await sizesOf(relay.pid), stack)
  group.note('V8 returns memory late: what a node has shortly after it worked is above what it has an hour later')
  group.note("a node's start takes 64 MiB for Argon2id, which are given back")
  return group
}

/** Megabytes of each. */
async function sizesOf(...pids: (number | undefined)[]): Promise<number[]> {
  const sizes = await Promise.all(pids.map((pid) => residentOf(pid)))
  return sizes.filter((size) => size !== undefined)
}
