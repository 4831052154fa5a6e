import { expect } from 'chai'
import { verify } from '../../../node/crypto/ed25519.ts'
import { MAX_ACK_CIDS, MAX_STAT_CIDS } from '../../../node/limits.ts'
import { KIND } from '../../../node/mailbox/keys.ts'
import { proof, statAnswer } from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { DAY, member, testCid, testMailbox, testServer } from '../../support/custody-fixtures.ts'

describe('mailbox server: ACK, RELEASE and STAT', () => {
  it("deletes what is acknowledged and answers a further PUT with R's proof", async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    await alice.put('two')
    expect(await alice.acknowledge('one')).to.deep.equal({ status: 'ok' })
    const read = await alice.fetch()
    expect(read).to.have.nested.property('items.length', 1)
    const again = await alice.put('one')
    if (again.status !== 'acknowledged') throw new Error(again.status)
    const said = decode(statAnswer, again.signed.body, again.signed.body.length)
    const words = decode(proof, said.proofs[0]!, said.proofs[0]!.length)
    expect(verify(mailbox.reader.public, 'command', words.command, words.signature)).to.equal(true)
    expect(server.custody.counters().copies).to.equal(1)
  })

  it('changes nothing when it is said again, and passes over what it does not hold', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    await alice.put('one')
    await alice.acknowledge('one', 'one', 'never put')
    const rows = server.store.dump()
    expect((await alice.acknowledge('one', 'never put')).status).to.equal('ok')
    expect(server.store.dump()).to.equal(rows)
    expect(await alice.stat('never put')).to.have.deep.property('states', ['missing'])
  })

  it('tells held, acknowledged and missing apart, in the order asked', async () => {
    const alice = member(await testServer(), testMailbox('a'))
    expect(await alice.stat('one')).to.have.deep.property('states', ['missing'])
    await alice.claim()
    await alice.put('one')
    await alice.put('two')
    await alice.acknowledge('two')
    const known = await alice.stat('none', 'two', 'one')
    expect(known).to.have.deep.property('states', ['missing', 'acknowledged', 'held'])
  })

  it('proves every acknowledgement, however many commands they came in', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    const names = Array.from({ length: 40 }, (_, i) => `copy ${i}`)
    for (const name of names) await alice.put(name)
    for (const name of names) await alice.acknowledge(name)
    const known = await alice.stat(...names)
    if (known.status !== 'ok') throw new Error(known.status)
    expect(known.states).to.deep.equal(names.map(() => 'acknowledged'))
    expect(known.signed.length).to.equal(3)
  })

  it('handles as many cids as one command may name', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const alice = member(server, mailbox)
    await alice.claim()
    await alice.put('one')
    await alice.acknowledge('one')
    await alice.put('two')
    const names = Array.from({ length: 256 }, (_, i) => (i === 255 ? 'two' : `none ${i}`))
    expect([MAX_ACK_CIDS, MAX_STAT_CIDS]).to.deep.equal([256, 256])
    expect((await alice.acknowledge(...names)).status).to.equal('ok')
    expect(await alice.stat(...names)).to.have.nested.property('states[255]', 'acknowledged')
  })

  it("gives a released mailbox up: nothing is read, written or claimed, and STAT shows R's word", async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    await alice.put('one')
    await alice.put('two')
    await alice.acknowledge('two')
    expect(await alice.release()).to.deep.equal({ status: 'ok' })
    const rows = server.store.dump()
    expect(await alice.release()).to.deep.equal({ status: 'ok' })
    expect(server.store.dump()).to.equal(rows)
    expect((await alice.put('one')).status).to.equal('released')
    expect((await alice.claim()).status).to.equal('released')
    expect((await alice.acknowledge('one')).status).to.equal('released')
    expect(await alice.fetch()).to.have.deep.property('items', [])
    expect(await alice.stat('one', 'three')).to.have.deep.property('states', ['released', 'released'])
    expect(server.custody.counters()).to.include({ claims: 1, copies: 0 })
    const again = await server.restart()
    await server.clock.advance(89 * DAY * 1000)
    expect((await member(again, testMailbox('a')).claim()).status).to.equal('released')
    await server.clock.advance(3 * DAY * 1000)
    expect(server.store.size).to.equal(1)
  })

  it('lets nobody delete in a group, where messages leave by expiry', async () => {
    const alice = member(await testServer(), testMailbox('a', KIND.group))
    await alice.claim()
    await alice.put('one')
    expect((await alice.acknowledge('one')).status).to.equal('refused')
    expect(await alice.stat('one')).to.have.deep.property('states', ['held'])
    expect((await alice.release()).status).to.equal('ok')
  })

  it('says unclaimed for what nobody claimed', async () => {
    const alice = member(await testServer(), testMailbox('a'))
    expect((await alice.acknowledge('one')).status).to.equal('unclaimed')
    expect((await alice.release()).status).to.equal('unclaimed')
    expect(testCid('one').length).to.equal(32)
  })
})
