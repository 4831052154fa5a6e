/**
 * The two defects of kad-dht that PROTOCOL 2 names, on real nodes: each scenario runs first against the library alone,
 * where the defect must show, and then against `network/`, where it must not.
 */
import type { StreamHandler } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { concat, utf8 } from '../../../node/crypto/bytes.ts'
import type { Libp2pNetwork } from '../../../node/network/libp2p-network.ts'
import { LOOKUP_TIMEOUT_MS } from '../../../node/network/record-query.ts'
import { DHT_PROTOCOL } from '../../../node/network/stack-options.ts'
import { loopbackNode } from '../../support/libp2p-nodes.ts'
import {
  drainQuery,
  heldRecord,
  plantRecord,
  type PlainNode,
  plainNode,
  RefusingDatastore,
  tableSize,
} from '../../support/plain-libp2p.ts'
import { RecordingInbound, sequenceOf, testRecord } from '../../support/recording-inbound.ts'
import { until } from '../../support/until.ts'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const KEY = concat(utf8('/kith-id/'), new Uint8Array(32).fill(0x2f))

describe('records in the DHT', () => {
  let stops: (() => Promise<unknown>)[] = []

  async function plain(...args: Parameters<typeof plainNode>): Promise<PlainNode> {
    const node = await plainNode(...args)
    stops.push(async () => await node.stop())
    return node
  }

  async function ours(init: Parameters<typeof loopbackNode>[0] = {}): Promise<Libp2pNetwork> {
    const { network } = loopbackNode(init)
    stops.push(() => network.stop())
    await network.start(new RecordingInbound())
    return network
  }

  afterEach(async () => {
    await Promise.all(stops.map((stop) => stop()))
    stops = []
  })

  it('T1 control: an older record rolls the library back, the author included', async () => {
    const stores = [new MemoryDatastore(), new MemoryDatastore(), new MemoryDatastore()]
    const nodes = await Promise.all(stores.map((datastore) => plain({ datastore })))
    const stranger = await plain()
    for (const node of [...nodes.slice(1), stranger]) await connect(node, nodes[0]!)
    for (const node of [nodes[2]!, stranger]) await connect(node, nodes[1]!)
    await connect(stranger, nodes[2]!)
    await until(() => [...nodes, stranger].every((node) => tableSize(node) === 3))

    await drainQuery(nodes[0]!.services.dht.put(KEY, testRecord(5)))
    await drainQuery(stranger.services.dht.put(KEY, testRecord(3)))
    const held = await Promise.all(stores.map((store) => heldRecord(store, KEY)))
    expect(held.map((value) => sequenceOf(value!))).to.deep.equal([3, 3, 3])
  })

  it('T1 an older record that is put again lowers nothing, nor after a restart of the author', async () => {
    const author = loopbackNode()
    stops.push(() => author.network.stop())
    await author.network.start(new RecordingInbound())
    const others = [await ours(), await ours()]
    const stranger = await plain()
    for (const network of others) await connectOurs(network, author.network)
    for (const network of [author.network, ...others]) await connect(stranger, network)
    await until(() => [author.network, ...others].every((network) => network.dhtPeerCount() === 3))
    await until(() => tableSize(stranger) === 3)

    expect(await author.network.putRecord(KEY, testRecord(5))).to.equal(3)
    await drainQuery(stranger.services.dht.put(KEY, testRecord(3)))
    for (const network of [author.network, ...others]) {
      expect((await network.getRecord(KEY)).map(sequenceOf)).to.include(5)
    }
    // What a node holds itself, with nobody to ask.
    await Promise.all([stranger.stop(), ...others.map((network) => network.stop())])
    await author.network.stop()
    await author.network.start(new RecordingInbound())
    expect((await author.network.getRecord(KEY)).map(sequenceOf)).to.deep.equal([5])
    expect(await author.network.putRecord(KEY, testRecord(4))).to.equal(0)
    expect((await author.network.getRecord(KEY)).map(sequenceOf)).to.deep.equal([5])
  })

  it('T2 control: one peer that refuses a correction makes the library find nothing', async () => {
    const asker = await plain()
    const { refuser, honest } = await refuserAndHonest()
    for (const node of [refuser, honest]) await connect(asker, node)
    await until(() => tableSize(asker) === 2)

    let failure: unknown
    let found = 0
    try {
      for await (const event of asker.services.dht.get(KEY)) if (event.name === 'VALUE') found++
    } catch (error) {
      failure = error
    }
    expect(failure).to.be.instanceOf(Error).with.property('message', 'Could not send correction')
    expect(found).to.equal(0)
  })

  it('T2 a look-up finds the good value beside a peer that refuses and one that lies', async () => {
    const asker = await ours()
    const { refuser, honest } = await refuserAndHonest()
    const garbage = new MemoryDatastore()
    await plantRecord(garbage, KEY, new Uint8Array(2))
    const liar = await plain({ datastore: garbage })
    for (const node of [refuser, honest, liar]) await connect(node, asker)
    await until(() => asker.dhtPeerCount() === 3)

    const found = await asker.getRecord(KEY)
    expect(found.map(sequenceOf)).to.have.members([1, 2])
  })

  it('T2 a peer that never answers delays a look-up by its bound at most', async () => {
    const asker = await ours()
    const { refuser, honest } = await refuserAndHonest()
    const silent = await plain()
    await silent.unhandle(DHT_PROTOCOL)
    await silent.handle(DHT_PROTOCOL, () => undefined)
    for (const node of [refuser, honest, silent]) await connect(node, asker)
    await until(() => asker.dhtPeerCount() === 3)

    const start = performance.now()
    const found = await asker.getRecord(KEY)
    expect(found.map(sequenceOf)).to.include(2)
    expect(performance.now() - start).to.be.below(LOOKUP_TIMEOUT_MS + 1000)
  })

  it('offers a peer to the routing table again when its first ping has failed, which the library does not', async () => {
    const asker = await plain()
    const guarded = await ours()
    const late = await plain()
    const failed = new Set<string>()
    const refuse: StreamHandler = (stream, { remotePeer }) => {
      stream.abort(new Error('busy'))
      failed.add(remotePeer.toString())
    }
    await late.handle(PING_PROTOCOL, refuse, { force: true })
    for (const node of [asker, guarded]) await connect(late, node)
    await until(() => failed.size === 2)
    await late.unhandle(PING_PROTOCOL)
    await late.handle(PING_PROTOCOL, async (stream) => {
      for await (const bytes of stream) stream.send(bytes)
    })
    await until(() => guarded.dhtPeerCount() === 1)
    expect(tableSize(asker)).to.equal(0)
  })

  async function refuserAndHonest(): Promise<{ refuser: PlainNode; honest: PlainNode }> {
    const refusing = new RefusingDatastore()
    const good = new MemoryDatastore()
    await plantRecord(refusing, KEY, testRecord(1))
    await plantRecord(good, KEY, testRecord(2))
    refusing.isRefusing = true
    return { refuser: await plain({ datastore: refusing }), honest: await plain({ datastore: good }) }
  }
})

async function connect(from: PlainNode, to: PlainNode | Libp2pNetwork): Promise<void> {
  await from.dial(multiaddr('addresses' in to ? to.addresses()[0]! : to.getMultiaddrs()[0]!.toString()))
}

async function connectOurs(from: Libp2pNetwork, to: Libp2pNetwork): Promise<void> {
  ;(await from.connect(to.addresses()[0]!)).close()
}
