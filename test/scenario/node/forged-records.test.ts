/**
 * A thief of somebody's root key who shows another record to one friend alone (PROTOCOL 2): the owner learns of it by that
 * friend's next message, both are told once and for good, and the friend believes what they believed before (T3).
 */
import { expect } from 'chai'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { loadContacts, putContact } from '../../../node/friendship/contact.ts'
import { inviteDoor } from '../../../node/friendship/request-door.ts'
import { type DeviceSecrets, deviceEntry } from '../../../node/identity/device-keys.ts'
import { decodeInvite } from '../../../node/identity/invite.ts'
import type { IdentityView } from '../../../node/identity/records.ts'
import { idToText } from '../../../node/identity/root.ts'
import { createLeg1 } from '../../../node/session/leg1.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import { type Person, phraseOf, startPerson, textsOf } from '../../simulation/people.ts'
import { forge, keysOf, startThief } from './thief.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeTalk,
  idOf,
  sayOnce,
  startStranger,
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

/** Asks bob to be friends, through an invite of his, with this record of alice's and the keys of a device in it. */
async function knock(village: Village, record: IdentityView, device: DeviceSecrets): Promise<void> {
  const { world, bob, addresses } = village
  const { invite } = await bob.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
  const { records, prekeys } = await keysOf(village, bob)
  const { outgoing } = createLeg1({
    random: (length) => world.random.bytes(length),
    now: Math.floor(world.now / 1000),
    self: { record: record.bytes, device: deviceEntry(device).signing, identitySecret: device.identity },
    peer: { record: records.at(-1)!.record, prekeyRecord: prekeys.at(-1)!.record },
    request: { replySecret: world.random.bytes(32), relays: addresses, rekey: 9, name: 'alice', note: '' },
  })
  const { address, writerSeed, wrap } = inviteDoor(decodeInvite(invite))
  const { stranger } = await startStranger(village, `post${world.now}`)
  await stranger.do(async (ports) => {
    const client = createMailboxClient({ ...ports, link: await ports.network.connect(addresses[0]!) })
    const { status } = await client.request({ address, writerSeed, leg: wrap(outgoing.leg), expires: outgoing.expires })
    expect(status).to.equal('placed')
    client.close()
  })
  await world.pass(MINUTE)
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
    const { forged, device } = await forge(village, () => Math.floor(world.now / 1000))
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
    // nobody is asked with it either
    await knock(village, forged, device)
    expect(await bob.do((it) => it.requests())).to.deep.equal([])
  })

  it('T3 T49 who writes in a session of a device that is revoked says nothing of records', async () => {
    const village = await createVillage(33)
    const { world, alice, bob, addresses } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    const stolen = world.disk('alice').image()
    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    await world.eventually(async () => (await bob.it.friends())[0]!.keysChanged === true, HOUR)
    // before there is another session
    world.crash('alice')

    world.disk('forger').restore(stolen)
    const { stranger } = await startStranger(village, 'forger')
    await stranger.do(async ({ store }) => {
      const [contact] = await loadContacts(store)
      const tx = new Transaction()
      // a record of bob's that there never was
      putContact(tx, store, {
        ...contact!,
        pin: { ...contact!.pin!, seq: contact!.pin!.seq + 1, hash: new Uint8Array(32) },
      })
      await store.write(tx.changes)
    })
    world.crash('forger')
    world.disk('mallory').restore(world.disk('forger').image())
    const mallory = await startPerson(world, 'mallory', { relays: addresses })
    await mallory.do((it) => it.send('bob', 'it is me'))
    await world.eventually(async () => (await textsOf(bob, alice)).includes('it is me'), HOUR)
    expect(await alarmsOf(bob)).to.deep.equal([])
    expect(await problemsOf(bob)).to.not.include('IDENTITY_FORGED')
  })
})
