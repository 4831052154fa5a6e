/**
 * Mail that waits at relays: what the sender is told of it and when, how many relays count, relays that are down or lose
 * their disk, mailboxes that run full, friends who are away for longer than an envelope lives.
 */
import { expect } from 'chai'
import { MAX_UNACKNOWLEDGED_PER_FRIEND } from '../../../node/limits.ts'
import { fromHex } from '../../../node/crypto/bytes.ts'
import { TABLE } from '../../../node/ports.ts'
import { VERB } from '../../../node/wire/commands.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { befriend, say, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  eventsOf,
  expectForwardStates,
  expectWholeTalk,
  historyOf,
  idOf,
  outboxOf,
  passDays,
  sayOnce,
  type Sent,
  settle,
  tapFrames,
  untilRest,
  type Village,
} from './village.ts'

/** The states that alice was told of a message, in order. */
async function statesTold({ alice }: Village, messageId: string): Promise<string[]> {
  const told = (await eventsOf(alice)).filter(
    ({ event, detail }) => event === 'state' && detail['messageId'] === messageId,
  )
  return told.map(({ detail }) => String(detail['state']))
}

async function stateOf({ alice, bob }: Village, messageId: string): Promise<string | undefined> {
  return (await historyOf(alice, bob)).find((entry) => entry.messageId === messageId)?.state
}

describe('what is told of a message', () => {
  for (const relays of [1, 2, 3, 4]) {
    it(`goes from queued over sent and custody to delivered, with ${relays} relays and a friend who is away`, async () => {
      const village = await createVillage(100 + relays, { relays, node: { profile: 'light' } })
      const { world, alice, bob } = village
      await untilRest(village)
      world.crash('bob')
      const counted = Math.min(3, relays)
      for (let i = 1; i <= counted; i++) world.crash(`relay${i}`)
      await world.pass(MINUTE)
      const messageId = await say(alice, bob, 'hello')
      await world.pass(MINUTE)
      expect(await stateOf(village, messageId)).to.equal('queued')
      for (let i = 1; i < counted; i++) {
        await world.restart(`relay${i}`)
        await world.pass(2 * MINUTE)
        expect(await stateOf(village, messageId), `with ${i} of ${relays}`).to.equal('sent')
      }
      await world.restart(`relay${counted}`)
      await world.pass(2 * MINUTE)
      expect(await stateOf(village, messageId)).to.equal('custody')
      const [, receipts] = (await outboxOf(village, alice, bob)).map((entry) => [
        entry.state,
        entry.receipts.length,
      ])[0]!
      expect(receipts).to.equal(counted)
      await world.restart('bob')
      await world.eventually(async () => (await textsOf(bob, alice)).length === 1, 5 * MINUTE)
      await untilRest(village)
      const expected = counted === 1 ? ['custody', 'delivered'] : ['sent', 'custody', 'delivered']
      expect(await statesTold(village, messageId)).to.deep.equal(expected)
      expectForwardStates(await eventsOf(alice))
    })
  }

  it('is no custody while one of two relays is down, though it is delivered', async () => {
    const village = await createVillage(110, { relays: 2 })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('relay2')
    await world.pass(2 * MINUTE)
    const messageId = await say(alice, bob, 'hello')
    await world.eventually(async () => (await alice.it.status()).unacknowledged === 0, 5 * MINUTE)
    expect(await statesTold(village, messageId)).to.deep.equal(['sent', 'delivered'])
    await world.pass(DAY / 2)
    // nothing is kept for the relay that is gone
    await passDays(village, 2)
    expect((await outboxOf(village, alice, bob)).length + (await outboxOf(village, bob, alice)).length).to.equal(0)
  })

  it('comes once to a friend who reads it at three relays and on gossip', async () => {
    const village = await createVillage(111, { relays: 3, faults: { duplicateRate: 0.5, delayMs: [5, 5000] } })
    const { world, alice, bob } = village
    const sent: Sent[] = []
    await untilRest(village)
    await world.pass(2 * MINUTE)
    for (let i = 0; i < 8; i++) sent.push(await sayOnce(village, alice, bob, `text ${i}`))
    world.crash('bob')
    for (let i = 8; i < 12; i++) sent.push(await sayOnce(village, alice, bob, `text ${i}`))
    await world.restart('bob')
    await untilRest(village)
    await expectWholeTalk(village, sent)
    expect((await eventsOf(bob)).filter(({ event }) => event === 'message')).to.have.lengthOf(12)
    await world.pass(2 * MINUTE)
    for (const relay of village.relays) expect((await relay.do((it) => it.relayCounters())).copies).to.equal(0)
  })
})

describe('an acknowledgement', () => {
  it('that the relay refused is repeated while the link lives', async () => {
    const village = await createVillage(115, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    await world.pass(5 * MINUTE)
    await say(alice, bob, 'hello')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 1)
    world.disk('relay1').refusing = 'STORE_FULL'
    await world.pass(2 * MINUTE)
    world.disk('relay1').refusing = undefined
    await untilRest(village)
    await world.pass(5 * MINUTE)
    expect((await village.relays[0]!.do((it) => it.relayCounters())).copies).to.equal(0)
  })

  it('that two envelopes of one window bring settles the message once', async () => {
    const village = await createVillage(116, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    const messageId = await say(alice, bob, 'hello')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 1)
    // the same receipt is due once more when the message comes again under another envelope
    world.crash('alice')
    await world.pass(MINUTE)
    const due = {
      table: TABLE.receiptDue,
      scope: await idOf(alice),
      position: world.disk('bob').blind(fromHex(messageId)),
    }
    world.crash('bob')
    const image = world.disk('bob').image()
    image.rows.apply([{ key: due, value: fromHex(messageId) }])
    world.disk('bob').restore(image)
    await world.restart('bob')
    await world.pass(MINUTE)
    await world.restart('alice')
    await untilRest(village)
    expect((await statesTold(village, messageId)).filter((state) => state === 'delivered')).to.have.lengthOf(1)
  })

  it('that names a message twice settles it once', async () => {
    const village = await createVillage(119, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    const messageId = await say(alice, bob, 'hello')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 1)
    world.crash('bob')
    const image = world.disk('bob').image()
    const due = { table: TABLE.receiptDue, scope: await idOf(alice) }
    expect(image.rows.list(due)).to.have.lengthOf(1)
    image.rows.apply([{ key: { ...due, position: new Uint8Array(8) }, value: fromHex(messageId) }])
    world.disk('bob').restore(image)
    await world.restart('bob')
    await untilRest(village)
    expect((await statesTold(village, messageId)).filter((state) => state === 'delivered')).to.have.lengthOf(1)
  })
})

describe('a relay that loses its disk', () => {
  it('before the reader came loses nothing as long as another relay holds it', async () => {
    const village = await createVillage(120, { relays: 2, node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, alice, bob, 'there')]
    await world.pass(MINUTE)
    world.crash('relay1')
    world.disk('relay1').wipe()
    await world.restart('relay1')
    await world.pass(MINUTE)
    await world.restart('bob')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    // the new store is claimed anew: mail flows through it alone
    world.crash('relay2')
    await world.pass(2 * MINUTE)
    sent.push(await sayOnce(village, bob, alice, 'through the new one'))
    await world.eventually(async () => (await alice.it.history({ who: 'bob', limit: 9 })).length === 3, HOUR)
    await world.restart('relay2')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('and was the only one is filled again, at the latest when the envelopes expire', async function () {
    this.timeout(60_000)
    const village = await createVillage(121, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    const sent = [await sayOnce(village, alice, bob, 'hello')]
    await world.pass(MINUTE)
    world.crash('relay1')
    world.disk('relay1').wipe()
    await world.restart('relay1')
    await world.pass(MINUTE)
    await world.restart('bob')
    await world.pass(10 * MINUTE)
    await passDays(village, 31)
    await untilRest(village, 2 * DAY)
    await expectWholeTalk(village, sent)
  })
})

describe('a person who goes to other relays', () => {
  it('tells the friend, who writes there from then on, and reads what still lies at the old one', async () => {
    const village = await createVillage(125, { relays: 2, friends: false, node: { profile: 'light' } })
    const { world, addresses } = village
    const [first, second] = addresses as [string, string]
    const here: { relays: readonly string[] } = { relays: [first] }
    const carol = await settle(village, 'carol', { profile: 'light', relays: [first] })
    // options are read at each start
    const dave = await settle(village, 'dave', {
      profile: 'light',
      get relays() {
        return here.relays
      },
    })
    village.alice = carol
    village.bob = dave
    await befriend(world, carol, dave)
    await untilRest(village)
    world.crash('dave')
    const sent = [await sayOnce(village, carol, dave, 'where are you')]
    await world.pass(MINUTE)
    here.relays = [second]
    await world.restart('dave')
    await untilRest(village, HOUR)
    world.crash('relay1')
    await world.pass(2 * MINUTE)
    sent.push(await sayOnce(village, carol, dave, 'so there'))
    await world.eventually(async () => (await textsOf(dave, carol)).length === 2, HOUR)
    await world.restart('relay1')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
    await world.restart('dave')
    await untilRest(village, HOUR)
    expect((await dave.do((it) => it.status())).relays.map(({ address }) => address)).to.deep.equal([second])
  })
})

describe('a mailbox that is full', () => {
  it('takes the rest in order when its reader has drained it', async function () {
    this.timeout(60_000)
    const village = await createVillage(130, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    await world.pass(2 * MINUTE)
    world.crash('bob')
    // a reader who acknowledged in one week has room for twice 128
    const texts = Array.from({ length: 270 }, (_, i) => `text ${i}`)
    for (const text of texts) await say(alice, bob, text)
    await world.pass(5 * MINUTE)
    const states = (await historyOf(alice, bob)).map(({ state }) => state)
    expect(states.filter((state) => state === 'custody')).to.have.lengthOf(256)
    expect(states.slice(256).every((state) => state === 'queued')).to.equal(true)
    await world.restart('bob')
    // not an hour later: who reads makes room, and the receipts say so
    await world.eventually(async () => (await bob.it.history({ who: 'alice', limit: 300 })).length === 270, 5 * MINUTE)
    await untilRest(village, 2 * HOUR)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(texts)
  })

  it('is not asked again and again by every new text', async () => {
    let puts = 0
    const village = await createVillage(131, {
      node: { profile: 'light' },
      relayHooks: tapFrames((verb) => {
        if (verb === VERB.put) puts++
      }),
    })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    for (let i = 0; i < 130; i++) await say(alice, bob, `text ${i}`)
    await world.pass(2 * MINUTE)
    const before = puts
    for (let i = 0; i < 20; i++) {
      await say(alice, bob, `more ${i}`)
      await world.pass(SECOND)
    }
    expect(puts - before, 'puts at a full mailbox').to.be.at.most(20)
  })
})

describe('a friend who is away', () => {
  it('for 35 days has their mail when they come back, and can be reached again', async function () {
    this.timeout(60_000)
    const village = await createVillage(140, { relays: 2 })
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'before'), await sayOnce(village, bob, alice, 'I am off')]
    await untilRest(village)
    world.crash('bob')
    await world.pass(MINUTE)
    sent.push(await sayOnce(village, alice, bob, 'early'))
    await passDays(village, 34)
    sent.push(await sayOnce(village, alice, bob, 'late'))
    await passDays(village, 1)
    await world.restart('bob')
    await world.eventually(async () => (await textsOf(bob, alice)).length === 3, 10 * MINUTE)
    await untilRest(village, DAY)
    sent.push(await sayOnce(village, bob, alice, 'back'))
    await untilRest(village, DAY)
    await expectWholeTalk(village, sent)
    // new prekeys are out: somebody else can ask
    const carol = await settle(village, 'carol')
    await befriend(world, bob, carol)
    expectForwardStates(await eventsOf(alice))
  })

  it(`gets ${MAX_UNACKNOWLEDGED_PER_FRIEND} messages at most before they answer, and all of them`, async function () {
    this.timeout(120_000)
    const village = await createVillage(141, { node: { profile: 'light' } })
    const { world, alice, bob } = village
    await untilRest(village)
    world.crash('bob')
    const texts = Array.from({ length: MAX_UNACKNOWLEDGED_PER_FRIEND }, (_, i) => `text ${i}`)
    await alice.do(async (it) => {
      for (const text of texts) await it.send('bob', text)
    })
    expect(await codeOf(say(alice, bob, 'one too many'))).to.equal('TOO_MANY')
    await world.restart('bob')
    await untilRest(village, DAY)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(texts)
    await say(alice, bob, 'and one more')
    await untilRest(village, DAY)
  })
})
