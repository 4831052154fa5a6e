/** Prekeys over time (PROTOCOL 1): replaced, and destroyed with what they could open, also by a node that slept for months. */
import { expect } from 'chai'
import { loadContacts } from '../../../node/friendship/contact.ts'
import { Self } from '../../../node/friendship/self.ts'
import { readIdentityRecord } from '../../../node/identity/records.ts'
import type { Store } from '../../../node/ports.ts'
import { openLeg1 } from '../../../node/session/leg1.ts'
import { HOUR } from '../../simulation/engine.ts'
import { type Person, say, textsOf } from '../../simulation/people.ts'
import { createVillage, diskOf, passDays, settle, type Village } from './village.ts'

const DAY_SECONDS = 86_400

/** Whether somebody with everything that lies on a disk opens a leg 1, at the time when it was good. */
async function opensWith(disk: Store, { leg, created }: { leg: Uint8Array; created: number }): Promise<boolean> {
  const self = await Self.load(disk)
  try {
    openLeg1({
      leg,
      now: created,
      findKeys: (device, prekeySeq, recordSeq) => self.findKeys({ device, prekeySeq, recordSeq }, created),
      readRecord: (bytes) => {
        const { id, record } = readIdentityRecord(bytes)
        return { id, ...record }
      },
    })
    return true
  } catch {
    return false
  }
}

/** The leg 1 that a person sent last. */
async function legOf(village: Village, person: Person) {
  const [contact] = await loadContacts(diskOf(village, person))
  return contact!.asked!.leg!
}

describe('prekeys', function () {
  this.timeout(60_000)

  it('T29 of a node that slept for two months are gone at its start, and with them what was sent to it', async () => {
    const village = await createVillage(910, { friends: false })
    const { world, alice, bob } = village
    const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 85 * DAY_SECONDS, uses: 2 }))
    world.crash('alice')
    await bob.do((it) => it.add({ target: invite, petname: 'alice', note: 'a secret' }))
    await world.eventually(async () => (await loadContacts(diskOf(village, bob)))[0]!.asked!.sentTo.length === 1)
    const captured = await legOf(village, bob)
    world.crash('bob')
    const asleep = diskOf(village, alice)
    expect(await opensWith(asleep, captured), 'the control: it opens with what lies there now').to.equal(true)
    const old = await Self.load(asleep)

    await passDays(village, 60)
    await world.restart('alice')
    // whatever comes first: keys of that age open nothing, even before they are destroyed
    const names = { device: old.device.subarray(1), prekeySeq: old.prekeySeq, recordSeq: old.head.seq }
    const now = Math.floor(world.now / 1000)
    expect(old.findKeys(names, now - 60 * DAY_SECONDS)).to.not.equal(undefined)
    expect(old.findKeys(names, now)).to.equal(undefined)
    await world.pass(1000)
    const awake = await Self.load(diskOf(village, alice))
    expect(awake.prekeySeq).to.be.above(old.prekeySeq)
    expect(await opensWith(diskOf(village, alice), captured)).to.equal(false)

    // whoever looks finds the new one
    const carol = await settle(village, 'carol')
    await world.eventually(async () => (await alice.it.status()).recordsTaken !== undefined, HOUR)
    await carol.do((it) => it.add({ target: invite, petname: 'alice' }))
    await world.restart('bob')
    await world.eventually(async () => (await alice.it.requests()).length === 2, 2 * HOUR)
    for (const name of ['bob', 'carol']) await alice.do((it) => it.accept(name, name))
    const isFriend = async (one: Person): Promise<boolean> => (await one.it.friends())[0]!.state === 'friend'
    await world.eventually(async () => (await isFriend(bob)) && isFriend(carol), 2 * HOUR)
    await say(bob, alice, 'good morning')
    await world.eventually(async () => (await textsOf(alice, bob)).includes('good morning'), HOUR)
  })
})
