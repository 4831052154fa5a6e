/** Whole nodes in the simulator: they run under the guard, meet, talk, and repeat to the byte. */
import { expect } from 'chai'
import { seeded } from '../support/seed.ts'
import { addressOf, befriend, say, startPerson, startRelay, textsOf } from './people.ts'
import { createWorld, type World } from './world.ts'

/** Two people make friends at a relay and talk, while one of them is away for a while. */
async function talk(seed: number): Promise<World> {
  const world = createWorld(seed, { record: true })
  const relays = [await addressOf(await startRelay(world, 'relay'))]
  const alice = await startPerson(world, 'alice', { relays })
  const bob = await startPerson(world, 'bob', { relays })
  await befriend(world, alice, bob)
  await say(alice, bob, 'hello')
  await world.eventually(async () => (await textsOf(bob, alice)).length === 1)
  world.crash('bob')
  await say(alice, bob, 'are you there')
  await world.restart('bob')
  await world.eventually(async () => (await textsOf(bob, alice)).length === 2)
  const texts = await bob.do(() => textsOf(bob, alice))
  expect(texts.toSorted()).to.deep.equal(['are you there', 'hello'])
  await say(bob, alice, 'yes')
  await world.eventually(async () => (await textsOf(alice, bob)).length === 1)
  return world
}

describe('people in a simulated world', () => {
  seeded('make friends, talk, and have one trace for one seed', 2, async (seed) => {
    const [first, second] = [await talk(seed), await talk(seed)]
    const { lines } = first.trace
    expect(
      second.trace.lines!.find((line, index) => line !== lines![index]),
      'first difference',
    ).to.equal(undefined)
    expect(second.trace.digest()).to.equal(first.trace.digest())
  })
})
