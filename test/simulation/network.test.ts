/** The simulated network under faults; its contract without them is the compliance suite's. */
import { expect } from 'chai'
import { concat, utf8 } from '../../node/crypto/bytes.ts'
import { MAX_FRAME_BYTES, MAX_PIPELINED_REQUESTS } from '../../node/limits.ts'
import { PeerError } from '../../node/errors.ts'
import type { Admission, Inbound, Link } from '../../node/ports.ts'
import { seeded } from '../support/seed.ts'
import { DAY, HOUR, MINUTE, SECOND } from './engine.ts'
import type { FaultRates } from './faults.ts'
import { MAX_NOTICE_MS } from './sim-link.ts'
import { createWorld, type SimNode, type SimPorts, type World } from './world.ts'

const TOPIC = '/kith/1/mail/2/0'
const KEY = utf8('/test/key')

interface Peer extends SimPorts {
  heard: { envelope: string; neighbour: string }[]
  served: string[]
  serversClosed: number
  verdict: Admission
  answer: (frame: Uint8Array) => Promise<Uint8Array>
}

/** A node that hears gossip, echoes frames and keeps the record with the highest first byte. */
async function bootPeer(ports: SimPorts): Promise<Peer> {
  const peer: Peer = {
    ...ports,
    heard: [],
    served: [],
    serversClosed: 0,
    verdict: 'accept',
    answer: async (frame) => concat(utf8('re '), frame),
  }
  const inbound: Inbound = {
    admit(envelope, _topic, neighbour) {
      peer.heard.push({ envelope: Buffer.from(envelope).toString(), neighbour })
      return peer.verdict
    },
    serve({ prefix }) {
      peer.served.push(prefix)
      return { handle: (frame) => peer.answer(frame), close: () => peer.serversClosed++ }
    },
    validateRecord(_, value) {
      if (value.length !== 1) throw new PeerError('BAD', 'expected 1 byte')
    },
    compareRecords: (_, a, b) => a[0]! - b[0]!,
  }
  await ports.network.start(inbound)
  ports.network.subscribe([TOPIC])
  return peer
}

interface Setting {
  world: World
  peers: SimNode<Peer>[]
}

async function peersIn(seed: number, count: number, faults: Partial<FaultRates> = {}): Promise<Setting> {
  const world = createWorld(seed, { faults })
  const peers: SimNode<Peer>[] = []
  for (let i = 0; i < count; i++) peers.push(await world.start(`p${i}`, bootPeer))
  return { world, peers }
}

const addressOf = (node: SimNode<Peer>): string => node.it.network.addresses()[0]!
const dial = (from: SimNode<Peer>, to: SimNode<Peer>): Promise<Link> =>
  from.do((it) => it.network.connect(addressOf(to)))

const put = (node: SimNode<Peer>, ...value: number[]): Promise<number> =>
  node.do((it) => it.network.putRecord(KEY, Uint8Array.from(value)))
const get = async (node: SimNode<Peer>): Promise<number[]> =>
  (await node.do((it) => it.network.getRecord(KEY))).map((value) => value[0]!).sort((x, y) => x - y)

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'no error'
  } catch (error) {
    return (error as { code?: unknown }).code ?? (error as Error).message
  }
}

describe('simulated network', () => {
  describe('links', () => {
    it('carries pipelined calls and answers, under authentic names', async () => {
      const { peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const link = await dial(a, b)
      expect(link.peerId).to.deep.equal(b.it.network.peerId)
      expect(b.it.served).to.have.length(1)
      const answers = await a.do(() => Promise.all(['x', 'y', 'z'].map((text) => link.call(utf8(text)))))
      expect(answers.map((answer) => Buffer.from(answer).toString())).to.deep.equal(['re x', 're y', 're z'])
    })

    seeded('keeps the order of frames', 5, async (seed) => {
      const { peers } = await peersIn(seed, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const link = await dial(a, b)
      const arrived: number[] = []
      b.it.answer = async (frame) => {
        arrived.push(frame[0]!)
        return frame
      }
      await a.do(() => Promise.all(Array.from({ length: 50 }, (_, i) => link.call(Uint8Array.of(i)))))
      expect(arrived).to.deep.equal(Array.from({ length: 50 }, (_, i) => i))
    })

    it('gives a call its time in virtual milliseconds, and waits for ever without', async () => {
      const { world, peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const link = await dial(a, b)
      b.it.answer = () => new Promise(() => {})
      const before = world.now
      expect(await codeOf(a.do(() => link.call(utf8('x'), HOUR)))).to.equal('TIMED_OUT')
      expect(world.now - before).to.equal(HOUR)
      let settled = false
      const waiting = link.call(utf8('y')).finally(() => (settled = true))
      await world.run({ forMs: DAY })
      expect(settled).to.equal(false)
      link.close()
      expect(await codeOf(waiting)).to.equal('LINK_CLOSED')
      await world.run({ forMs: MINUTE })
      expect(b.it.serversClosed).to.equal(1)
      expect(await codeOf(a.do(() => link.call(utf8('z'))))).to.equal('LINK_CLOSED')
      await a.do(() => new Promise<void>((resolve) => link.onClose(resolve)))
    })

    it('lets a server read on only while it works on few requests', async () => {
      const { world, peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const link = await dial(a, b)
      const held: (() => void)[] = []
      b.it.answer = (frame) => new Promise((resolve) => held.push(() => resolve(frame)))
      const calls = Array.from({ length: MAX_PIPELINED_REQUESTS + 5 }, () => link.call(utf8('x')))
      await world.run({ forMs: SECOND })
      expect(held).to.have.length(MAX_PIPELINED_REQUESTS)
      for (let i = 0; i < calls.length; i++) {
        held[i]!()
        await world.run({ forMs: SECOND })
      }
      await Promise.all(calls)
    })

    it('ends at a frame that is too long', async () => {
      const { peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const link = await dial(a, b)
      expect(await codeOf(a.do(() => link.call(new Uint8Array(MAX_FRAME_BYTES + 1))))).to.equal('LINK_CLOSED')
    })

    seeded(
      'breaks for both ends when the server crashes, is cut off or moves; a stopping one says so',
      8,
      async (seed) => {
        for (const end of ['crash', 'partition', 'offline', 'move', 'stop'] as const) {
          const { world, peers } = await peersIn(seed, 2)
          const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
          const link = await dial(a, b)
          const server = b.it
          let closed = 0
          link.onClose(() => closed++)
          if (end === 'crash') world.crash('p1')
          if (end === 'partition') world.net.partition('p0', 'p1')
          if (end === 'offline') world.net.offline('p1')
          if (end === 'move') world.net.move('p1')
          if (end === 'stop') await b.do((it) => it.network.stop())
          await world.run({ forMs: MAX_NOTICE_MS })
          expect(closed, end).to.equal(1)
          expect(server.serversClosed, end).to.equal(end === 'crash' ? 0 : 1)
        }
      },
    )

    seeded('under faults a call is answered, or fails in its time', 10, async (seed) => {
      const { world, peers } = await peersIn(seed, 2, { breakRate: 0.1 })
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const outcomes: unknown[] = []
      for (let i = 0; i < 30; i++) {
        const started = world.now
        const attempt = a.do(async (it) => (await it.network.connect(addressOf(b))).call(utf8('x'), 5000))
        outcomes.push(await codeOf(attempt))
        expect(world.now - started).to.be.at.most(20_000)
      }
      expect(outcomes).to.include('no error')
      expect(new Set(outcomes).size).to.be.greaterThan(1)
      expect(world.faults.broken).to.be.greaterThan(0)
    })
  })

  describe('dialling', () => {
    it('fails as the world is: nobody there, another name, cut off, not an address', async () => {
      const { world, peers } = await peersIn(1, 3)
      const [a, b, c] = peers as [SimNode<Peer>, SimNode<Peer>, SimNode<Peer>]
      const [there, elsewhere] = [addressOf(b), addressOf(c)]
      const connect = (address: string): Promise<unknown> => codeOf(a.do((it) => it.network.connect(address)))
      expect(await connect('/ip4/10.0.0.1/tcp/1')).to.equal('BAD_ADDRESS')
      expect(await connect('nonsense')).to.equal('BAD_ADDRESS')
      expect(() => a.it.network.serverId('/ip4/10.0.0.1/tcp/1/p2p/12D3Koo'))
        .to.throw()
        .with.property('code', 'BAD_ADDRESS')
      const crossed = there.replace(/p2p.*/, elsewhere.slice(elsewhere.indexOf('p2p')))
      expect(await connect(crossed)).to.equal('UNREACHABLE')
      expect(await connect(addressOf(a))).to.equal('UNREACHABLE')
      expect(await connect(there.replace(/^.*p2p/, '/dns4/example.org/tcp/4001/p2p'))).to.equal('TIMED_OUT')
      world.net.partition('p0', ['p1', 'p2'])
      expect(await connect(there)).to.equal('TIMED_OUT')
      expect(a.it.network.peerCount()).to.equal(0)
      expect(b.it.network.peerCount()).to.equal(1)
      world.net.heal()
      expect(await connect(there)).to.equal('no error')
      world.crash('p1')
      expect(await connect(there)).to.equal('UNREACHABLE')
      await world.restart('p1')
      expect(await connect(there)).to.equal('no error')
      world.net.move('p1')
      expect(await connect(there)).to.equal('TIMED_OUT')
      expect(await connect(addressOf(b))).to.equal('no error')
      expect(b.it.network.serverId(there)).to.deep.equal(b.it.network.peerId)
    })

    it('keeps the name of a seed, and gives another seed another name', async () => {
      const { world, peers } = await peersIn(1, 1)
      const [a] = peers as [SimNode<Peer>]
      const names = (): string[] =>
        [a.it.network, a.it.createNetwork(new Uint8Array(32)), a.it.createNetwork(new Uint8Array(32).fill(1))].map(
          ({ peerId }) => Buffer.from(peerId).toString('hex'),
        )
      const before = names()
      await world.restart('p0')
      expect(names()).to.deep.equal(before)
      expect(new Set(before).size).to.equal(3)
      expect(before.every((name) => /^002408011220[0-9a-f]{64}$/.test(name))).to.equal(true)
    })
  })

  describe('gossip', () => {
    it('reaches everybody on the topic once, over many hops', async () => {
      const { world, peers } = await peersIn(1, 20)
      const away = peers[7]!
      away.it.network.subscribe(['/other'])
      const handed = await peers[0]!.do((it) => it.network.publish(TOPIC, utf8('hello')))
      expect(handed).to.be.within(1, 6)
      await world.run({ forMs: MINUTE })
      for (const peer of peers.slice(1)) expect(peer.it.heard).to.have.length(peer === away ? 0 : 1)
      expect(peers[0]!.it.heard).to.deep.equal([])
      expect(await peers[0]!.do((it) => it.network.publish('/nobody', utf8('hello')))).to.equal(0)
    })

    it('goes no further than who ignores or rejects it', async () => {
      for (const verdict of ['ignore', 'reject'] as const) {
        const { world, peers } = await peersIn(1, 20)
        for (const peer of peers) peer.it.verdict = verdict
        const handed = await peers[0]!.do((it) => it.network.publish(TOPIC, utf8('hello')))
        await world.run({ forMs: MINUTE })
        expect(peers.filter((peer) => peer.it.heard.length > 0)).to.have.length(handed)
        expect(world.faults.rejected).to.equal(verdict === 'reject' ? handed : 0)
      }
    })

    it('knows an envelope again for two minutes, no longer', async () => {
      const { world, peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      const publish = (): Promise<number> => a.do((it) => it.network.publish(TOPIC, utf8('again')))
      expect([await publish(), await publish()]).to.deep.equal([1, 0])
      await world.run({ forMs: 3 * MINUTE })
      expect(b.it.heard).to.have.length(1)
      expect(await publish()).to.equal(1)
      await world.run({ forMs: MINUTE })
      expect(b.it.heard).to.have.length(2)
    })

    it('loses, repeats and reorders as the rates say, and stops at a partition', async () => {
      const { world, peers } = await peersIn(1, 2, { dropRate: 0.3, duplicateRate: 0.3 })
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      await a.do((it) => Promise.all(Array.from({ length: 100 }, (_, i) => it.network.publish(TOPIC, utf8(`${i}`)))))
      await world.run({ forMs: MINUTE })
      const order = b.it.heard.map(({ envelope }) => Number(envelope))
      expect(new Set(order).size).to.be.within(50, 90)
      expect(order.length).to.be.greaterThan(new Set(order).size)
      expect(order).not.to.deep.equal(order.toSorted((x, y) => x - y))
      expect(world.faults.dropped).to.be.greaterThan(0)
      expect(world.faults.duplicated).to.be.greaterThan(0)
      world.net.partition('p0', 'p1')
      expect(await a.do((it) => it.network.publish(TOPIC, utf8('cut')))).to.equal(0)
    })
  })

  describe('records', () => {
    it('are held by everybody, the best one wins, wrong ones go nowhere', async () => {
      const { peers } = await peersIn(1, 4)
      const [a, b, c] = peers as [SimNode<Peer>, SimNode<Peer>, SimNode<Peer>]
      expect(await get(a)).to.deep.equal([])
      expect(await put(a, 5)).to.equal(3)
      expect(await get(b)).to.deep.equal([5])
      expect(await put(c, 3)).to.equal(0)
      expect(await put(c, 7, 7)).to.equal(0)
      expect(await put(c, 9)).to.equal(3)
      expect(await get(a)).to.deep.equal([9])
    })

    it('stay over restarts, for two days', async () => {
      const { world, peers } = await peersIn(1, 2)
      const [a, b] = peers as [SimNode<Peer>, SimNode<Peer>]
      await put(a, 5)
      world.crash('p0')
      await world.restart('p1')
      expect(await get(b)).to.deep.equal([5])
      await world.run({ forMs: 2 * DAY })
      expect(await get(b)).to.deep.equal([])
    })

    it('come from liars as old or planted as these like, beside the true ones', async () => {
      const { world, peers } = await peersIn(1, 4)
      const [a, b, c] = peers as [SimNode<Peer>, SimNode<Peer>, SimNode<Peer>]
      await put(a, 5)
      world.net.dht.liars.add('p1')
      await put(a, 9)
      expect(await get(c)).to.deep.equal([5, 9])
      expect(world.faults.lies).to.be.greaterThan(0)
      world.net.dht.plant('p1', KEY, utf8('not valid'))
      world.net.dht.plant('p3', KEY, Uint8Array.of(2))
      expect(await get(c)).to.deep.equal([2, 9])
      expect(await get(b)).to.deep.equal([2, 9])
    })

    it('come also when holders are silent or cut off', async () => {
      const { world, peers } = await peersIn(3, 6)
      await put(peers[0]!, 5)
      world.rates.dropRate = 0.5
      expect(await get(peers[5]!)).to.deep.equal([5])
      world.net.offline('p5')
      expect(await put(peers[5]!, 7)).to.equal(0)
      expect(await get(peers[5]!)).to.deep.equal([7])
      world.net.online('p5')
      expect(await get(peers[5]!)).to.include(7)
    })
  })
})
