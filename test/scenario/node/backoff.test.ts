/** When what waits is tried again: at a relay that had no room, and on gossip, once the friend is heard. */
import { expect } from 'chai'
import { VERB } from '../../../node/wire/commands.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../simulation/engine.ts'
import { addressOf, befriend, say, startRelay, textsOf } from '../../simulation/people.ts'
import { createVillage, outboxOf, settle, tapFrames, untilRest, type Village } from './village.ts'

/** {1: 1, 2: h'', 3: 3600}: full, again in an hour. */
const FULL = new Uint8Array([0xa3, 1, 1, 2, 0x40, 3, 0x19, 0x0e, 0x10])

interface Box {
  isFull: boolean
  puts: number
}

/** Carol and Dave with a relay each; Dave's, relay2, answers puts as `box` says. */
async function createPair(seed: number, profile: 'light' | 'normal'): Promise<{ village: Village; box: Box }> {
  const box: Box = { isFull: false, puts: 0 }
  const hooks = tapFrames(
    (verb) => {
      if (verb === VERB.put && box.isFull) box.puts++
    },
    undefined,
    (verb) => (verb === VERB.put && box.isFull ? FULL : undefined),
  )
  const village = await createVillage(seed, { friends: false, node: { profile: 'light' } })
  const first = village.addresses[0]!
  const second = await addressOf(await startRelay(village.world, 'relay2', {}, hooks))
  village.alice = await settle(village, 'carol', { profile, relays: [first] })
  village.bob = await settle(village, 'dave', { profile, relays: [second] })
  await befriend(village.world, village.alice, village.bob)
  await untilRest(village)
  await village.world.pass(MINUTE)
  return { village, box }
}

describe('what waits for a friend', () => {
  it('stops at the first refusal, asks with one put, and goes at once when the friend is heard', async () => {
    const { village, box } = await createPair(700, 'light')
    const { world, alice: carol, bob: dave } = village
    box.isFull = true
    const texts = Array.from({ length: 40 }, (_, i) => `text ${i}`)
    await carol.do(async (it) => {
      for (const text of texts) await it.send('dave', text)
    })
    await world.pass(MINUTE)
    // what went out side by side before the first answer, and no more
    expect(box.puts).to.be.within(1, 16)
    box.puts = 0
    await world.pass(3 * HOUR)
    expect(box.puts, 'one an hour').to.be.within(2, 4)
    box.isFull = false
    // the answer said: in an hour; but he speaks
    await world.pass(MINUTE)
    expect(await dave.do(() => textsOf(dave, carol))).to.deep.equal([])
    box.isFull = true
    box.puts = 0
    await say(dave, carol, 'still full?')
    await world.pass(MINUTE)
    expect(box.puts, 'asked because of his word').to.be.within(1, 2)
    box.isFull = false
    await say(dave, carol, 'now?')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 40, 2 * MINUTE)
    expect(await dave.do(() => textsOf(dave, carol))).to.deep.equal(texts)
  })

  it('is published again when the friend is heard, once in ten minutes', async () => {
    const { village, box } = await createPair(701, 'normal')
    const { world, alice: carol, bob: dave } = village
    box.isFull = true
    world.crash('dave')
    const id = await say(carol, dave, 'over gossip alone')
    await world.pass(30 * MINUTE)
    await world.restart('dave')
    await world.pass(15 * MINUTE)
    const published = async (): Promise<number> => {
      const { steps } = await carol.do((it) => it.trace(id))
      return steps.filter(({ step }) => step === 'published').length
    }
    expect(await published()).to.equal(1)
    await say(dave, carol, 'I am back')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, MINUTE)
    await world.pass(SECOND)
    expect(await published()).to.equal(2)
  })

  it('waits for nothing more once the friend has acknowledged what was refused', async () => {
    const { village, box } = await createPair(703, 'normal')
    const { world, alice: carol, bob: dave } = village
    box.isFull = true
    await say(carol, dave, 'over gossip alone')
    await world.eventually(async () => (await carol.it.status()).unacknowledged === 0, MINUTE)
    expect(box.puts, 'the relay refused it').to.be.above(0)
    box.isFull = false
    world.crash('dave')
    await say(carol, dave, 'for the relay')
    await world.pass(MINUTE)
    const [entry] = await outboxOf(village, carol, dave)
    expect(entry!.receipts, 'not an hour later, as the relay said before').to.have.lengthOf(1)
    await world.restart('dave')
  })

  it('does not wait behind an envelope that has expired, which no relay takes', async () => {
    const { village, box } = await createPair(704, 'light')
    const { world, alice: carol, bob: dave } = village
    box.isFull = true
    await say(carol, dave, 'before')
    await world.pass(MINUTE)
    box.isFull = false
    for (const name of ['relay1', 'relay2', 'carol', 'dave']) world.skew(name, 35 * DAY)
    await say(dave, carol, 'five weeks later')
    await world.eventually(async () => (await textsOf(carol, dave)).length === 1, MINUTE)
    await world.pass(10 * SECOND)
    await say(carol, dave, 'after')
    await world.eventually(async () => (await textsOf(dave, carol)).length === 1, MINUTE)
    // by the hour what has expired is sealed again
    await world.pass(HOUR)
    expect(await dave.do(() => textsOf(dave, carol))).to.have.members(['after', 'before'])
  })

  it('at one relay does not wait for a friend whose mailbox there is full', async () => {
    const { village } = await createPair(702, 'light')
    const { world, alice: carol, bob: dave } = village
    const { relays } = await dave.do((it) => it.status())
    const erin = await settle(village, 'erin', { profile: 'light', relays: relays.map(({ address }) => address) })
    await befriend(world, carol, erin)
    world.crash('dave')
    await carol.do(async (it) => {
      for (let i = 0; i < 150; i++) await it.send('dave', `text ${i}`)
    })
    await say(carol, erin, 'meanwhile')
    await world.eventually(async () => (await textsOf(erin, carol)).length === 1, 5 * MINUTE)
    await world.restart('dave')
  })
})
