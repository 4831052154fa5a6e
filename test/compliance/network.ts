/**
 * The contract of the Network port, run against every implementation. An implementation gives unstarted networks, and
 * `settle`, which lets what is under way go on for a moment (of real or of virtual time).
 */
import { expect } from 'chai'
import { concat, u32, utf8 } from '../../node/crypto/bytes.ts'
import { KithError, NetworkError, UsageError } from '../../node/errors.ts'
import { MAX_RECORD_BYTES } from '../../node/limits.ts'
import type { Link, Network } from '../../node/ports.ts'
import { RecordingInbound, sequenceOf, testRecord } from '../support/recording-inbound.ts'

export interface ComplianceNodes {
  /** Not started; the suite starts them. */
  networks: Network[]
  /** A multiaddr that ends in `/p2p/…`; asked after start. */
  addressOf(index: number): string
  /** Connects each with each; called after start. */
  connectAll(): Promise<void>
  /** Lets messages on their way arrive and timers of some 50 ms fire. */
  settle(): Promise<void>
  /** Stops every network that still runs. */
  stop(): Promise<void>
}

const TOPIC = '/kith/1/mail/2/1'
const OTHER_TOPIC = '/kith/1/mail/2/2'
const ROUNDS = 400

export function networkCompliance(name: string, makeNodes: (count: number) => Promise<ComplianceNodes>): void {
  describe(`network: ${name}`, () => {
    let nodes: ComplianceNodes
    let inbounds: RecordingInbound[]
    let envelopes = 0

    async function start(count: number): Promise<Network[]> {
      nodes = await makeNodes(count)
      inbounds = nodes.networks.map(() => new RecordingInbound())
      await finish(Promise.all(nodes.networks.map((network, i) => network.start(inbounds[i]!))))
      return nodes.networks
    }

    async function startConnected(count: number): Promise<Network[]> {
      const networks = await start(count)
      await finish(nodes.connectAll())
      return networks
    }

    /** Awaits a promise while the network goes on. */
    async function finish<T>(promise: Promise<T>): Promise<T> {
      const state = { isPending: true }
      const done = promise.finally(() => {
        state.isPending = false
      })
      done.catch(() => undefined)
      for (let round = 0; state.isPending && round < 10 * ROUNDS; round++) await nodes.settle()
      if (state.isPending) throw new Error('did not settle')
      return await done
    }

    async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
      for (let round = 0; round < ROUNDS; round++) {
        if (await condition()) return
        await nodes.settle()
      }
      throw new Error(`not met: ${condition.toString()}`)
    }

    async function failure(promise: Promise<unknown>): Promise<KithError> {
      try {
        await finish(promise)
      } catch (error) {
        if (error instanceof KithError) return error
        throw error
      }
      throw new Error('expected an error')
    }

    function freshEnvelope(): Uint8Array {
      envelopes++
      return concat(u32(envelopes), new Uint8Array(4092))
    }

    /** Publishes new envelopes until one reaches as many peers; subscriptions take a moment to be known. */
    async function publishTo(network: Network, topic: string, peers: number): Promise<Uint8Array> {
      let envelope = freshEnvelope()
      await eventually(async () => {
        envelope = freshEnvelope()
        return (await finish(network.publish(topic, envelope))) === peers
      })
      return envelope
    }

    afterEach(async () => {
      await finish(nodes.stop())
    })

    describe('addresses', () => {
      it('names a server by the peer ID in its address', async () => {
        const [a, b] = await start(2)
        expect(a!.serverId(nodes.addressOf(1))).to.deep.equal(b!.peerId)
        expect(a!.addresses().length).to.be.at.least(1)
        expect(a!.serverId(a!.addresses()[0]!)).to.deep.equal(a!.peerId)
      })

      for (const text of ['', 'hello', '/ip4/127.0.0.1/tcp/4001', '/ip4/127.0.0.1/tcp/4001/p2p/', '/p2p/nonsense']) {
        it(`refuses ${JSON.stringify(text)}`, async () => {
          const [a] = await start(1)
          expect(() => a!.serverId(text))
            .to.throw(UsageError)
            .with.property('code', 'BAD_ADDRESS')
          expect(await failure(a!.connect(text))).to.have.property('code', 'BAD_ADDRESS')
        })
      }
    })

    describe('links', () => {
      it('carries a call and its answer, to the peer that was meant', async () => {
        const [a, b] = await start(2)
        inbounds[1]!.answer = async (frame) => concat(utf8('re: '), frame)
        const link = await finish(a!.connect(nodes.addressOf(1)))
        expect(link.peerId).to.deep.equal(b!.peerId)
        expect(await finish(link.call(utf8('hello')))).to.deep.equal(utf8('re: hello'))
        expect(inbounds[1]!.sources).to.have.length(1)
        expect(inbounds[1]!.sources[0]!.prefix).to.be.a('string').and.not.equal('')
        expect(a!.peerCount()).to.equal(1)
      })

      it('answers in any order', async () => {
        const [a] = await start(2)
        const waiting: (() => void)[] = []
        inbounds[1]!.answer = (frame) => new Promise((resolve) => waiting.push(() => resolve(frame)))
        const link = await finish(a!.connect(nodes.addressOf(1)))
        const order: number[] = []
        const calls = [0, 1, 2].map(async (i) => {
          const answer = await link.call(u32(i))
          order.push(i)
          return answer
        })
        await eventually(() => waiting.length === 3)
        for (const release of waiting.toReversed()) {
          const before = order.length
          release()
          await eventually(() => order.length > before)
        }
        expect(await finish(Promise.all(calls))).to.deep.equal([u32(0), u32(1), u32(2)])
        expect(order).to.deep.equal([2, 1, 0])
      })

      it('times a call out and stays usable', async () => {
        const [a] = await start(2)
        inbounds[1]!.answer = (frame) => (frame[0] === 1 ? new Promise(() => undefined) : Promise.resolve(frame))
        const link = await finish(a!.connect(nodes.addressOf(1)))
        const error = await failure(link.call(new Uint8Array([1]), 100))
        expect(error).to.be.instanceOf(NetworkError)
        expect(error.code).to.equal('TIMED_OUT')
        expect(await finish(link.call(new Uint8Array([2]), 5000))).to.deep.equal(new Uint8Array([2]))
      })

      it('closes from the calling side', async () => {
        const [a] = await start(2)
        inbounds[1]!.answer = () => new Promise(() => undefined)
        const link = await finish(a!.connect(nodes.addressOf(1)))
        const pending = failure(link.call(utf8('never')))
        const closings = countClosings(link)
        link.close()
        link.close()
        expect(await pending).to.have.property('code', 'LINK_CLOSED')
        expect(await failure(link.call(utf8('late')))).to.have.property('code', 'LINK_CLOSED')
        await eventually(() => inbounds[1]!.closed === 1)
        await eventually(() => closings() === 1)
        const again = countClosings(link)
        await eventually(() => again() === 1)
        expect(closings()).to.equal(1)
      })

      it('closes when the server stops', async () => {
        const [a, b] = await start(2)
        inbounds[1]!.answer = () => new Promise(() => undefined)
        const link = await finish(a!.connect(nodes.addressOf(1)))
        const pending = failure(link.call(utf8('never')))
        const closings = countClosings(link)
        await finish(b!.stop())
        expect(await pending).to.have.property('code', 'LINK_CLOSED')
        await eventually(() => closings() === 1)
        expect(inbounds[1]!.closed).to.equal(1)
      })

      it('gives no working link to a node that serves none', async () => {
        const [a] = await start(2)
        inbounds[1]!.answer = undefined
        // Either the connection is refused or the link closes at once.
        const error = await failure(a!.connect(nodes.addressOf(1)).then((link) => link.call(utf8('hello'))))
        expect(error).to.be.instanceOf(NetworkError)
        expect(error.code).to.be.oneOf(['UNREACHABLE', 'LINK_CLOSED'])
      })

      it('reports a server that is away', async () => {
        const [a, b] = await start(2)
        const address = nodes.addressOf(1)
        await finish(b!.stop())
        const error = await failure(a!.connect(address))
        expect(error).to.be.instanceOf(NetworkError)
        expect(error.code).to.be.oneOf(['UNREACHABLE', 'TIMED_OUT'])
      })
    })

    describe('gossip', () => {
      it('reaches nobody when nobody reads the topic', async () => {
        const [a] = await startConnected(2)
        expect(await finish(a!.publish(TOPIC, freshEnvelope()))).to.equal(0)
      })

      it('hands an envelope to those who read its topic, and to nobody else', async () => {
        const [a, b, c] = await startConnected(3)
        b!.subscribe([TOPIC])
        c!.subscribe([OTHER_TOPIC])
        const envelope = await publishTo(a!, TOPIC, 1)
        await eventually(() => inbounds[1]!.has(envelope))
        const other = await publishTo(a!, OTHER_TOPIC, 1)
        await eventually(() => inbounds[2]!.has(other))
        expect(inbounds[1]!.admitted.every(({ topic }) => topic === TOPIC)).to.equal(true)
        expect(inbounds[2]!.admitted.every(({ topic }) => topic === OTHER_TOPIC)).to.equal(true)
        expect(inbounds[1]!.admitted.every(({ neighbour }) => neighbour !== '')).to.equal(true)
        expect(inbounds[0]!.admitted).to.deep.equal([])
      })

      it('does not hand back what a node has published, nor one envelope twice', async () => {
        const [a, b, c] = await startConnected(3)
        for (const network of [a!, b!, c!]) network.subscribe([TOPIC])
        const envelope = await publishTo(a!, TOPIC, 2)
        const next = await publishTo(a!, TOPIC, 2)
        await eventually(() => [1, 2].every((i) => inbounds[i]!.has(envelope) && inbounds[i]!.has(next)))
        expect(inbounds[0]!.admitted).to.deep.equal([])
        for (const i of [1, 2]) {
          const texts = inbounds[i]!.admitted.map((one) => Buffer.from(one.envelope).toString('base64'))
          expect(new Set(texts).size).to.equal(texts.length)
        }
      })

      it('goes on after an envelope that was ignored', async () => {
        const [a, b] = await startConnected(2)
        b!.subscribe([TOPIC])
        inbounds[1]!.verdict = () => 'ignore'
        const ignored = await publishTo(a!, TOPIC, 1)
        await eventually(() => inbounds[1]!.has(ignored))
        inbounds[1]!.verdict = () => 'accept'
        const taken = await publishTo(a!, TOPIC, 1)
        await eventually(() => inbounds[1]!.has(taken))
      })

      it('reads another set of topics after the next subscribe', async () => {
        const [a, b] = await startConnected(2)
        b!.subscribe([TOPIC])
        await publishTo(a!, TOPIC, 1)
        b!.subscribe([OTHER_TOPIC])
        const envelope = await publishTo(a!, OTHER_TOPIC, 1)
        await eventually(() => inbounds[1]!.has(envelope))
        await publishTo(a!, TOPIC, 0)
      })
    })

    describe('records', () => {
      const key = recordKey('/kith-id/', 7)

      it('puts nothing when there is nobody, and finds its own', async () => {
        const [a] = await start(1)
        expect(await finish(a!.putRecord(key, testRecord(1)))).to.equal(0)
        expect(await finish(a!.getRecord(key))).to.deep.equal([testRecord(1)])
        expect(await finish(a!.getRecord(recordKey('/kith-id/', 8)))).to.deep.equal([])
      })

      for (const [title, one] of [
        ['an identity record', key],
        ['a prekey record', recordKey('/kith-pk/', 9)],
        ['a key made of slashes', recordKey('/kith-id/', 0x2f)],
      ] as const) {
        it(`finds ${title} that another node put`, async () => {
          const [a, b, c] = await startConnected(3)
          await eventually(async () => (await finish(a!.putRecord(one, testRecord(1)))) === 2)
          for (const network of [a!, b!, c!]) {
            expect(await finish(network.getRecord(one))).to.deep.equal([testRecord(1)])
          }
        })
      }

      it('does not put what is not valid', async () => {
        const [a, b] = await startConnected(2)
        await eventually(async () => (await finish(a!.putRecord(key, testRecord(1)))) === 1)
        expect(await finish(a!.putRecord(key, new Uint8Array(2)))).to.equal(0)
        expect(await finish(a!.putRecord(key, new Uint8Array(MAX_RECORD_BYTES + 1)))).to.equal(0)
        expect(await finish(b!.getRecord(key))).to.deep.equal([testRecord(1)])
      })

      it('keeps the higher record when the lower one is put again', async () => {
        const [a, b, c] = await startConnected(3)
        await eventually(async () => (await finish(a!.putRecord(key, testRecord(5)))) === 2)
        await finish(b!.putRecord(key, testRecord(3)))
        for (const network of [a!, b!, c!]) {
          const values = await finish(network.getRecord(key))
          expect(Math.max(...values.map(sequenceOf))).to.equal(5)
        }
      })
    })

    describe('before start and after stop', () => {
      it('reaches nobody and throws only from connect', async () => {
        nodes = await makeNodes(2)
        const [a, b] = nodes.networks
        inbounds = nodes.networks.map(() => new RecordingInbound())
        await finish(b!.start(inbounds[1]!))
        const check = async (): Promise<void> => {
          expect(a!.peerCount()).to.equal(0)
          expect(a!.addresses()).to.deep.equal([])
          expect(await finish(a!.publish(TOPIC, freshEnvelope()))).to.equal(0)
          expect(await finish(a!.putRecord(recordKey('/kith-id/', 1), testRecord(1)))).to.equal(0)
          expect(await finish(a!.getRecord(recordKey('/kith-id/', 1)))).to.deep.equal([])
          expect(await failure(a!.connect(nodes.addressOf(1)))).to.be.instanceOf(NetworkError)
        }
        await check()
        await finish(a!.start(inbounds[0]!))
        ;(await finish(a!.connect(nodes.addressOf(1)))).close()
        await finish(a!.stop())
        await finish(a!.stop())
        await check()
      })
    })
  })
}

function recordKey(prefix: string, fill: number): Uint8Array {
  return concat(utf8(prefix), new Uint8Array(32).fill(fill))
}

function countClosings(link: Link): () => number {
  let closings = 0
  link.onClose(() => {
    closings++
  })
  return () => closings
}
