/**
 * Whether the record of somebody who is asked by ID is the newest (PROTOCOL 2): two relays that one used before sign so, or the
 * friend says it; and friends of whom nothing was heard for long are looked up.
 */
import { expect } from 'chai'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { idToText } from '../../../node/identity/root.ts'
import type { Head } from '../../../node/wire/records.ts'
import { MINUTE } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import { createVillage, diskOf, eventsOf, idOf, passDays, settle, type Village } from './village.ts'

async function freshnessOf(person: Person, petname: string): Promise<unknown> {
  const friend = (await person.do((it) => it.friends())).find((one) => one.petname === petname)
  return [friend?.state, friend?.freshness]
}

async function toldOf(person: Person): Promise<unknown[]> {
  const events = (await eventsOf(person)).filter(({ detail }) => 'freshness' in detail)
  return events.map(({ detail }) => detail['freshness'])
}

/** bob asks carol by ID, and the request is on its way. */
async function ask({ world, bob }: Village, carol: Person): Promise<void> {
  const id = idToText(await idOf(carol))
  await bob.do((it) => it.add({ target: id, petname: 'carol' }))
  await world.eventually(async () => (await carol.it.requests()).length === 1, 5 * MINUTE)
}

describe('a record that was found by ID', () => {
  it('is the newest when two relays that one used before say so', async () => {
    const village = await createVillage(1, { friends: false, relays: 2 })
    const carol = await settle(village, 'carol', { requests: 'open' })
    await village.world.pass(2 * MINUTE)
    await ask(village, carol)
    expect(await freshnessOf(village.bob, 'carol')).to.deep.equal(['outgoing', undefined])
    expect(await toldOf(village.bob)).to.deep.equal([])
  })

  for (const [who, relaysOf] of [
    ['one relay alone', (addresses: string[]) => addresses.slice(0, 1)],
    ['relays that only the record names', (addresses: string[]) => addresses.slice(2)],
  ] as const) {
    it(`is unconfirmed on the word of ${who}, goes out, and is confirmed by the friend`, async () => {
      const village = await createVillage(2, { friends: false, relays: 4, node: {} })
      const { world, addresses } = village
      const bob = await settle(village, 'dave', { relays: addresses.slice(0, 2) })
      const carol = await settle(village, 'carol', { requests: 'open', relays: relaysOf(addresses) })
      await world.pass(2 * MINUTE)
      await ask({ ...village, bob }, carol)
      expect(await freshnessOf(bob, 'carol')).to.deep.equal(['outgoing', 'unconfirmed'])
      await world.restart('dave')
      expect(await freshnessOf(bob, 'carol'), 'after a restart').to.deep.equal(['outgoing', 'unconfirmed'])
      await carol.do((it) => it.accept('dave', 'dave'))
      await world.eventually(async () => (await bob.it.friends())[0]?.state === 'friend', 5 * MINUTE)
      await world.pass(MINUTE)
      expect(await freshnessOf(bob, 'carol')).to.deep.equal(['friend', undefined])
      expect(await toldOf(bob)).to.deep.equal(['unconfirmed', 'confirmed'])
    })
  }

  it('is asked about again every day', async () => {
    const village = await createVillage(3, { friends: false, relays: 3 })
    const { world, addresses } = village
    const bob = await settle(village, 'dave', { relays: addresses.slice(0, 2) })
    const carol = await settle(village, 'carol', { requests: 'open' })
    await world.pass(2 * MINUTE)
    world.net.partition('dave', 'relay1')
    await ask({ ...village, bob }, carol)
    expect(await freshnessOf(bob, 'carol')).to.deep.equal(['outgoing', 'unconfirmed'])
    world.net.heal()
    await passDays(village, 2)
    expect(await freshnessOf(bob, 'carol')).to.deep.equal(['outgoing', undefined])
  })
})

describe('a friend of whom nothing is heard', () => {
  it('is looked up after a week: the record may be another by now', async () => {
    let requests: 'invite' | 'open' = 'invite'
    const node = {
      get requests() {
        return requests
      },
    }
    const village = await createVillage(4, { node })
    const { world, bob } = village
    const pinned = async (): Promise<Head> => (await loadContacts(diskOf(village, bob)))[0]!.pin!
    const first = await pinned()
    world.crash('bob')
    await passDays(village, 5)
    // another record, and not a word
    requests = 'open'
    await world.restart('alice')
    await world.pass(5 * MINUTE)
    world.crash('alice')
    requests = 'invite'
    await world.restart('bob')
    await world.pass(5 * MINUTE)
    expect(await pinned(), 'after five days').to.deep.equal(first)
    await passDays(village, 8)
    expect((await pinned()).seq, 'after more than a week').to.be.greaterThan(first.seq)
  })
})
