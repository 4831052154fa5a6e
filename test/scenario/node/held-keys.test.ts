/**
 * What is held because a friend's keys changed (PROTOCOL 1, `trust = pin`) stays held whatever else happens to the sessions:
 * a home that was in doubt, another setting, a rotation of either side, requests that were under way.
 */
import { expect } from 'chai'
import { BEHIND, loadChannel } from '../../../node/delivery/channel.ts'
import type { NodeOptions } from '../../../node/node.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import { phraseOf, startPerson, textsOf } from '../../simulation/people.ts'
import { forge, startThief } from './thief.ts'
import { codeOf, createVillage, diskOf, expectWholeTalk, idOf, sayOnce, untilRest, type Village } from './village.ts'

type Standing = keyof typeof BEHIND

/** Where bob's sessions with alice stand. */
async function standings(village: Village): Promise<Standing[]> {
  const { lanes } = await loadChannel(diskOf(village, village.bob), await idOf(village.alice))
  const names = Object.keys(BEHIND) as Standing[]
  return lanes.map(({ behind }) => names.find((name) => BEHIND[name] === behind)!)
}

/** Somebody signs a device beside alice's own, and bob alone sees it. */
async function changeKeys(village: Village): Promise<void> {
  const { world, bob } = village
  const show = await startThief(village)
  await world.pass(HOUR)
  const { forged } = await forge(village, () => Math.floor(world.now / 1000))
  await show(forged)
  await world.eventually(async () => (await bob.it.friends())[0]!.keysChanged === true, HOUR)
}

async function problemsOf({ bob }: Village): Promise<string[]> {
  return (await bob.do((it) => it.status())).problems.map(({ code }) => code)
}

describe('keys that nobody accepted', function () {
  this.timeout(60_000)

  for (const when of ['before', 'while'] as const) {
    it(`are not sent to when the owner vouches for a home that was in doubt, and they changed ${when} it was`, async () => {
      let isHomeChanged = false
      const village = await createVillage(910, {
        node: {
          get isHomeChanged() {
            return isHomeChanged
          },
        },
      })
      const { world, alice, bob } = village
      await sayOnce(village, alice, bob, 'hello')
      await untilRest(village)
      if (when === 'before') await changeKeys(village)
      isHomeChanged = true
      world.crash('bob')
      await world.restart('bob')
      if (when === 'while') {
        // no new session is made meanwhile
        world.net.partition('alice', ['bob', 'relay1'])
        await changeKeys(village)
      }
      expect(await standings(village)).to.include('home')
      await bob.do((it) => it.trustHome())
      expect(await standings(village)).to.not.include.members(['no'])
      expect(await problemsOf(village)).to.deep.equal(['KEYS_CHANGED'])
      expect(await codeOf(bob.do((it) => it.send('alice', 'a secret')))).to.equal('KEY_CHANGED')
      await bob.do((it) => it.trust('alice'))
      expect(await standings(village)).to.include('no')
    })
  }

  it('hold what waits for them from the start at which the person wants that', async () => {
    let trust: NodeOptions['trust'] = 'notify'
    const village = await createVillage(911, {
      node: {
        get trust() {
          return trust
        },
      },
    })
    const { world, alice, bob } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    await changeKeys(village)
    expect(await standings(village)).to.deep.equal(['no'])
    world.net.partition('bob', ['alice', 'relay1'])
    const { messageId } = await sayOnce(village, bob, alice, 'is that you')
    trust = 'pin'
    world.crash('bob')
    world.net.heal()
    await world.restart('bob')
    await world.pass(10 * MINUTE)
    expect(await standings(village)).to.deep.equal(['trust'])
    const stateOf = async () =>
      (await bob.do((it) => it.history({ who: 'alice', limit: 9 }))).find((one) => one.messageId === messageId)!.state
    expect(await stateOf()).to.equal('queued')
    await bob.do((it) => it.trust('alice'))
    await untilRest(village, HOUR)
    expect(await stateOf()).to.equal('delivered')
  })

  it('T49 of a device that is revoked answer no request that waits for them, and the owner answers it all the same', async () => {
    const village = await createVillage(912, { friends: false })
    const { world, alice, bob, addresses } = village
    const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'alice' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1, HOUR)
    const stolen = world.disk('alice').image()
    // bob hears of the rotation, alice's machine ends before she has seen to the request
    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    await world.pass(MINUTE)
    world.crash('alice')
    world.disk('mallory').restore(stolen)
    const mallory = await startPerson(world, 'mallory', { relays: addresses })
    await mallory.do((it) => it.accept('bob', 'bob'))
    await mallory.do((it) => it.send('bob', 'it is me'))
    await world.pass(3 * HOUR)
    const stateOf = async (): Promise<string> => (await bob.it.friends())[0]!.state
    expect(await bob.do(stateOf)).to.equal('outgoing')
    world.crash('mallory')
    await world.restart('alice')
    await alice.do((it) => it.accept('bob', 'bob'))
    await world.eventually(async () => (await stateOf()) === 'friend', 3 * HOUR)
    await bob.do((it) => it.trust('alice'))
    await sayOnce(village, bob, alice, 'hello')
    await untilRest(village, 3 * HOUR)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal([])
    expect(await alice.do(() => textsOf(alice, bob))).to.deep.equal(['hello'])
  })

  it('T49 of a device that is revoked answer no rekey that was begun for them, and the owner is asked in their place', async () => {
    let isHomeChanged = false
    const village = await createVillage(915, {
      node: {
        trust: 'notify',
        get isHomeChanged() {
          return isHomeChanged
        },
      },
    })
    const { world, alice, bob, addresses } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    const stolen = world.disk('alice').image()
    world.crash('alice')
    isHomeChanged = true
    world.crash('bob')
    await world.restart('bob')
    await world.pass(20 * MINUTE)
    isHomeChanged = false
    await world.restart('alice')
    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    await world.eventually(async () => (await bob.it.friends())[0]!.keysChanged === true, HOUR)
    world.crash('alice')
    world.disk('mallory').restore(stolen)
    await startPerson(world, 'mallory', { relays: addresses })
    await world.pass(2 * HOUR)
    expect(await standings(village)).to.not.include('no')
    world.crash('mallory')
    await world.restart('alice')
    await sayOnce(village, bob, alice, 'a secret')
    await untilRest(village, 2 * HOUR)
    expect(await alice.do(() => textsOf(alice, bob))).to.include('a secret')
  })

  it('are not sent to when somebody who was accepted asks once more with them', async () => {
    const village = await createVillage(913, { friends: false })
    const { world, alice, bob } = village
    const { invite } = await bob.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 2 }))
    await alice.do((it) => it.add({ target: invite, petname: 'bob' }))
    await world.eventually(async () => (await bob.it.requests()).length === 1, HOUR)
    world.crash('alice')
    await bob.do((it) => it.accept('alice', 'alice'))
    await world.pass(MINUTE)
    // she asks anew before she has seen the answer
    world.net.partition('alice', 'relay1')
    await world.restart('alice')
    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    world.net.heal()
    await world.eventually(async () => (await standings(village)).includes('trust'), 3 * HOUR)
    expect(await standings(village)).to.not.include('no')
    expect(await problemsOf(village)).to.deep.equal(['KEYS_CHANGED'])
    expect(await codeOf(bob.do((it) => it.send('alice', 'hello')))).to.equal('KEY_CHANGED')
    const { lanes } = await loadChannel(diskOf(village, alice), await idOf(bob))
    // what was answered to the keys that alice gave up is nothing to send in
    const old = lanes.filter(({ session }) => session.rekey === 1)
    expect(old.map(({ behind }) => behind)).to.not.include(BEHIND.no)
    await bob.do((it) => it.trust('alice'))
    const sent = [await sayOnce(village, bob, alice, 'hello'), await sayOnce(village, alice, bob, 'hi')]
    await untilRest(village, 3 * HOUR)
    await expectWholeTalk(village, sent)
  })

  it('are not accepted by asking a former friend by the ID', async () => {
    const village = await createVillage(914, { node: { requests: 'open' } })
    const { world, alice, bob } = village
    await untilRest(village)
    await bob.do((it) => it.unfriend('alice'))
    await alice.do((it) => it.unfriend('bob'))
    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    await world.pass(MINUTE)
    const target = await alice.do((it) => it.id)
    await bob.do((it) => it.add({ target }))
    await world.eventually(async () => (await alice.it.requests()).length === 1, 3 * HOUR)
    await alice.do((it) => it.accept('bob'))
    await world.eventually(async () => (await bob.it.friends())[0]!.state === 'friend', 3 * HOUR)
    expect(await standings(village)).to.deep.equal(['trust'])
    await bob.do((it) => it.trust('alice'))
    await sayOnce(village, bob, alice, 'hello')
    await untilRest(village, HOUR)
  })
})
