/** Mailbox streams of PROTOCOL 6 between real nodes: framing, pipelining, back-pressure, and strangers' bytes. */
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { concat, readUint, u32 } from '../../../node/crypto/bytes.ts'
import { NetworkError } from '../../../node/errors.ts'
import { MAX_FRAME_BYTES, MAX_PIPELINED_REQUESTS, WINDOW_BYTES } from '../../../node/limits.ts'
import type { Libp2pNetwork } from '../../../node/network/libp2p-network.ts'
import { MAX_WAITING_ANSWER_BYTES } from '../../../node/network/mailbox-host.ts'
import { MAILBOX_PROTOCOL } from '../../../node/network/stack-options.ts'
import type { Link } from '../../../node/ports.ts'
import { loopbackNode } from '../../support/libp2p-nodes.ts'
import { type PlainNode, plainNode } from '../../support/plain-libp2p.ts'
import { RecordingInbound } from '../../support/recording-inbound.ts'
import { until } from '../../support/until.ts'

describe('mailbox streams', () => {
  let server: Libp2pNetwork
  let inbound: RecordingInbound
  let stops: (() => Promise<unknown>)[] = []

  beforeEach(async () => {
    server = loopbackNode().network
    inbound = new RecordingInbound()
    stops = [() => server.stop()]
    await server.start(inbound)
  })

  afterEach(async () => {
    await Promise.all(stops.map((stop) => stop()))
  })

  async function link(): Promise<Link> {
    const { network } = loopbackNode()
    stops.push(() => network.stop())
    await network.start(new RecordingInbound())
    return await network.connect(server.addresses()[0]!)
  }

  async function stranger(): Promise<PlainNode> {
    const node = await plainNode()
    stops.push(async () => await node.stop())
    return node
  }

  /** A stream that speaks no frames by itself; what comes is gathered unless it is paused. */
  async function rawStream(node?: PlainNode): Promise<{ stream: Stream; received: Uint8Array[] }> {
    const dialler = node ?? (await stranger())
    const stream = await dialler.dialProtocol(multiaddr(server.addresses()[0]), MAILBOX_PROTOCOL)
    const received: Uint8Array[] = []
    stream.addEventListener('message', (event) => received.push(event.data.subarray()))
    return { stream, received }
  }

  it('names a source by its address prefix', async () => {
    await link()
    await until(() => inbound.sources.length === 1)
    expect(inbound.sources).to.deep.equal([{ prefix: '127.0.0.0/24' }])
  })

  it('carries the largest frame, and none larger', async () => {
    const client = await link()
    const frame = new Uint8Array(MAX_FRAME_BYTES).fill(9)
    expect(await client.call(frame, 5000)).to.deep.equal(frame)
    expect(await client.call(new Uint8Array(0), 5000)).to.deep.equal(new Uint8Array(0))
    const error = await client.call(new Uint8Array(MAX_FRAME_BYTES + 1)).catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'FRAME_TOO_LARGE')
    expect(await client.call(u32(1), 5000)).to.deep.equal(u32(1))
  })

  it('answers 100 pipelined calls, the last first, and works on a bounded number at once', async () => {
    let atWork = 0
    let most = 0
    const waiting: (() => void)[] = []
    inbound.answer = (frame) =>
      new Promise((resolve) => {
        atWork++
        most = Math.max(most, atWork)
        waiting.push(() => {
          atWork--
          resolve(frame)
        })
      })
    const client = await link()
    const calls = Array.from({ length: 100 }, (_, i) => client.call(u32(i), 10_000))
    await until(() => waiting.length === MAX_PIPELINED_REQUESTS)
    await until(() => {
      waiting.pop()?.()
      return waiting.length === 0 && atWork === 0
    })
    const answers = await Promise.all(calls)
    expect(answers.map((answer) => readUint(answer, 0, 4))).to.deep.equal(Array.from({ length: 100 }, (_, i) => i))
    expect(most).to.equal(MAX_PIPELINED_REQUESTS)
  })

  for (const [title, bytes] of [
    ['a frame that says it is larger than any', concat(u32(MAX_FRAME_BYTES + 5), u32(1))],
    ['a length of four gigabytes', u32(0xffffffff)],
    ['a frame too short for its id', concat(u32(3), new Uint8Array(8))],
    ['text of another protocol', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n')],
  ] as const) {
    it(`cuts off ${title}`, async () => {
      let handled = 0
      inbound.answer = async (frame) => {
        handled++
        return frame
      }
      const { stream } = await rawStream()
      stream.send(bytes)
      await until(() => stream.status === 'reset' && inbound.closed === 1)
      expect(handled).to.equal(0)
    })
  }

  it('hands garbage of a good length to the server, whose answer comes back', async () => {
    inbound.answer = async () => new Uint8Array([42])
    const { stream, received } = await rawStream()
    stream.send(concat(u32(4 + 5), u32(77), new Uint8Array(5).fill(0xff)))
    await until(() => received.length > 0)
    expect(concat(...received)).to.deep.equal(concat(u32(4 + 1), u32(77), new Uint8Array([42])))
  })

  it('puts together a frame that comes byte by byte', async () => {
    const { stream, received } = await rawStream()
    const frame = concat(u32(4 + 3), u32(5), new Uint8Array([1, 2, 3]))
    for (const byte of frame) {
      stream.send(new Uint8Array([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => concat(...received).length === frame.length)
    expect(concat(...received)).to.deep.equal(frame)
  })

  it('lets go of a stream whose other side will send no more', async () => {
    const { stream } = await rawStream()
    await until(() => server.servedLinkCount() === 1)
    await stream.close()
    await until(() => server.servedLinkCount() === 0 && inbound.closed === 1)
  })

  it('lets go of a stream whose connection dies in the middle of a frame', async () => {
    const node = await stranger()
    const { stream } = await rawStream(node)
    stream.send(concat(u32(1000), u32(1), new Uint8Array(10)))
    await until(() => server.servedLinkCount() === 1)
    for (const connection of node.getConnections()) connection.abort(new Error('gone'))
    await until(() => server.servedLinkCount() === 0 && inbound.closed === 1)
  })

  it('holds a bounded part of 48 MB for a slow reader, who gets all of it in the end', async () => {
    const total = 192
    let answered = 0
    inbound.answer = async (frame) => {
      answered++
      return concat(frame, new Uint8Array(WINDOW_BYTES - 4).fill(frame[3]!))
    }
    const { stream, received } = await rawStream()
    await until(() => server.servedLinkCount() === 1)
    stream.pause()
    for (let i = 0; i < total; i++) stream.send(concat(u32(8), u32(i), u32(i)))
    // Reading goes on until the bound is reached; what was answered by then does not grow any more.
    await until(() => answered >= MAX_PIPELINED_REQUESTS)
    const before = answered
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(answered).to.equal(before)
    // The receive window takes some answers off the server's hands.
    expect(answered).to.be.at.most(MAX_PIPELINED_REQUESTS + 8)

    // In the middle of it, too: the library's own wait for a drain works only once.
    const receivedBytes = (): number => received.reduce((sum, chunk) => sum + chunk.length, 0)
    stream.resume()
    await until(() => receivedBytes() > 4 * WINDOW_BYTES)
    stream.pause()
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(answered - receivedBytes() / (8 + WINDOW_BYTES)).to.be.at.most(MAX_PIPELINED_REQUESTS + 8)

    stream.resume()
    const length = total * (8 + WINDOW_BYTES)
    await until(() => receivedBytes() === length, 15_000)
    const bytes = concat(...received)
    const ids = new Set<number>()
    for (let offset = 0; offset < length; offset += 8 + WINDOW_BYTES) {
      expect(readUint(bytes, offset, 4)).to.equal(4 + WINDOW_BYTES)
      const id = readUint(bytes, offset + 4, 4)
      expect(readUint(bytes, offset + 8, 4)).to.equal(id)
      ids.add(id)
    }
    expect(ids.size).to.equal(total)
  })

  it('pushes back for a long transfer, where the library alone would take everything', async () => {
    // 48 MB upwards to a server that works slowly: the caller's writes wait for it.
    let received = 0
    const waiting: (() => void)[] = []
    inbound.answer = (frame) =>
      new Promise((resolve) => {
        received += frame.length
        waiting.push(() => resolve(new Uint8Array(1)))
      })
    const client = await link()
    const calls = Array.from({ length: 192 }, () => client.call(new Uint8Array(WINDOW_BYTES)))
    await until(() => waiting.length === MAX_PIPELINED_REQUESTS)
    const before = received
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(received).to.equal(before)
    const drained = until(() => {
      for (const release of waiting.splice(0)) release()
      return received === 192 * WINDOW_BYTES && waiting.length === 0
    }, 15_000)
    await drained
    await Promise.all(calls)
  })

  it('cuts off the slowest reader when answers wait for too many', async () => {
    inbound.answer = async () => new Uint8Array(WINDOW_BYTES)
    const readers = 1 + Math.ceil(MAX_WAITING_ANSWER_BYTES / (MAX_PIPELINED_REQUESTS * WINDOW_BYTES))
    const patient = await link()
    const streams: Stream[] = []
    for (let i = 0; i < readers; i++) {
      const { stream } = await rawStream()
      stream.pause()
      streams.push(stream)
    }
    await until(() => server.servedLinkCount() === readers + 1)
    for (const stream of streams) {
      for (let i = 0; i < 2 * MAX_PIPELINED_REQUESTS; i++) stream.send(concat(u32(8), u32(i), u32(i)))
    }
    await until(() => inbound.closed >= 1)
    expect((await patient.call(u32(1), 10_000)).length).to.equal(WINDOW_BYTES)
  })

  it('serves a bounded number of streams on one connection', async () => {
    const node = await stranger()
    const streams: Stream[] = []
    let refused = 0
    // What is too many is reset, before or after the protocol is agreed upon.
    const open = async (): Promise<void> => {
      try {
        streams.push((await rawStream(node)).stream)
      } catch {
        refused++
      }
    }
    await Promise.all(Array.from({ length: 12 }, open))
    await until(() => refused + streams.filter(({ status }) => status === 'reset').length === 4)
    expect(server.servedLinkCount()).to.equal(8)
  })

  it('says why a server is not reached', async () => {
    const { network } = loopbackNode()
    stops.push(() => network.stop())
    await network.start(new RecordingInbound())
    const address = server.addresses()[0]!
    const plain = await stranger()
    const reasons: Record<string, unknown> = {}
    for (const [name, target] of Object.entries({
      self: network.addresses()[0]!,
      nobody: plain.getMultiaddrs()[0]!.toString(),
      another: address.replace(/p2p\/.*/, `p2p/${(await plainNodeId()).toString()}`),
      away: address.replace(/tcp\/\d+/, 'tcp/1'),
    })) {
      const error: unknown = await network.connect(target).catch((reason: unknown) => reason)
      expect(error, name).to.be.instanceOf(NetworkError).with.property('code', 'UNREACHABLE')
      reasons[name] = (error as NetworkError).message
    }
    expect(reasons['nobody']).to.equal('serves no mailboxes')
    expect(reasons['away']).to.equal('connection refused')
    expect(reasons['another']).to.equal('not the expected peer')
  })
})

/** The ID of a peer that is not there. */
async function plainNodeId(): Promise<PlainNode['peerId']> {
  const node = await plainNode()
  await node.stop()
  return node.peerId
}
