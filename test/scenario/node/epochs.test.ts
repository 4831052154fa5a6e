/** The post-quantum half of the ratchet at whole nodes (PROTOCOL 8): it turns as days pass, and tells when it is contradicted. */
import { expect } from 'chai'
import { loadChannel, putLane } from '../../../node/delivery/channel.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { idToText } from '../../../node/identity/root.ts'
import { currentEpoch } from '../../../node/session/pq-ratchet.ts'
import type { SessionState } from '../../../node/session/session-state.ts'
import type { Person } from '../../simulation/people.ts'
import { say } from '../../simulation/people.ts'
import { createVillage, diskOf, eventsOf, historyOf, idOf, passDays, untilRest, type Village } from './village.ts'

async function laneOf(village: Village, person: Person, friend: Person) {
  const [lane] = (await loadChannel(diskOf(village, person), await idOf(friend))).lanes
  return lane!
}

async function sessionOf(village: Village, person: Person, friend: Person): Promise<SessionState> {
  return (await laneOf(village, person, friend)).session
}

/** A day, a word each way, and another one: what one side offered is answered and shown. */
async function talkForADay(village: Village, day: number): Promise<void> {
  const { alice, bob } = village
  await passDays(village, 1)
  for (const round of [1, 2]) {
    await say(alice, bob, `day ${day}, ${round}`)
    await untilRest(village)
    await say(bob, alice, `day ${day}, ${round}, too`)
    await untilRest(village)
  }
}

describe('post-quantum epochs of two nodes', () => {
  it('turn as days pass, over a restart, and nobody is alarmed', async () => {
    const village = await createVillage(811)
    const { world, alice, bob } = village
    await untilRest(village)
    for (let day = 1; day <= 3; day++) {
      await talkForADay(village, day)
      if (day === 2) await world.restart('bob')
    }
    const [a, b] = [await sessionOf(village, alice, bob), await sessionOf(village, bob, alice)]
    expect(currentEpoch(a.pq)).to.equal(3)
    expect(b.pq.rootKey).to.deep.equal(a.pq.rootKey)
    for (const person of [alice, bob]) {
      expect((await eventsOf(person)).filter(({ event }) => event === 'alarm')).to.deep.equal([])
    }
    expect((await historyOf(bob, alice)).filter(({ type }) => type === 'text')).to.have.lengthOf(12)
  })

  it('T3 tell of another key for an epoch, once, and the message comes all the same', async () => {
    const village = await createVillage(812)
    const { world, alice, bob } = village
    await untilRest(village)
    // to each of them another key was said before: whoever is offered one next hears a contradiction
    for (const [person, friend] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const id = await idOf(friend)
      const lane = await laneOf(village, person, friend)
      world.crash(person.name)
      const image = world.disk(person.name).image()
      const session = { ...lane.session, pq: { ...lane.session.pq, heard: [{ epoch: 1, digest: new Uint8Array(32) }] } }
      const tx = new Transaction()
      putLane(tx, id, lane, { ...lane, session, highestTag: lane.window.highest })
      image.rows.apply(tx.changes)
      world.disk(person.name).restore(image)
      await world.restart(person.name)
    }
    await talkForADay(village, 1)
    await talkForADay(village, 2)
    const alarms = await Promise.all(
      [alice, bob].map(async (person) => (await eventsOf(person)).filter(({ event }) => event === 'alarm')),
    )
    const told = alarms.flat().map(({ detail }) => detail)
    expect(told).to.have.lengthOf(1)
    expect([idToText(await idOf(alice)), idToText(await idOf(bob))]).to.include(told[0]!.id)
    expect(told[0]!.kind).to.equal('session')
    expect(currentEpoch((await sessionOf(village, alice, bob)).pq)).to.equal(0)
    expect((await historyOf(bob, alice)).filter(({ type }) => type === 'text')).to.have.lengthOf(8)
  })
})
