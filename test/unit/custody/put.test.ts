import { expect } from 'chai'
import { MemoryLevel } from 'memory-level'
import { verify } from '../../../node/crypto/ed25519.ts'
import { ENVELOPE_BYTES, LEG_BYTES } from '../../../node/limits.ts'
import { KIND, KINDS } from '../../../node/mailbox/keys.ts'
import { createRowStore, deriveStoreKeys } from '../../../node/store/rows.ts'
import { peerIdPublicKey } from '../../../node/wire/peer-id.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { DAY, HOUR, member, testCid, testCopy, testMailbox, testServer, WEEK } from '../../support/custody-fixtures.ts'
import { createManualClock, settle } from '../../support/manual-clock.ts'
import { rejection } from '../../support/rejection.ts'

describe('mailbox server: CLAIM and PUT', () => {
  it('signs a receipt for a copy that lies there', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    expect(await alice.claim()).to.have.property('status', 'claimed')
    const put = await alice.put('one')
    if (put.status !== 'stored') throw new Error(put.status)
    expect(verify(peerIdPublicKey(server.peerId), 'putReceipt', put.signed.body, put.signed.signature)).to.equal(true)
    expect(put.receipt.cid).to.deep.equal(testCid('one'))
    expect(put.receipt.storeId).to.deep.equal(server.custody.storeId)
    expect(put.receipt.stored).to.equal(server.now() - (server.now() % HOUR))
    expect(put.receipt.expires % HOUR).to.equal(0)
    expect(put.receipt.expires - server.now()).to.be.within(20 * DAY, 20 * DAY + HOUR)
    expect(put.receipt.room).to.equal(127)
    const read = await alice.fetch()
    expect(read).to.have.nested.property('items[0].copy').that.deep.equals(testCopy('one'))
  })

  it('answers only after the write is on the disk, and never when it failed', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    const disk = Promise.withResolvers<void>()
    server.store.gate = disk.promise
    let answered = false
    const put = alice.put('one').finally(() => {
      answered = true
    })
    await settle()
    expect(answered).to.equal(false)
    disk.resolve()
    expect((await put).status).to.equal('stored')

    const counters = server.custody.counters()
    server.store.fail(1)
    expect((await alice.put('two')).status).to.equal('busy')
    expect(server.custody.counters()).to.deep.equal(counters)
    expect(await alice.stat('two')).to.have.deep.property('states', ['missing'])
    expect((await alice.put('two')).status).to.equal('stored')
  })

  it('takes the same copy again with the same receipt and no second copy', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    const first = await alice.put('one')
    const rows = server.store.dump()
    await server.clock.advance(3 * HOUR * 1000)
    const second = await alice.put('one', 25)
    if (first.status !== 'stored' || second.status !== 'stored') throw new Error(`${first.status} ${second.status}`)
    expect(second.receipt).to.deep.equal(first.receipt)
    expect(server.store.dump()).to.equal(rows)
    expect(server.custody.counters().copies).to.equal(1)
  })

  it('takes every known size and no other', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    for (const bytes of [...ENVELOPE_BYTES, LEG_BYTES]) {
      expect((await alice.put(`size ${bytes}`, 20, bytes + 40)).status).to.equal('stored')
      expect(await rejection(alice.put(`size ${bytes}`, 20, bytes + 39))).to.have.property('code', 'NONSENSE')
    }
  })

  it('keeps nothing longer than its policy says, and takes nothing that is dead', async () => {
    const server = await testServer({ custody: { policy: { maxDays: 3 } } })
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    const put = await alice.put('one', 400)
    expect(put)
      .to.have.nested.property('receipt.expires')
      .within(server.now() + 3 * DAY, server.now() + 3 * DAY + HOUR)
    expect((await alice.put('two', 0)).status).to.equal('refused')
  })

  it('says unclaimed, and takes the copy once a friend has claimed on the same stream', async () => {
    const alice = member(await testServer(), testMailbox('a'))
    expect((await alice.put('one')).status).to.equal('unclaimed')
    await alice.claim()
    expect((await alice.put('one')).status).to.equal('stored')
  })

  it('refuses writing to kinds that only take requests', async () => {
    const server = await testServer()
    for (const kind of [KIND.invite, KIND.box]) {
      const alice = member(server, testMailbox('a', kind))
      await alice.claim()
      expect((await alice.put('one')).status).to.equal('refused')
    }
  })

  it('is full at its cap, which doubles with each week in which the reader acknowledged', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a', KIND.reach))
    await alice.claim()
    for (let i = 0; i < KINDS.reach.startCopies; i++) expect((await alice.put(`${i}`)).status).to.equal('stored')
    expect(await alice.put('over')).to.deep.equal({ status: 'full', retryAfterSeconds: 3600 })
    await alice.acknowledge('0')
    expect((await alice.put('over')).status, 'an acknowledged copy frees its place at once').to.equal('stored')

    const friend = member(server, testMailbox('b'))
    await friend.claim()
    const caps: number[] = []
    for (let week = 0; week < 6; week++) {
      const put = await friend.put(`week ${week}`)
      if (put.status !== 'stored') throw new Error(put.status)
      caps.push(put.receipt.room + 1)
      await friend.acknowledge(`week ${week}`)
      await friend.put(`week ${week} again`)
      await friend.acknowledge(`week ${week} again`)
      await server.clock.advance(WEEK * 1000)
    }
    expect(caps).to.deep.equal([128, 256, 512, 1024, 1024, 1024])
  })

  it('is full at its bytes', async () => {
    const alice = member(await testServer(), testMailbox('a'))
    await alice.claim()
    const large = ENVELOPE_BYTES[2] + 40
    for (let i = 0; i < 15; i++) expect((await alice.put(`${i}`, 20, large)).status).to.equal('stored')
    expect((await alice.put('15', 20, large)).status).to.equal('full')
    expect((await alice.put('small')).status).to.equal('stored')
  })

  it('extends a claim by every use and never shortens it', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    const claimed = await alice.claim(1)
    expect(claimed)
      .to.have.property('until')
      .within(server.now() + DAY, server.now() + DAY + HOUR)
    await alice.put('one', 1)
    const later = await alice.claim(1)
    expect(later)
      .to.have.property('until')
      .within(server.now() + 90 * DAY, server.now() + 90 * DAY + HOUR)
    expect(await alice.claim(0)).to.deep.equal({ status: 'refused' })
    expect(await alice.claim(4000)).to.deep.equal(later)
    await server.clock.advance(60 * DAY * 1000)
    expect((await alice.put('two', 1)).status).to.equal('stored')
    await server.clock.advance(60 * DAY * 1000)
    expect((await alice.put('three', 1)).status).to.equal('stored')
    await server.clock.advance(92 * DAY * 1000)
    expect((await alice.put('four', 1)).status).to.equal('unclaimed')
    expect(server.custody.counters()).to.deep.equal({ claims: 0, copies: 0, bytes: 0, records: 0, used: 0, holding: 0 })
  })

  it('starts a mailbox that is claimed anew above all its old positions', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    await alice.put('one')
    const before = await alice.fetch()
    await server.clock.advance(92 * DAY * 1000)
    await alice.claim()
    await alice.put('two')
    if (before.status !== 'ok') throw new Error(before.status)
    expect(await alice.fetch(before.items[0]!.position)).to.have.nested.property('items.length', 1)
  })

  it('sweeps what has expired, by the hour, and leaves the rest', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    await alice.put('short', 1)
    await alice.put('acknowledged', 1)
    await alice.put('long', 3)
    await alice.acknowledge('acknowledged')
    await server.clock.advance((DAY - 2 * HOUR) * 1000)
    expect(await alice.stat('short', 'acknowledged')).to.have.deep.property('states', ['held', 'acknowledged'])
    await server.clock.advance(4 * HOUR * 1000)
    expect(await alice.stat('short', 'acknowledged', 'long')).to.have.deep.property('states', [
      'missing',
      'missing',
      'held',
    ])
    await server.clock.advance(100 * DAY * 1000)
    expect(server.store.size, 'only the secrets are left').to.equal(1)
    expect(server.logger.errors).to.deep.equal([])
  })

  it('takes nothing new once it drains, and still gives what it holds', async () => {
    const server = await testServer()
    const mailbox = testMailbox('a')
    const before = member(server, mailbox)
    await before.claim()
    await before.put('one')
    const draining = await server.restart({ policy: { claimBits: 4, drain: server.now() + DAY } })
    const alice = member(draining, mailbox)
    expect((await alice.put('two')).status).to.equal('stored')
    await server.clock.advance(DAY * 1000)
    expect(await alice.put('three')).to.deep.equal({ status: 'full', retryAfterSeconds: DAY })
    expect((await member(draining, testMailbox('b')).claim()).status).to.equal('full')
    expect(await alice.fetch()).to.have.nested.property('items.length', 2)
    expect((await alice.acknowledge('one')).status).to.equal('ok')
  })

  it('counts the same after a restart', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    for (const name of ['one', 'two', 'three']) await alice.put(name)
    await alice.acknowledge('two')
    await member(server, testMailbox('b')).claim()
    const again = await server.restart()
    expect(again.custody.counters()).to.deep.equal(server.custody.counters())
    expect(again.custody.counters()).to.include({ claims: 2, copies: 2 })
    expect(await member(again, testMailbox('a')).stat('one', 'two')).to.have.deep.property('states', [
      'held',
      'acknowledged',
    ])
  })

  it('works over encrypted rows, and goes on after they are opened again', async () => {
    const level = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
    const open = () => createRowStore(level, deriveStoreKeys(new Uint8Array(32)), countingRandom('rows'))
    const clock = createManualClock()
    const first = open()
    const server = await testServer({ clock, custody: { store: first } })
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    for (const name of ['one', 'two', 'three']) expect((await alice.put(name, 5)).status).to.equal('stored')
    await alice.acknowledge('two')
    const again = await server.restart({ store: open() })
    const later = member(again, testMailbox('a'))
    expect(again.custody.storeId).to.deep.equal(server.custody.storeId)
    expect(again.custody.counters()).to.deep.equal(server.custody.counters())
    expect(await later.stat('one', 'two')).to.have.deep.property('states', ['held', 'acknowledged'])
    expect(await later.fetch())
      .to.have.nested.property('items[1].copy')
      .that.deep.equals(testCopy('three'))
    await clock.advance(6 * DAY * 1000)
    await again.custody.sweep()
    expect(again.custody.counters()).to.include({ claims: 1, copies: 0 })
    again.custody.stop()
  })

  it('asks postage for a claim, as many bits as its policy says', async () => {
    const server = await testServer({ custody: { policy: { claimBits: 18 } } })
    const alice = member(server, testMailbox('a'))
    expect((await alice.claim()).status).to.equal('claimed')
    const dear = await testServer({ custody: { policy: { claimBits: 40 } } })
    expect((await member(dear, testMailbox('a')).claim()).status, 'more than anybody should pay').to.equal('price')
  })
})
