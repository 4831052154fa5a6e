/**
 * T44 on a real relay: a process with little room, flooded over libp2p by somebody who claims and fills whatever there is. What
 * it signed for stays, over a kill too, and who acknowledges has room. Its limits and its price come from its configuration.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { createMailboxClient, type MailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { ENVELOPE_BYTES, MAX_FRAME_BYTES } from '../../../node/limits.ts'
import type { Libp2pNetwork } from '../../../node/network/libp2p-network.ts'
import { systemClock, systemRandom } from '../../../node/system.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { DAY, testCid, testCopy, testLogger, type TestMailbox, testMailbox } from '../../support/custody-fixtures.ts'
import { KithNodes, type KithProcess } from '../../support/kith-process.ts'
import { loopbackNode } from '../../support/libp2p-nodes.ts'
import { RecordingInbound } from '../../support/recording-inbound.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const MAX_BYTES = 2_000_000
const LARGE = ENVELOPE_BYTES[2] + 40
const CONFIG = `relayMaxBytes = ${MAX_BYTES}\nrelayMaxClaims = 30\nrelayClaimBits = 3\n`

describe('a flooded relay', function () {
  this.timeout(60_000)
  const temporaryDirectory = temporaryDirectories()
  let nodes: KithNodes
  let relay: KithProcess
  let config: string
  const networks: Libp2pNetwork[] = []

  before(async () => {
    const directory = await temporaryDirectory()
    nodes = new KithNodes(directory)
    config = join(directory, 'relay.toml')
    await writeFile(config, CONFIG)
    relay = nodes.node('relay', 'relay')
    await relay.start('--config', config)
  })
  after(async () => {
    await Promise.all(networks.map((network) => network.stop()))
    await nodes.stopAll()
  })

  async function link() {
    const { network } = loopbackNode()
    networks.push(network)
    await network.start(new RecordingInbound())
    return await network.connect(relay.address)
  }

  async function client(): Promise<MailboxClient> {
    return createMailboxClient({ link: await link(), clock: systemClock, random: systemRandom, logger: testLogger() })
  }

  it('T44 keeps what it signed for, over a kill too, and has room for who acknowledges', async () => {
    const honest = testMailbox('honest')
    const reader = await client()
    const until = Math.floor(systemClock.now() / 1000) + 60 * DAY
    const expires = until - 40 * DAY
    expect((await reader.claim({ ...keysOf(honest), until })).status).to.equal('claimed')
    const put = async (name: string, bytes?: number): Promise<string> => {
      const copy = testCopy(name, bytes)
      return (await reader.put({ address: honest.address, writerSeed: honest.writer.seed, copy, expires })).status
    }
    for (const name of ['one', 'two', 'three']) expect(await put(name)).to.equal('stored')
    const acknowledge = { address: honest.address, readerSeed: honest.reader.seed, cids: [testCid('three')] }
    expect((await reader.acknowledge(acknowledge)).status).to.equal('ok')

    const flood = await client()
    const refused = new Map<string, number>()
    for (let i = 0; i < 40; i++) {
      const fresh = testMailbox(`flood ${i}`)
      let { status }: { status: string } = await flood.claim({ ...keysOf(fresh), until })
      for (let copy = 0; status === 'claimed' || status === 'stored'; copy++) {
        const bytes = testCopy(`flood ${i} ${copy}`, LARGE)
        ;({ status } = await flood.put({ address: fresh.address, writerSeed: fresh.writer.seed, copy: bytes, expires }))
      }
      refused.set(status, (refused.get(status) ?? 0) + 1)
    }
    expect([...refused.keys()]).to.deep.equal(['full'])
    expect(await put('four'), 'who acknowledges').to.equal('stored')
    expect(await put('five', LARGE)).to.equal('stored')

    await relay.stop('SIGKILL')
    await relay.start('--config', config)
    const again = await client()
    const cids = ['one', 'two', 'four'].map((name) => testCid(name))
    const found = await again.stat({ address: honest.address, cids, reader: honest.reader.public })
    expect(found).to.have.deep.property('states', ['held', 'held', 'held'])
  })

  it('asks for the work that its configuration says', async () => {
    const hello = encode(wire.helloArgs, { version: 1 })
    const answer = await (await link()).call(encode(wire.request, { verb: wire.VERB.hello, args: hello }), 10_000)
    const { body } = decode(wire.answer, answer, MAX_FRAME_BYTES)
    const { policy } = decode(wire.helloAnswer, body, MAX_FRAME_BYTES)
    expect(decode(wire.policy, policy, 1024).claimBits).to.equal(3)
  })
})

function keysOf({ kind, writer, reader }: TestMailbox) {
  return { kind, writer, reader }
}
