/** From `add` to `friend` on both sides: two processes and a relay, the asked one accepting at once. */
import { randomBytes } from 'node:crypto'
import { mintClaimPostage, pay } from '../../node/mailbox/postage.ts'
import { CLAIM_POSTAGE_BITS } from '../../node/limits.ts'
import { systemClock } from '../../node/system.ts'
import { libp2pEcho } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { type Meeting, meet, startPair, startRelay } from './friends.ts'
import { timesOf } from './measure.ts'
import { Group } from './report.ts'

export async function benchFriendRequest(bench: Bench): Promise<Group> {
  const group = new Group('Friend request: three processes, by an invite')
  const nodes = await bench.nodes()
  const relay = await startRelay(nodes)
  const echo = await libp2pEcho(bench, 256)
  const meetings: Meeting[] = []
  const postage: number[] = []
  const trips: number[] = []
  for (let i = 0; i < bench.amount(7, 1); i++) {
    const pair = await startPair(bench, nodes, relay, { suffix: `-${i}` })
    postage.push(...(await timesOf(bench.amount(4, 2), mint)))
    trips.push(...(await echo.roundTrips(bench.amount(200, 20))))
    meetings.push(await meet(relay, pair))
    await Promise.all([pair.alice.process.stop(), pair.bob.process.stop()])
  }
  const base = group.times('raw: libp2p echo, 256 B', trips)
  const claim = group.times(`postage of a claim, ${CLAIM_POSTAGE_BITS} bits`, postage)
  const both = meetings.map((one) => Math.max(one.friendOfAsked, one.friendOfAsking) - one.added)
  group.times('add to friend on both sides', both, claim)
  group.times('the same, against a round trip', both, base)
  const requested = meetings.map((one) => one.requested - one.added)
  group.times('  add to request at the one who is asked', requested, claim)
  const answered = meetings.map((one) => one.friendOfAsking - one.requested)
  group.times('  from there to friend at the one who asks', answered, claim)
  const confirmed = meetings.map((one) => one.friendOfAsked - one.friendOfAsking)
  group.times('  from there to friend at the one who was asked', confirmed, claim)
  group.note('in a row: claim of the reply mailbox, look-up of two records, REQUEST, answer, greeting;')
  group.note(
    'each claim and the REQUEST pay 18 bits of postage, 260,000 hashes on average, and with chance many times that',
  )
  return group
}

async function mint(): Promise<void> {
  await pay(mintClaimPostage(randomBytes(32), CLAIM_POSTAGE_BITS, randomBytes(8)), () => systemClock.yield())
}
