/**
 * Direct delivery: friends who reach one another need no relay, nothing is lost when a friend's node dies with what it
 * took, and nobody is dialled or told who should not be.
 */
import { expect } from 'chai'
import { utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import type { KithNode, NodeOptions } from '../../../node/node.ts'
import type { Network } from '../../../node/ports.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend, type Hooks, type Person, textsOf } from '../../simulation/people.ts'
import {
  createVillage,
  diskOf,
  expectWholeTalk,
  historyOf,
  idOf,
  outboxOf,
  sayOnce,
  type Sent,
  settle,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

interface Pair {
  village: Village
  /** Addresses that each dialled, by name. */
  dialled: Map<string, string[]>
}

/** Two people with a relay, of whom each serves and dials as `modes` say. */
async function createPair(
  seed: number,
  modes: Partial<Record<'carol' | 'dave', NodeOptions['direct']>> = {},
  areFriends = true,
): Promise<Pair> {
  const village = await createVillage(seed, { friends: false, node: { profile: 'light' } })
  const dialled = new Map<string, string[]>()
  const person = async (name: 'carol' | 'dave'): Promise<Person> => {
    const signingSeed = sha256(utf8(`peer of ${name} in world ${seed}`))
    const node = { profile: 'light' as const, direct: modes[name] ?? 'lan', signingSeed }
    const places: string[] = []
    dialled.set(name, places)
    return await settle(village, name, node, watchDials(places))
  }
  village.world.crash('alice')
  village.world.crash('bob')
  village.alice = await person('carol')
  village.bob = await person('dave')
  if (areFriends) await befriend(village.world, village.alice, village.bob)
  return { village, dialled }
}

function watchDials(places: string[]): Hooks<KithNode> {
  const connect = (network: Network) => async (server: string) => {
    places.push(server)
    return await network.connect(server)
  }
  return {
    ports: (ports) => {
      const { network } = ports
      const get = (target: Network, name: string | symbol): unknown =>
        name === 'connect' ? connect(target) : Reflect.get(target, name)
      return { ...ports, network: new Proxy(network, { get }) }
    },
  }
}

async function waysTo(reader: Person, writer: Person): Promise<(string | undefined)[]> {
  return (await historyOf(reader, writer)).filter(({ direction }) => direction === 'in').map(({ via }) => via)
}

describe('two friends who reach each other', () => {
  it('talk directly when their relay is dead, over restarts', async () => {
    const { village } = await createPair(700)
    const { world, alice: carol, bob: dave } = village
    await untilRest(village)
    world.crash('relay1')
    await world.pass(2 * MINUTE)
    const sent: Sent[] = []
    for (let i = 0; i < 3; i++) {
      sent.push(await sayOnce(village, carol, dave, `carol ${i}`))
      await world.pass(10 * SECOND)
      sent.push(await sayOnce(village, dave, carol, `dave ${i}`))
      await world.pass(10 * SECOND)
      world.crash(i % 2 === 0 ? 'carol' : 'dave')
      await world.restart(i % 2 === 0 ? 'carol' : 'dave')
      await world.pass(MINUTE)
    }
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    expect(await waysTo(dave, carol)).to.deep.equal(['direct', 'direct', 'direct'])
    expect(await waysTo(carol, dave)).to.deep.equal(['direct', 'direct', 'direct'])
  })

  it('leave nothing at the relay while both are there', async () => {
    const { village } = await createPair(701)
    const { world, relays, alice: carol, bob: dave } = village
    const sent = [await sayOnce(village, carol, dave, 'are you there?')]
    await untilRest(village)
    // the link is up now
    for (let i = 0; i < 5; i++) {
      sent.push(await sayOnce(village, carol, dave, `text ${i}`))
      const entries = await outboxOf(village, carol, dave)
      await world.pass(8 * SECOND)
      expect(entries.every(({ receipts }) => receipts.length === 0)).to.equal(true)
    }
    expect((await waysTo(dave, carol)).slice(1)).to.deep.equal(['direct', 'direct', 'direct', 'direct', 'direct'])
    await untilRest(village)
    await expectWholeTalk(village, sent)
    expect((await relays[0]!.do((it) => it.relayCounters())).copies).to.equal(0)
  })

  it('lose nothing when the node dies that took it: it goes to the relay after ten seconds', async () => {
    const { village } = await createPair(702)
    const { world, alice: carol, bob: dave } = village
    const sent = [await sayOnce(village, carol, dave, 'are you there?')]
    await untilRest(village)
    sent.push(await sayOnce(village, carol, dave, 'take this'))
    // dave's node has it, and has not said so end to end
    await world.eventually(async () => (await textsOf(dave, carol)).length === 2, 900)
    world.crash('dave')
    await world.pass(2 * SECOND)
    expect((await outboxOf(village, carol, dave)).map(({ receipts }) => receipts.length)).to.deep.equal([0])
    await world.pass(15 * SECOND)
    expect((await outboxOf(village, carol, dave)).map(({ receipts }) => receipts.length)).to.deep.equal([1])
    await world.restart('dave')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('lose nothing when the node is gone without a word: the relay has it after two seconds', async () => {
    const { village } = await createPair(703)
    const { world, alice: carol, bob: dave } = village
    const sent = [await sayOnce(village, carol, dave, 'are you there?')]
    await untilRest(village)
    world.crash('dave')
    // nobody answers on the link that stands still
    sent.push(await sayOnce(village, carol, dave, 'and this?'))
    await world.pass(5 * SECOND)
    expect((await outboxOf(village, carol, dave)).map(({ receipts }) => receipts.length)).to.deep.equal([1])
    await world.restart('dave')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('bring to the relay what only the other has, before they stop', async () => {
    const { village } = await createPair(704)
    const { world, alice: carol, bob: dave } = village
    const sent = [await sayOnce(village, carol, dave, 'are you there?')]
    await untilRest(village)
    sent.push(await sayOnce(village, carol, dave, 'good night'))
    world.crash('dave')
    await carol.do((it) => it.stop())
    expect((await outboxOf(village, carol, dave)).map(({ receipts }) => receipts.length)).to.deep.equal([1])
    world.crash('carol')
    await world.restart('dave')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 2, MINUTE)
    await world.restart('carol')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })
})

describe('who wants no direct delivery', () => {
  it('tells nobody an address, dials no friend and is dialled by none', async () => {
    const { village, dialled } = await createPair(710, { dave: 'never' })
    const { world, addresses, alice: carol, bob: dave } = village
    const sent = [await sayOnce(village, carol, dave, 'hello'), await sayOnce(village, dave, carol, 'hi')]
    await world.pass(HOUR)
    await untilRest(village)
    await expectWholeTalk(village, sent)
    expect([...new Set(dialled.get('carol'))]).to.deep.equal(addresses)
    expect([...new Set(dialled.get('dave'))]).to.deep.equal(addresses)
    const known = await loadChannel(diskOf(village, carol), await idOf(dave))
    expect(known.reach).to.deep.equal({})
    expect((await waysTo(dave, carol)).concat(await waysTo(carol, dave))).to.deep.equal(['relay', 'relay'])
  })
})

describe('a node that serves its own mailboxes', () => {
  it('dials nobody who asks before the person accepted', async () => {
    const { village, dialled } = await createPair(720, {}, false)
    const { world, addresses, alice: carol, bob: dave } = village
    const { invite } = await carol.do((it) => it.createInvite({ lifetimeSeconds: DAY / 1000, uses: 1 }))
    await dave.do((it) => it.add({ target: invite, petname: 'carol' }))
    await world.eventually(async () => (await carol.it.requests()).length === 1)
    await world.pass(HOUR)
    expect([...new Set(dialled.get('carol'))]).to.deep.equal(addresses)
    await carol.do((it) => it.accept('dave', 'dave'))
    await untilRest(village)
    await world.pass(MINUTE)
    expect([...new Set(dialled.get('carol'))]).to.have.lengthOf(2)
  })

  it('lets strangers claim nothing, put nothing and ask for no record', async () => {
    const { village } = await createPair(721)
    const { alice: carol } = village
    const { stranger } = await startStranger(village, 'mallory')
    const [address] = (await carol.do((it) => it.status())).addresses
    const answers = await stranger.do(async (ports) => {
      const { random, clock } = ports
      const client = createMailboxClient({ ...ports, link: await ports.network.connect(address!) })
      const now = Math.floor(clock.now() / 1000)
      const keys = {
        writer: { public: random.bytes(32) },
        reader: { public: random.bytes(32), seed: random.bytes(32) },
      }
      const claimed = await client.claim({ kind: 1, ...keys, until: now + 86_400 })
      const copy = random.bytes(4136)
      const put = await client.put({
        address: random.bytes(32),
        writerSeed: random.bytes(32),
        copy,
        expires: now + 86_400,
      })
      const record = await client.getRecord(random.bytes(41))
      client.close()
      return [claimed.status, put.status, record.status]
    })
    expect(answers).to.deep.equal(['refused', 'unclaimed', 'unsupported'])
  })
})
