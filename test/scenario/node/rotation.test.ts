/**
 * A root key that is replaced (PROTOCOL 1 and 2): the owner has the words, the ID stays, friends follow by themselves, nobody
 * who was compared stays so, and what waits arrives once.
 */
import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { loadChannel, sendingLane } from '../../../node/delivery/channel.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { readIdentityRecord } from '../../../node/identity/records.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import { type Person, phraseOf, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  historyOf,
  idOf,
  sayOnce,
  untilRest,
  type Village,
} from './village.ts'

export async function rotate(village: Village, person: Person): Promise<void> {
  const words = phraseOf(village.world, person)
  await person.do((it) => it.rotateIdentity(words))
}

const viewOf = async (person: Person, friend: Person) =>
  (await person.do((it) => it.friends())).find(({ petname }) => petname === friend.name)!

/** The record of a friend that a person believes. */
async function believedBy(village: Village, person: Person, friend: Person) {
  const contacts = await loadContacts(diskOf(village, person))
  return readIdentityRecord(contacts.find(({ petname }) => petname === friend.name)!.record!)
}

async function laneOf(village: Village, person: Person, friend: Person): Promise<string> {
  const lane = sendingLane(await loadChannel(diskOf(village, person), await idOf(friend)))
  return lane ? toHex(lane.id) : 'none'
}

/** Lets time go by until a person believes a record of so many key events. */
async function untilFollowed(village: Village, person: Person, friend: Person, events = 1): Promise<void> {
  await village.world.eventually(
    async () => (await believedBy(village, person, friend)).head.events === events,
    2 * HOUR,
  )
}

describe('a root key that is replaced', function () {
  this.timeout(60_000)

  it('is followed by friends, who are told, and write again once they accepted it', async () => {
    const village = await createVillage(900)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one'), await sayOnce(village, bob, alice, 'two')]
    await untilRest(village)
    await bob.do((it) => it.verify('alice', {}))
    const { safetyNumber: before } = await bob.do((it) => it.verify('alice'))
    const id = await alice.do((it) => it.id)
    const lane = await laneOf(village, bob, alice)
    await world.pass(2 * MINUTE)

    await rotate(village, alice)
    expect(await alice.do((it) => it.id)).to.equal(id)
    sent.push(await sayOnce(village, alice, bob, 'it is still me'))
    await untilFollowed(village, bob, alice)

    expect(await viewOf(bob, alice)).to.include({ verified: false, trust: 'changed', keysChanged: true })
    const told = (await eventsOf(bob)).filter(({ detail }) => detail['keyChanged'] === true)
    expect(
      told.map(({ detail }) => [detail['wasVerified'], detail['newDevice'], detail['deviceRevoked']]),
    ).to.deep.equal([[true, true, true]])
    expect(await codeOf(bob.do((it) => it.send('alice', 'three')))).to.equal('KEY_CHANGED')
    await world.eventually(async () => (await textsOf(bob, alice)).includes('it is still me'), HOUR)
    await world.pass(HOUR)
    // nothing was said to keys that nobody accepted
    expect(await laneOf(village, bob, alice)).to.equal('none')
    expect((await historyOf(alice, bob)).at(-1)!.state).to.not.equal('delivered')

    const { safetyNumber: after } = await bob.do((it) => it.verify('alice'))
    expect(after).to.not.equal(before)
    expect((await alice.do((it) => it.verify('bob'))).safetyNumber).to.equal(after)
    await bob.do((it) => it.verify('alice', { number: after }))
    expect(await viewOf(bob, alice)).to.deep.include({ verified: true, trust: 'verified' })
    expect(await viewOf(bob, alice)).to.not.have.property('keysChanged')
    sent.push(await sayOnce(village, bob, alice, 'three'))
    await untilRest(village, HOUR)
    expect(await laneOf(village, bob, alice)).to.equal(await laneOf(village, alice, bob))
    expect(await laneOf(village, bob, alice)).to.not.equal(lane)
    for (const [reader, writer] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const history = await historyOf(reader, writer)
      const texts = history.filter(({ type }) => type === 'text')
      expect(texts.map(({ text }) => text).toSorted()).to.deep.equal(sent.map(({ text }) => text).toSorted())
      for (const { state, text } of texts) expect(state, text).to.equal('delivered')
      expect(history.filter(({ type }) => type === 'notice')).to.have.lengthOf(1)
      expect(history.filter(({ missing }) => missing !== undefined)).to.deep.equal([])
    }
  })
})
