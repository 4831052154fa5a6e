/**
 * Two friends among faults from the very first moment: lost, doubled and reordered gossip, broken links, crashes, a relay
 * that comes and goes. Nothing is lost, nothing is shown twice, what follows stands behind what it follows, and in the end
 * nothing is on its way (T11).
 */
import { expect } from 'chai'
import { BUCKET_BITS } from '../../../node/node.ts'
import { allTopics, topicOf } from '../../../node/mailbox/buckets.ts'
import { seeded } from '../../support/seed.ts'
import { HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { NO_FAULTS } from '../../simulation/faults.ts'
import {
  codeOf,
  createVillage,
  eventsOf,
  eventually,
  expectForwardStates,
  expectKeysUsedOnce,
  expectWholeLog,
  expectWholeTalk,
  idOf,
  meet,
  sayOnce,
  type Sent,
  startStranger,
  untilRest,
  type Village,
} from './village.ts'

/** Both talk in turn and across each other, `count` texts in all. */
async function chatter(village: Village, count: number): Promise<Sent[]> {
  const { world, alice, bob } = village
  const sent: Sent[] = []
  for (let i = 0; i < count; i++) {
    const [from, to] = world.random.chance(0.5) ? [alice, bob] : [bob, alice]
    sent.push(await sayOnce(village, from, to, `text ${i} at ${world.elapsed}`))
    await world.pass(world.random.int(0, 20 * SECOND))
  }
  return sent
}

async function expectSound(village: Village, sent: Sent[]): Promise<void> {
  const { alice, bob } = village
  await expectWholeTalk(village, sent)
  for (const [one, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    await expectKeysUsedOnce(village, one, other)
    await expectWholeLog(village, one)
    expectForwardStates(await eventsOf(one))
  }
}

describe('two friends among faults', () => {
  seeded('T11 lose nothing, show nothing twice and keep the order of cause, befriending included', 6, async (seed) => {
    const village = await createVillage(seed, { relays: 1 + (seed % 3), friends: false })
    const { world, alice, bob } = village
    Object.assign(world.rates, { dropRate: 0.15, duplicateRate: 0.15, breakRate: 0.01, crashRate: 0.004 })
    world.rates.delayMs = [5, 3000]
    await meet(village)
    const sent = await chatter(village, 12)
    world.net.partition(alice.name, ['relay1', bob.name])
    sent.push(...(await chatter(village, 4)))
    world.net.heal()
    world.crash('relay1')
    sent.push(...(await chatter(village, 4)))
    await world.restart('relay1')
    sent.push(...(await chatter(village, 4)))
    expect(world.faults.dropped + world.faults.duplicated + world.faults.broken, 'faults').to.be.greaterThan(0)
    Object.assign(world.rates, NO_FAULTS)
    await untilRest(village, 12 * HOUR)
    await expectSound(village, sent)
  })

  it('T11 hear their own envelopes come back, doubled, late and in any order, and show each text once', async () => {
    const village = await createVillage(3)
    const { world, alice, bob } = village
    const { stranger, overheard } = await startStranger(village, 'mallory', allTopics(BUCKET_BITS))
    const sent = await chatter(village, 6)
    await untilRest(village)
    const shown = (await eventsOf(alice)).length + (await eventsOf(bob)).length
    expect(overheard.length).to.be.greaterThan(6)
    const topics = [topicOf(await idOf(alice), BUCKET_BITS), topicOf(await idOf(bob), BUCKET_BITS)]
    for (const wait of [0, 3 * MINUTE, 11 * MINUTE, HOUR]) {
      await world.pass(wait)
      for (const { envelope } of world.random.shuffle(overheard)) {
        for (const topic of topics) await stranger.do(({ network }) => network.publish(topic, envelope))
      }
      await world.pass(30 * SECOND)
    }
    await untilRest(village)
    expect((await eventsOf(alice)).length + (await eventsOf(bob)).length).to.equal(shown)
    await expectSound(village, sent)
  })

  it('say what followed behind what it followed when the relay alone carries it, in the wrong order', async () => {
    const village = await createVillage(4, { relays: 2, node: { profile: 'light' } })
    const { world, alice, bob } = village
    // bob reaches one relay, alice the other: her texts wait at relay1 while his lie at relay2
    const first = await sayOnce(village, alice, bob, 'first')
    world.net.partition(bob.name, 'relay1')
    world.net.partition(alice.name, 'relay2')
    const sent = [first, await sayOnce(village, alice, bob, 'second'), await sayOnce(village, bob, alice, 'meanwhile')]
    await world.pass(5 * MINUTE)
    world.net.heal()
    await eventually(village, async () => (await alice.it.history({ who: 'bob', limit: 9 })).length === 3)
    sent.push(await sayOnce(village, alice, bob, 'third'))
    await untilRest(village, 12 * HOUR)
    await expectSound(village, sent)
  })

  for (const code of ['STORE_FULL', 'STORE_FAILED'] as const) {
    it(`go on after a disk that wrote nothing for a while (${code}), and have lost nothing`, async () => {
      const village = await createVillage(6, { relays: 2 })
      const { world, alice, bob } = village
      const sent = await chatter(village, 2)
      world.disk('bob').refusing = code
      for (let i = 0; i < 3; i++) sent.push(await sayOnce(village, alice, bob, `while it is full ${i}`))
      await world.pass(10 * SECOND)
      expect(await codeOf(bob.do((it) => it.send('alice', 'not written')))).to.equal(code)
      await world.pass(5 * MINUTE)
      expect(await codeOf(bob.do((it) => it.send('alice', 'not written either')))).to.equal(code)
      world.disk('bob').refusing = undefined
      await eventually(village, async () => (await bob.it.history({ who: 'alice', limit: 99 })).length === 5, HOUR)
      sent.push(...(await chatter(village, 3)))
      await untilRest(village, 12 * HOUR)
      await expectSound(village, sent)
    })
  }

  it('keep a log without gaps that is what was heard, over restarts', async () => {
    const village = await createVillage(5)
    const { world, alice, bob } = village
    const sent = await chatter(village, 3)
    await world.restart(bob.name)
    sent.push(...(await chatter(village, 3)))
    await world.restart(alice.name)
    sent.push(...(await chatter(village, 3)))
    await untilRest(village)
    await expectSound(village, sent)
    const log = await eventsOf(alice)
    const heard = village.villagers.get('alice')!.heard
    expect(heard).to.deep.equal(log)
    const page = await alice.do((it) => it.eventsSince(log[3]!.cursor, 2))
    expect(page).to.deep.equal(log.slice(4, 6))
    expect(await alice.do((it) => it.lastCursor())).to.equal(log.length)
  })
})
