/**
 * ATTACKS 24 on real processes: nodes and the relay are killed (SIGKILL) at chosen and at seeded instants and started
 * again. What a node has said is not lost, and nothing is shown twice. `KITH_KILLS=100` kills more often.
 */
import { expect } from 'chai'
import { KithError } from '../../../node/errors.ts'
import { friendsOnline } from '../../support/befriended.ts'
import { type Json, KithNodes, type KithProcess } from '../../support/kith-process.ts'
import { seedsFor } from '../../support/seed.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const KILLS = Number(process.env['KITH_KILLS'] ?? 3)
/** Messages that each side writes at most between two kills. */
const BURST = 12

/** Messages that a node has answered for, by ID. */
type Reported = Map<string, { from: KithProcess; to: KithProcess; text: string }>

describe('T24 killed while they become friends', function () {
  this.timeout(60_000)
  let nodes: KithNodes
  after(async () => nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('T24 each at each step: they end as friends, once, and messages flow', async () => {
    nodes = new KithNodes(await temporaryDirectory())
    const [relay, alice, bob] = [nodes.node('relay', 'relay'), nodes.node('alice', 'up'), nodes.node('bob', 'up')]
    await relay.start()
    const [[a], [b]] = await Promise.all([
      alice.ask('init', '--name', 'Alice', '--relay', relay.address),
      bob.ask('init', '--name', 'Bob', '--relay', relay.address),
    ])
    await Promise.all([alice.start(), bob.start()])

    const { invite } = await alice.call('invite.create', {})
    await bob.call('friend.add', { target: invite })
    await again(bob)
    await alice.logged((event) => event.event === 'request' && event.id === b!.id)
    await Promise.all([again(alice), again(relay)])
    await alice.call('request.accept', { who: String(b!.id) })
    await again(alice)
    await bob.logged((event) => event.event === 'friend' && event.id === a!.id)
    await again(bob)
    await alice.logged((event) => event.event === 'friend' && event.id === b!.id)

    const reported: Reported = new Map()
    await send(alice, bob, 'Bob', 'to bob', reported)
    await send(bob, alice, 'Alice', 'to alice', reported)
    await expectWhole(alice, bob, reported)
    for (const node of [alice, bob]) {
      const count = (await node.log()).filter(({ event }) => event === 'friend').length
      expect(count, `friend events of ${node.name}`).to.equal(1)
      expect(await node.call('friend.list', {})).to.have.length(1)
      expect(await node.call('request.list', {})).to.have.length(0)
    }
  })
})

describe('T24 killed while they write', function () {
  this.timeout(60_000 + 10_000 * KILLS)
  const reported: Reported = new Map()
  let nodes: KithNodes | undefined
  let alice: KithProcess
  let bob: KithProcess
  let relay: KithProcess

  before(async () => {
    ;({ nodes, alice, bob, relay } = await friendsOnline(await temporaryDirectory()))
  })
  after(async () => nodes?.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('T24 the author, as soon as a command said that the message is written', async () => {
    const [message] = await alice.ask('send', 'Bob', 'written, and gone')
    reported.set(String(message!.messageId), { from: alice, to: bob, text: 'written, and gone' })
    await again(alice)
  })

  it('T24 the relay as soon as it has signed, and the reader while he reads', async () => {
    await bob.kill()
    const sent = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => await send(alice, bob, 'Bob', `while away ${i}`, reported)),
    )
    await Promise.all(
      sent.map(async (messageId) => {
        const { state } = await alice.call('message.wait', { messageId, state: 'custody', timeoutSeconds: 30 })
        expect(state).to.equal('custody')
      }),
    )
    await Promise.all([relay.kill(), alice.kill()])
    await relay.start()
    await bob.start()
    await bob.waitFor((event) => event.event === 'message')
    await Promise.all([again(bob), alice.start()])
  })

  for (const seed of seedsFor(1)) {
    it(`T24 anybody, ${KILLS} times at instants of seed ${seed}`, async () => {
      const next = random(seed)
      for (let round = 1; round <= KILLS; round++) {
        const victim = [alice, bob, relay][next(3)]!
        const target = reported.size + 1 + next(2 * BURST)
        let killed: Promise<void> | undefined
        const onSent = (): void => {
          if (reported.size >= target) killed ??= victim.kill()
        }
        await Promise.all([
          burst(alice, bob, 'Bob', `seed ${seed}, round ${round}, alice`, reported, onSent),
          burst(bob, alice, 'Alice', `seed ${seed}, round ${round}, bob`, reported, onSent),
        ])
        await (killed ?? victim.kill())
        await victim.start()
        if (next(3) === 0) await again(victim)
      }
    })
  }

  it('T24 nothing that was reported is lost, nothing was shown twice', async () => {
    await expectWhole(alice, bob, reported)
  })
})

/** Killed now, and started. */
async function again(node: KithProcess): Promise<void> {
  await node.kill()
  await node.start()
}

async function send(
  from: KithProcess,
  to: KithProcess,
  who: string,
  text: string,
  reported: Reported,
): Promise<string> {
  const { messageId } = await from.call('message.send', { who, text })
  reported.set(messageId, { from, to, text })
  return messageId
}

/** Writes messages, three at once, until they are all written or the node has gone. */
async function burst(
  from: KithProcess,
  to: KithProcess,
  who: string,
  label: string,
  reported: Reported,
  onSent: () => void,
): Promise<void> {
  let number = 0
  const write = async (): Promise<void> => {
    while (number < BURST) {
      try {
        await send(from, to, who, `${label}: ${number++}`, reported)
        onSent()
      } catch (error) {
        if (error instanceof KithError && error.code === 'NODE_GONE') return
        throw error
      }
    }
  }
  await Promise.all([write(), write(), write()])
}

/** What was reported arrives, its author learns it, and nobody was shown anything twice. */
async function expectWhole(alice: KithProcess, bob: KithProcess, reported: Reported): Promise<void> {
  await Promise.all(
    [alice, bob].map(async (node) => {
      const waited = new Set(
        [...reported].flatMap(([id, { from, to, text }]) => [
          ...(to === node ? [`shown in ${id}: ${text}`] : []),
          ...(from === node ? [`state ${id} delivered`] : []),
        ]),
      )
      await node.logged((event) => {
        if (event.event === 'message') waited.delete(`shown ${event.direction} ${event.messageId}: ${event.text}`)
        if (event.event === 'state') waited.delete(`state ${event.messageId} ${event.state}`)
        return waited.size === 0
      })
    }),
  )
  const [a, b] = await Promise.all([historyOf(alice, 'Bob'), historyOf(bob, 'Alice')])
  const known = new Set([...a, ...b].map(({ messageId }) => messageId))
  expect(
    [...reported.keys()].filter((id) => !known.has(id)),
    'lost',
  ).to.deep.equal([])
  const missing = (from: Json[], to: Json[]) =>
    from.filter((one) => !to.some(({ messageId }) => messageId === one.messageId))
  expect(missing(b, a), 'with bob alone').to.deep.equal([])
  expect(missing(a, b), 'with alice alone').to.deep.equal([])
  for (const node of [alice, bob]) {
    const history = node === alice ? a : b
    expect(twice(history.map(({ messageId }) => messageId)), 'twice in the history').to.deep.equal([])
    expect(twice(history.map(({ text }) => text)), 'twice in the history').to.deep.equal([])
    const shown = (events: Json[]): unknown[] =>
      events.filter(({ event }) => event === 'message').map(({ messageId }) => messageId)
    const log = await node.log()
    expect(twice(shown(log)), 'twice in the log').to.deep.equal([])
    expect(shown(log).toSorted(), 'log and history').to.deep.equal(history.map(({ messageId }) => messageId).toSorted())
    expect(twice(shown(node.told)), `told twice by ${node.name}`).to.deep.equal([])
    expect(log.map(({ cursor }) => cursor)).to.deep.equal(log.map((_, index) => index + 1))
  }
}

async function historyOf(node: KithProcess, who: string): Promise<Json[]> {
  const all: Json[] = []
  for (;;) {
    const before = all[0]?.messageId as string | undefined
    const { messages, more } = await node.call('history.list', { who, limit: 200, ...(before && { before }) })
    all.unshift(...messages)
    if (!more) return all
  }
}

function twice(values: unknown[]): unknown[] {
  return values.filter((value, index) => values.indexOf(value) !== index)
}

/** Whole numbers below a bound, the same for the same seed (xorshift). */
function random(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
