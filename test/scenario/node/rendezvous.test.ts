/** Friends whom no relay joins any more, and who find each other through the DHT. */
import { expect } from 'chai'
import { DAY, HOUR, MINUTE } from '../../simulation/engine.ts'
import { befriend, textsOf } from '../../simulation/people.ts'
import { createVillage, expectWholeTalk, passDays, sayOnce, type Sent, settle, untilRest } from './village.ts'

describe('two friends whose relays have all vanished', () => {
  it('meet again when each took another while the other was away', async function () {
    this.timeout(60_000)
    const village = await createVillage(800, { relays: 3, friends: false, node: { profile: 'light' } })
    const { world, addresses } = village
    const [first, second, third] = addresses as [string, string, string]
    world.crash('alice')
    world.crash('bob')
    const at = { carol: [first], dave: [first] }
    // options are read at each start
    const person = async (name: 'carol' | 'dave') =>
      await settle(village, name, {
        profile: 'light',
        get relays() {
          return at[name]
        },
      })
    const carol = await person('carol')
    const dave = await person('dave')
    village.alice = carol
    village.bob = dave
    await befriend(world, carol, dave)
    await untilRest(village)
    const sent: Sent[] = []

    world.crash('relay1')
    world.crash('dave')
    at.carol = [second]
    world.crash('carol')
    await world.restart('carol')
    sent.push(await sayOnce(village, carol, dave, 'I read at the second now'))
    await world.pass(HOUR)
    world.crash('carol')
    at.dave = [third]
    await world.restart('dave')
    sent.push(await sayOnce(village, dave, carol, 'I read at the third now'))
    await world.pass(HOUR)
    await world.restart('carol')
    await world.pass(HOUR)
    expect(await carol.do(() => textsOf(carol, dave))).to.deep.equal([])
    expect(await dave.do(() => textsOf(dave, carol))).to.deep.equal([])

    // most of the week neither is there
    world.crash('carol')
    world.crash('dave')
    await passDays(village, 8)
    await world.restart('carol')
    await world.restart('dave')
    await untilRest(village, DAY)
    await expectWholeTalk(village, sent)
    sent.push(await sayOnce(village, dave, carol, 'there you are'))
    await untilRest(village, 10 * MINUTE)
    await expectWholeTalk(village, sent)
  })
})
