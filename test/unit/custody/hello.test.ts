import { expect } from 'chai'
import { equal } from '../../../node/crypto/bytes.ts'
import { verify } from '../../../node/crypto/ed25519.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { answer, helloAnswer, helloArgs, policy, request, STATUS, VERB } from '../../../node/wire/commands.ts'
import { peerIdPublicKey } from '../../../node/wire/peer-id.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { member, testMailbox, testServer, type TestServer } from '../../support/custody-fixtures.ts'

async function rawHello(server: TestServer, version = 1) {
  const frame = encode(request, { verb: VERB.hello, args: encode(helloArgs, { version }) })
  return decode(answer, await server.stream().handle(frame), MAX_FRAME_BYTES)
}

describe('mailbox server: HELLO', () => {
  it('answers with a policy that its transport key signed', async () => {
    const server = await testServer({ custody: { policy: { maxDays: 20, contact: 'ops@example.org', claimBits: 7 } } })
    const said = decode(helloAnswer, (await rawHello(server)).body, MAX_FRAME_BYTES)
    expect(verify(peerIdPublicKey(server.peerId), 'policy', said.policy, said.signature)).to.equal(true)
    const promised = decode(policy, said.policy, 1024)
    expect(promised).to.include({ version: 1, maxDays: 20, contact: 'ops@example.org', claimBits: 7, bucketBits: 2 })
    expect(promised.server).to.deep.equal(server.peerId)
    expect(said.time).to.equal(server.now())
  })

  it('refuses another version', async () => {
    expect((await rawHello(await testServer(), 2)).status).to.equal(STATUS.unsupported)
  })

  it('keeps the store ID over a restart, and has another one on an empty disk or under another peer ID', async () => {
    const server = await testServer()
    const again = await server.restart()
    expect(again.custody.storeId).to.deep.equal(server.custody.storeId)
    const other = await testServer({ name: 'other', store: server.store })
    expect(equal(other.custody.storeId, server.custody.storeId)).to.equal(false)
    const empty = await testServer()
    await empty.custody.sweep()
    const fresh = await testServer({ custody: { random: { bytes: (length) => new Uint8Array(length).fill(9) } } })
    expect(equal(fresh.custody.storeId, empty.custody.storeId)).to.equal(false)
  })

  it('renews the challenge every 10 minutes and accepts one for at most 20, also over a restart', async () => {
    let server = await testServer()
    await server.clock.advance(600_000 - (server.clock.now() % 600_000))
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    const first = alice.client.link.frames.length
    await alice.put('one')
    const recorded = alice.client.link.frames[first]!
    const play = async () => decode(answer, await server.stream().handle(recorded), MAX_FRAME_BYTES).status
    await server.clock.advance(1_199_000)
    server = await server.restart()
    expect(await play()).to.equal(STATUS.ok)
    await server.clock.advance(1000)
    expect(await play()).to.equal(STATUS.challenge)
  })
})
