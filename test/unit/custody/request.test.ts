import { expect } from 'chai'
import { LEG_BYTES } from '../../../node/limits.ts'
import { type Kind, KIND } from '../../../node/mailbox/keys.ts'
import { copyId } from '../../../node/wire/commands.ts'
import {
  DAY,
  HOUR,
  member,
  seedKeys,
  testCopy,
  testMailbox,
  testServer,
  type TestServer,
} from '../../support/custody-fixtures.ts'
import { rejection } from '../../support/rejection.ts'

const leg = (name: string): Uint8Array => testCopy(name, LEG_BYTES)

async function door(server: TestServer, kind: Kind) {
  const mailbox = testMailbox('door', kind)
  const owner = member(server, mailbox)
  await owner.claim()
  const { address, reader, writer } = mailbox
  const client = owner.client
  return {
    ...mailbox,
    client,
    knock: (name: string, prefix = '192.0.2.0/24', writerSeed = writer.seed) =>
      server.client(prefix).request({ address, writerSeed, leg: leg(name), expires: server.now() + 14 * DAY }),
    read: async () => {
      const legs: Uint8Array[] = []
      for (let after = 0; ; ) {
        const entries = [{ address, after, readerSeed: reader.seed }]
        const read = await client.fetch({ storeId: server.custody.storeId, entries })
        if (read.status !== 'ok') throw new Error(read.status)
        legs.push(...read.items.map(({ copy }) => copy))
        if (!read.more) return legs
        after = read.items.at(-1)!.position
      }
    },
    acknowledge: (...names: string[]) =>
      client.acknowledge({ address, readerSeed: reader.seed, cids: names.map((name) => copyId(leg(name))) }),
  }
}

describe('mailbox server: REQUEST', () => {
  it('places 16 legs in an invite and no more, each once', async () => {
    const server = await testServer()
    const invite = await door(server, KIND.invite)
    const slots = new Set<number>()
    for (let i = 0; i < 16; i++) {
      const placed = await invite.knock(`leg ${i}`)
      if (placed.status !== 'placed') throw new Error(placed.status)
      slots.add(placed.slot)
    }
    expect([...slots].toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 16 }, (_, i) => i))
    expect((await invite.knock('one more')).status).to.equal('full')
    const rows = server.store.dump()
    expect((await invite.knock('leg 3')).status).to.equal('placed')
    expect(server.store.dump()).to.equal(rows)
    expect(await invite.read()).to.deep.equal(Array.from({ length: 16 }, (_, i) => leg(`leg ${i}`)))
  })

  it('draws slots so that a knocker learns no count', async () => {
    const server = await testServer()
    const invite = await door(server, KIND.invite)
    const order: number[] = []
    for (let i = 0; i < 16; i++) {
      const placed = await invite.knock(`leg ${i}`)
      if (placed.status === 'placed') order.push(placed.slot)
    }
    expect(order).to.not.deep.equal(order.toSorted((a, b) => a - b))
  })

  it('answers a leg that was taken away as before, and does not store it again', async () => {
    const invite = await door(await testServer(), KIND.invite)
    const before = await invite.knock('leg')
    await invite.acknowledge('leg')
    expect(await invite.knock('leg')).to.deep.equal(before)
    expect(await invite.read()).to.deep.equal([])
  })

  it('frees a slot by ACK, and refuses after RELEASE', async () => {
    const server = await testServer()
    const invite = await door(server, KIND.invite)
    for (let i = 0; i < 16; i++) await invite.knock(`leg ${i}`)
    await invite.acknowledge('leg 4', 'leg 5')
    expect((await invite.knock('new')).status).to.equal('placed')
    await invite.client.release({ address: invite.address, readerSeed: invite.reader.seed })
    expect((await invite.knock('newer')).status).to.equal('released')
  })

  it('cannot be filled with what was taken away', async () => {
    const server = await testServer()
    const invite = await door(server, KIND.invite)
    const rounds = 18
    for (let round = 0; round < rounds; round++) {
      const names = Array.from({ length: 16 }, (_, i) => `leg ${round} ${i}`)
      for (const name of names) expect((await invite.knock(name)).status).to.equal('placed')
      await invite.acknowledge(...names)
    }
    expect((await invite.knock('the last')).status).to.equal('placed')
    // The claim, its tombstones, those of one more round, and the leg.
    const most = 512 * (1 + 16 * 16 + 16 + 1) + LEG_BYTES
    expect(server.custody.counters().bytes).to.be.at.most(most)
  })

  it('wants postage, the writing key, a claim, and a kind that takes requests', async () => {
    const server = await testServer()
    const invite = await door(server, KIND.invite)
    expect((await invite.knock('leg', undefined, seedKeys('stranger').seed)).status).to.equal('refused')
    const friend = await door(server, KIND.friend)
    expect((await friend.knock('leg')).status).to.equal('refused')
    const nowhere = testMailbox('nowhere', KIND.invite)
    const unclaimed = await server.client().request({
      address: nowhere.address,
      writerSeed: nowhere.writer.seed,
      leg: leg('leg'),
      expires: server.now() + HOUR,
    })
    expect(unclaimed.status).to.equal('unclaimed')
    const dead = await server
      .client()
      .request({ address: invite.address, writerSeed: invite.writer.seed, leg: leg('leg'), expires: server.now() })
    expect(dead.status).to.equal('refused')
  })

  it('T43 gives what lies in an invite or box to its reader alone, and lets nobody else delete it', async () => {
    const server = await testServer()
    for (const kind of [KIND.invite, KIND.box]) {
      const box = await door(server, kind)
      await box.knock('leg')
      const { address, writer } = box
      const stranger = server.client()
      for (const readerSeed of [undefined, writer.seed, seedKeys('stranger').seed]) {
        const entries = [{ address, after: 0, readerSeed }]
        expect((await stranger.fetch({ entries })).status).to.equal('refused')
        expect((await stranger.subscribe({ entries })).status).to.equal('refused')
        expect((await stranger.stat({ address, cids: [copyId(leg('leg'))], readerSeed })).status).to.equal('refused')
        if (!readerSeed) continue
        const cids = [copyId(leg('leg'))]
        expect((await stranger.acknowledge({ address, readerSeed, cids })).status).to.equal('refused')
        expect((await stranger.release({ address, readerSeed })).status).to.equal('refused')
      }
      expect(await box.read()).to.deep.equal([leg('leg')])
      const known = await box.client.stat({ address, cids: [copyId(leg('leg'))], readerSeed: box.reader.seed })
      expect(known).to.have.deep.property('states', ['held'])
    }
  })

  it("T43 delivers nothing to a subscription that was made before the claim without the reader's key", async () => {
    const server = await testServer()
    const mailbox = testMailbox('door', KIND.box)
    const stranger = server.client()
    await stranger.subscribe({ entries: [{ address: mailbox.address, after: 0 }] })
    const closed = rejection(stranger.pull())
    const box = await door(server, KIND.box)
    await box.knock('leg')
    const reader = server.client()
    await reader.subscribe({ entries: [{ address: box.address, after: 0, readerSeed: box.reader.seed }] })
    expect((await reader.pull()).status).to.equal('ok')
    await server.clock.advance(1000)
    stranger.close()
    expect(await closed, 'it waited until the end').to.have.property('code', 'LINK_CLOSED')
  })

  it('T43 keeps one source prefix from filling a box, and takes from the best supplied for a new one', async () => {
    const server = await testServer()
    const box = await door(server, KIND.box)
    for (let i = 0; i < 4; i++) expect((await box.knock(`mine ${i}`, 'p0')).status).to.equal('placed')
    expect((await box.knock('mine 4', 'p0')).status).to.equal('full')
    for (let p = 1; p < 16; p++) for (let i = 0; i < 4; i++) await box.knock(`p${p} ${i}`, `p${p}`)
    expect(server.custody.counters().copies).to.equal(64)
    expect((await box.knock('honest', 'elsewhere')).status).to.equal('placed')
    const held = await box.read()
    expect(held).to.have.length(64)
    expect(held).to.deep.include(leg('honest'))
    expect(held).to.not.deep.include(leg('mine 0'))
    await box.acknowledge('mine 1', 'mine 2')
    expect((await box.knock('mine 5', 'p0')).status, 'what was taken away counts no longer').to.equal('placed')
  })

  it('remembers the sources of a bounded number of boxes, and of those that were knocked at last', async () => {
    const server = await testServer({ custody: { limits: { maxKnownBoxes: 2 } } })
    const knock = async (name: string, i: number) => {
      const mailbox = testMailbox(name, KIND.box)
      await member(server, mailbox).claim()
      const { address, writer } = mailbox
      const asked = { address, writerSeed: writer.seed, leg: leg(`${name} ${i}`), expires: server.now() + DAY }
      return (await server.client().request(asked)).status
    }
    for (let i = 0; i < 4; i++) expect(await knock('first', i)).to.equal('placed')
    await knock('second', 0)
    expect(await knock('first', 4), 'still known').to.equal('full')
    await knock('third', 0)
    expect(await knock('first', 5), 'forgotten').to.equal('placed')
  })

  it('T43 lets a new source in after a restart, which forgets all prefixes', async () => {
    let server = await testServer()
    let box = await door(server, KIND.box)
    for (let p = 0; p < 16; p++) for (let i = 0; i < 4; i++) await box.knock(`p${p} ${i}`, `p${p}`)
    server = await server.restart()
    box = await door(server, KIND.box)
    expect((await box.knock('honest', 'elsewhere')).status).to.equal('placed')
    expect(await box.read()).to.have.length(64)
  })
})
