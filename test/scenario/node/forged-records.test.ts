/**
 * A thief of somebody's root key who shows another record to one friend alone (PROTOCOL 2): the owner learns of it by that
 * friend's next message, both are told once and for good, and the friend believes what they believed before (T3).
 */
import { expect } from 'chai'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { idToText } from '../../../node/identity/root.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import type { Person } from '../../simulation/people.ts'
import { forge, startThief } from './thief.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeTalk,
  idOf,
  sayOnce,
  untilRest,
  type Village,
} from './village.ts'

async function alarmsOf(person: Person): Promise<unknown[]> {
  return (await eventsOf(person)).filter(({ event }) => event === 'alarm').map(({ detail }) => detail)
}

async function problemsOf(person: Person): Promise<string[]> {
  return (await person.do((it) => it.status())).problems.map(({ code }) => code)
}

async function pinAtBob(village: Village): Promise<unknown> {
  const [contact] = await loadContacts(diskOf(village, village.bob))
  return contact!.pin
}

describe('a thief of a root key', () => {
  it('T3 who signs another record of the same place for one friend is told of by that friend, once, on both sides', async () => {
    const village = await createVillage(31)
    const { world, alice, bob } = village
    const show = await startThief(village)
    const { own, forged } = await forge(village, (seq) => seq)
    const sent = [await sayOnce(village, alice, bob, 'before')]
    await untilRest(village)
    await show(forged)
    await world.pass(MINUTE)
    const atBob = [{ kind: 'equivocation', id: idToText(await idOf(alice)) }]
    const atAlice = [{ kind: 'unknown-head', id: idToText(await idOf(bob)) }]
    expect(await alarmsOf(bob)).to.deep.equal(atBob)
    expect(await alarmsOf(alice)).to.deep.equal([])
    sent.push(await sayOnce(village, bob, alice, 'is that you'))
    await untilRest(village)
    expect(await alarmsOf(alice)).to.deep.equal(atAlice)
    for (let i = 0; i < 2; i++) {
      expect(await problemsOf(alice)).to.deep.equal(['IDENTITY_FORGED'])
      expect(await problemsOf(bob)).to.deep.equal(['CONTACT_FORGED'])
      expect(await pinAtBob(village)).to.deep.equal(own.head)
      await world.restart('alice')
      await world.restart('bob')
      await show(forged)
      await world.pass(MINUTE)
      sent.push(await sayOnce(village, bob, alice, `and again ${i}`))
      await untilRest(village)
    }
    expect(await alarmsOf(alice)).to.deep.equal(atAlice)
    expect(await alarmsOf(bob)).to.deep.equal(atBob)
    await expectWholeTalk(village, sent)
  })

  it('T3 who signs a higher one is told of by the next word of that friend, who trusts it only until the owner has written again', async () => {
    const village = await createVillage(32)
    const { world, alice, bob } = village
    const show = await startThief(village)
    await world.pass(HOUR)
    const { forged } = await forge(village, () => Math.floor(world.now / 1000))
    await show(forged)
    await world.pass(MINUTE)
    // bob cannot tell it from a device that alice has added: nothing is sent before he has accepted it
    expect(await codeOf(bob.do((it) => it.send('alice', 'is that you')))).to.equal('KEY_CHANGED')
    await bob.do((it) => it.trust('alice'))
    await sayOnce(village, bob, alice, 'what is new')
    await world.pass(5 * MINUTE)
    expect(await alarmsOf(alice)).to.deep.equal([{ kind: 'unknown-head', id: idToText(await idOf(bob)) }])
    expect(await alarmsOf(bob), 'what may have been on its way').to.deep.equal([])
    await world.pass(2 * HOUR)
    await sayOnce(village, alice, bob, 'really nothing')
    await world.pass(5 * MINUTE)
    const atBob = [{ kind: 'not-theirs', id: idToText(await idOf(alice)) }]
    expect(await alarmsOf(bob)).to.deep.equal(atBob)
    await world.restart('bob')
    await show(forged)
    await sayOnce(village, alice, bob, 'still nothing')
    await world.pass(5 * MINUTE)
    expect(await alarmsOf(bob)).to.deep.equal(atBob)
    expect(await problemsOf(bob)).to.deep.equal(['CONTACT_FORGED'])
    expect(await problemsOf(alice)).to.deep.equal(['IDENTITY_FORGED'])
  })
})
