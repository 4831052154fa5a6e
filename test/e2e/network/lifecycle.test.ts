/** Starting, stopping and staying connected: what lasts over a restart, and that nothing keeps the process alive. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { concat, utf8 } from '../../../node/crypto/bytes.ts'
import { UsageError } from '../../../node/errors.ts'
import type { Libp2pNetwork, Libp2pNetworkInit } from '../../../node/network/libp2p-network.ts'
import { TABLE } from '../../../node/ports.ts'
import { loopbackNode, strictLogger } from '../../support/libp2p-nodes.ts'
import { createMemoryStore } from '../../support/memory-store.ts'
import { RecordingInbound, testRecord } from '../../support/recording-inbound.ts'
import { until } from '../../support/until.ts'

const KEY = concat(utf8('/kith-id/'), new Uint8Array(32).fill(3))

describe('network lifecycle', () => {
  let running: Libp2pNetwork[] = []

  async function started(init: Partial<Libp2pNetworkInit> = {}): Promise<Libp2pNetwork> {
    const { network } = loopbackNode(init)
    running.push(network)
    await network.start(new RecordingInbound())
    return network
  }

  afterEach(async () => {
    await Promise.all(running.map((network) => network.stop()))
    running = []
  })

  it('keeps its peer ID and what others gave it, in another process with the same seed and store', async () => {
    const store = createMemoryStore()
    const privateKeySeed = new Uint8Array(32).fill(200)
    const author = await started()
    const keeper = await started({ store, privateKeySeed })
    ;(await keeper.connect(author.addresses()[0]!)).close()
    await until(() => author.dhtPeerCount() === 1)
    expect(await author.putRecord(KEY, testRecord(1))).to.equal(1)
    await keeper.stop()
    await author.stop()
    expect((await store.list({ table: TABLE.datastore, scope: utf8('/dht/record/') })).length).to.equal(1)

    const again = await started({ store, privateKeySeed })
    expect(again.peerId).to.deep.equal(keeper.peerId)
    expect(await again.getRecord(KEY)).to.deep.equal([testRecord(1)])
  })

  it('finds the peers of its last run again without a bootstrap', async () => {
    const store = createMemoryStore()
    const privateKeySeed = new Uint8Array(32).fill(201)
    const other = await started()
    const first = await started({ store, privateKeySeed })
    await first.connect(other.addresses()[0]!)
    await until(() => first.dhtPeerCount() === 1)
    await first.stop()
    const again = await started({ store, privateKeySeed })
    await until(() => again.peerCount() === 1 && again.dhtPeerCount() === 1)
  })

  it('starts while its bootstrap is away, reaches it when it comes, and again after it was away', async () => {
    const privateKeySeed = new Uint8Array(32).fill(202)
    const relay = await started({ role: 'relay', privateKeySeed })
    const address = relay.addresses()[0]!
    const listen = [address.split('/p2p/')[0]!]
    await relay.stop()

    const begin = performance.now()
    const node = await started({ bootstrap: [address] })
    expect(await node.putRecord(KEY, testRecord(1))).to.equal(0)
    expect(performance.now() - begin).to.be.below(2000)
    expect(node.peerCount()).to.equal(0)

    const back = await started({ role: 'relay', privateKeySeed, listen })
    await until(() => node.peerCount() === 1)
    await until(() => node.dhtPeerCount() === 1)
    await back.stop()
    await until(() => node.peerCount() === 0)
    await back.start(new RecordingInbound())
    await until(() => node.peerCount() === 1)
  })

  it('refuses a bootstrap that is no address of a peer', () => {
    expect(() => loopbackNode({ bootstrap: ['/ip4/127.0.0.1/tcp/1'] }))
      .to.throw(UsageError)
      .with.property('code', 'BAD_ADDRESS')
  })

  it('starts without an address when the wanted one is taken, and says so', async () => {
    const first = await started()
    const warnings: string[] = []
    const taken = await started({
      listen: [first.addresses()[0]!.split('/p2p/')[0]!],
      logger: { ...strictLogger, warn: (message) => warnings.push(message) },
    })
    expect(taken.addresses()).to.deep.equal([])
    expect(warnings).to.deep.equal(['none of the addresses could be listened on'])
    const link = await taken.connect(first.addresses()[0]!)
    expect(await link.call(utf8('still'))).to.deep.equal(utf8('still'))
  })

  it('leaves nothing behind that keeps a process alive', async () => {
    const script = `
      import { createLibp2pNetwork } from './node/network/libp2p-network.ts'
      import { createMemoryStore } from './test/support/memory-store.ts'
      import { RecordingInbound } from './test/support/recording-inbound.ts'
      const quiet = () => undefined
      const make = (fill, bootstrap) => createLibp2pNetwork({
        privateKeySeed: new Uint8Array(32).fill(fill), listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap, network: 'lan',
        role: 'node', store: createMemoryStore(), logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      })
      const a = make(1, []), b = make(2, ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'])
      await a.start(new RecordingInbound())
      await b.start(new RecordingInbound())
      const link = await b.connect(a.addresses()[0])
      await link.call(new Uint8Array(10), 60_000)
      void link.call(new Uint8Array(10), 60_000).catch(quiet)
      void b.getRecord(new TextEncoder().encode('/kith-id/' + 'x'.repeat(32)))
      await Promise.all([a.stop(), b.stop()])
      console.log('stopped')
    `
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: new URL('../../..', import.meta.url),
      timeout: 15_000,
    })
    expect(stdout).to.equal('stopped\n')
  })
})
