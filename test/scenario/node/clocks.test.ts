/**
 * A clock that is a year wrong on one side. Windows and expiry go by protocol time, which two relays put right; the order of
 * what people see goes by no clock at all.
 */
import { expect } from 'chai'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import { befriend, type Person, textsOf } from '../../simulation/people.ts'
import {
  createVillage,
  eventsOf,
  expectWholeLog,
  expectWholeTalk,
  passDays,
  historyOf,
  sayOnce,
  type Sent,
  settle,
  untilRest,
  type Village,
} from './village.ts'

const YEAR = 365 * DAY

async function talk(village: Village, label: string): Promise<Sent[]> {
  const { alice, bob } = village
  const sent: Sent[] = []
  for (const [i, [from, to]] of (
    [
      [alice, bob],
      [bob, alice],
      [alice, bob],
    ] as [Person, Person][]
  ).entries()) {
    sent.push(await sayOnce(village, from, to, `${label} ${i}`))
    await village.world.pass(20_000)
  }
  return sent
}

describe('a clock that is wrong', () => {
  for (const [what, skew] of [
    ['a year ahead', YEAR],
    ['a year behind', -YEAR],
    ['an hour and a half ahead', 1.5 * HOUR],
  ] as const) {
    it(`by ${what} at one friend lets mail flow where two relays tell the time`, async () => {
      const village = await createVillage(200, { relays: 2 })
      const { world, alice, bob } = village
      const sent = await talk(village, 'right')
      await untilRest(village)
      world.skew('bob', skew)
      await world.restart('bob')
      await world.pass(MINUTE)
      sent.push(...(await talk(village, 'wrong')))
      await untilRest(village, 2 * HOUR)
      await passDays(village, 3)
      sent.push(...(await talk(village, 'still wrong')))
      await untilRest(village, 2 * HOUR)
      world.skew('bob', 0)
      await world.restart('bob')
      sent.push(...(await talk(village, 'right again')))
      await untilRest(village, 2 * HOUR)
      await expectWholeTalk(village, sent)
      await expectWholeLog(village, bob)
      for (const one of [alice, bob]) {
        expect((await eventsOf(one)).filter(({ event }) => event === 'friend')).to.have.lengthOf(1)
      }
    })
  }

  it('by a year ahead at one friend lets mail flow at a single relay too', async () => {
    const village = await createVillage(201)
    const { world } = village
    await untilRest(village)
    world.skew('bob', YEAR)
    await world.restart('bob')
    await world.pass(MINUTE)
    const sent = await talk(village, 'wrong')
    await untilRest(village, 2 * HOUR)
    await expectWholeTalk(village, sent)
  })

  it('by a year behind keeps mail at home where a single relay tells the time, and loses none of it', async () => {
    const village = await createVillage(202)
    const { world, alice, bob } = village
    await untilRest(village)
    world.skew('bob', -YEAR)
    await world.restart('bob')
    await world.pass(MINUTE)
    const sent = [await sayOnce(village, bob, alice, 'from last year'), await sayOnce(village, alice, bob, 'hello')]
    await world.eventually(async () => (await textsOf(bob, alice)).length === 1, HOUR)
    expect(await alice.do(() => textsOf(alice, bob))).to.deep.equal([])
    expect((await historyOf(bob, alice)).find(({ direction }) => direction === 'out')?.state).to.not.equal('delivered')
    world.skew('bob', 0)
    await world.restart('bob')
    await untilRest(village, HOUR)
    await expectWholeTalk(village, sent)
  })

  it('by a year behind at the first start of all does not keep anybody from making friends', async () => {
    const village = await createVillage(203, { relays: 2, friends: false })
    const { world, alice } = village
    world.skew('carol', -YEAR)
    const carol = await settle(village, 'carol')
    await befriend(world, alice, carol)
    const dave = await settle(village, 'dave')
    await befriend(world, carol, dave)
  })
})
