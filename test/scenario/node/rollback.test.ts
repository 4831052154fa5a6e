/**
 * A home that is put back to an older state, or runs twice (T26): who notices what from the friend's echo alone, and that
 * nothing more leaves in a session that is older than the friend's memory. What is noticed on the machine itself is
 * tested with real homes.
 */
import { expect } from 'chai'
import { loadChannel } from '../../../node/delivery/channel.ts'
import { MINUTE } from '../../simulation/engine.ts'
import { befriend, type Person, say, startPerson, textsOf } from '../../simulation/people.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  eventsOf,
  expectWholeTalk,
  historyOf,
  idOf,
  passDays,
  sayOnce,
  settle,
  untilRest,
  type Village,
} from './village.ts'

const problemsOf = async (person: Person): Promise<string[]> =>
  (await person.it.status()).problems.map(({ code }) => code)

const verifiedBy = async (person: Person): Promise<boolean[]> =>
  (await person.do((it) => it.friends())).map(({ verified }) => verified)

/** Messages that were ever sealed in the first session, as it counts them. */
async function sealedBy(village: Village, person: Person, friend: Person): Promise<number> {
  const { lanes } = await loadChannel(diskOf(village, person), await idOf(friend))
  return lanes.find(({ session }) => session.rekey === 1)!.session.sentSerial
}

/** alice's disk is put back to what it was before she sent three messages, which bob has. */
async function rolledBack(seed: number): Promise<Village> {
  const village = await createVillage(seed)
  const { world, alice, bob } = village
  await untilRest(village)
  await alice.do((it) => it.verify('bob', {}))
  const yesterday = world.disk('alice').image()
  for (const text of ['one', 'two', 'three']) await say(alice, bob, text)
  await untilRest(village)
  world.crash('alice')
  world.disk('alice').restore(yesterday)
  await world.restart('alice')
  return village
}

describe('a home that was put back', () => {
  it('T26 the first word of the friend tells: nothing is sealed any more, nobody is shown as verified', async () => {
    const village = await rolledBack(801)
    const { world, alice, bob } = village
    const before = await sealedBy(village, alice, bob)
    await say(bob, alice, 'did you get home?')
    await world.eventually(async () => (await textsOf(alice, bob)).includes('did you get home?'), 5 * MINUTE)
    expect(await codeOf(alice.do((it) => it.send('bob', 'four')))).to.equal('ROLLED_BACK')
    expect(await problemsOf(alice)).to.deep.equal(['ROLLED_BACK'])
    expect(await verifiedBy(alice)).to.deep.equal([false])
    expect((await eventsOf(alice)).filter(({ event }) => event === 'behind')).to.have.lengthOf(1)
    await world.restart('alice')
    expect(await codeOf(alice.do((it) => it.send('bob', 'five'))), 'after another start').to.equal('ROLLED_BACK')
    await world.pass(30 * MINUTE)
    expect(await problemsOf(alice), 'healed').to.deep.equal([])
    expect(await sealedBy(village, alice, bob), 'not even a receipt in the old session').to.equal(before)
    expect(await problemsOf(bob), 'who was not put back goes on').to.deep.equal([])
  })

  it('T26 a friend who crashed since, and whose word does not open any more, tells it too', async () => {
    const village = await createVillage(807)
    const { world, alice, bob } = village
    await untilRest(village)
    const yesterday = world.disk('alice').image()
    // bob answers under a key that the older home cannot derive, and leaves out more tags than it looks for on gossip
    for (const text of ['one', 'two']) {
      await say(alice, bob, text)
      await say(bob, alice, `${text}, I see`)
      await untilRest(village)
      await world.restart('bob')
    }
    // what she read is gone from the relay
    await world.pass(5 * MINUTE)
    world.crash('alice')
    world.disk('alice').restore(yesterday)
    await world.restart('alice')
    await say(bob, alice, 'did you get home?')
    await world.eventually(async () => (await problemsOf(alice)).includes('ROLLED_BACK'), 5 * MINUTE)
    expect(await codeOf(alice.do((it) => it.send('bob', 'three')))).to.equal('ROLLED_BACK')
    expect(await problemsOf(bob)).to.deep.equal([])
  })

  it('ending the friendship and beginning it anew heals it', async () => {
    const village = await rolledBack(802)
    const { world, alice, bob } = village
    await say(bob, alice, 'who is there?')
    await world.eventually(async () => (await problemsOf(alice)).length === 1, 5 * MINUTE)
    const { invite } = await bob.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await alice.do((it) => it.unfriend('bob'))
    await alice.do((it) => it.add({ target: invite, petname: 'bob' }))
    await world.eventually(async () => (await bob.it.requests()).length === 1)
    await bob.do((it) => it.accept('alice'))
    await world.eventually(async () => (await alice.it.friends())[0]?.state === 'friend', 5 * MINUTE)
    expect(await problemsOf(alice)).to.deep.equal([])
    const sent = await say(alice, bob, 'here again')
    await untilRest(village)
    expect((await bob.do(() => textsOf(bob, alice))).filter((text) => text === 'here again')).to.have.lengthOf(1)
    expect((await historyOf(alice, bob)).find(({ messageId }) => messageId === sent)?.state).to.equal('delivered')
  })

  it('T26 a home that is known to be changed seals nothing from its first moment, until its owner vouches for it', async () => {
    let isHomeChanged = false
    const village = await createVillage(803, {
      node: {
        get isHomeChanged() {
          return isHomeChanged
        },
      },
    })
    const { world, alice, bob } = village
    await untilRest(village)
    await alice.do((it) => it.verify('bob', {}))
    world.crash('alice')
    await say(bob, alice, 'while you were away')
    isHomeChanged = true
    const before = await sealedBy(village, alice, bob)
    await world.restart('alice')
    isHomeChanged = false
    expect(await codeOf(alice.do((it) => it.send('bob', 'one')))).to.equal('ROLLED_BACK')
    await world.eventually(async () => (await textsOf(alice, bob)).includes('while you were away'), 5 * MINUTE)
    await world.restart('alice')
    await world.pass(10 * MINUTE)
    expect(await problemsOf(alice)).to.deep.equal(['HOME_CHANGED'])
    expect(await verifiedBy(alice)).to.deep.equal([false])
    expect(await sealedBy(village, alice, bob)).to.equal(before)
    expect((await bob.do((it) => it.status())).unacknowledged, 'no receipt left').to.equal(1)

    await alice.do((it) => it.trustHome())
    expect(await problemsOf(alice)).to.deep.equal([])
    expect(await verifiedBy(alice)).to.deep.equal([true])
    await say(alice, bob, 'it is me')
    await untilRest(village)
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(['it is me'])
  })

  it('T26 of two that run on one state, the one whose friend heard more from the other stops', async () => {
    const village = await createVillage(804)
    const { world, alice, bob } = village
    await untilRest(village)
    const copy = world.disk('alice').image()
    await say(alice, bob, 'from the first')
    await say(alice, bob, 'and one more')
    await untilRest(village)
    world.crash('alice')
    const first = world.disk('alice').image()
    // the copy runs while the first sleeps; its message seals under a used key and is nothing to bob
    world.disk('alice').restore(copy)
    await world.restart('alice')
    await say(alice, bob, 'from the copy')
    await world.pass(MINUTE)
    await say(bob, alice, 'I hear you')
    await world.eventually(async () => (await problemsOf(alice)).includes('ROLLED_BACK'), 5 * MINUTE)
    expect(await codeOf(alice.do((it) => it.send('bob', 'a second one')))).to.equal('ROLLED_BACK')
    expect(await bob.do(() => textsOf(bob, alice))).to.deep.equal(['from the first', 'and one more'])
    world.crash('alice')
    world.disk('alice').restore(first)
    await world.restart('alice')
    await say(alice, bob, 'from the first again')
    await world.eventually(async () => (await textsOf(bob, alice)).includes('from the first again'), 5 * MINUTE)
  })

  it('a friend who claims too much stops what goes to that friend alone', async () => {
    const village = await rolledBack(805)
    const { world, alice, bob } = village
    const carol = await settle(village, 'carol')
    await befriend(world, carol, alice)
    await say(bob, alice, 'hello')
    await world.eventually(async () => (await problemsOf(alice)).length === 1, 5 * MINUTE)
    await say(alice, carol, 'still here')
    await world.eventually(async () => (await textsOf(carol, alice)).includes('still here'), 5 * MINUTE)
  })

  it('a crash is no rollback', async () => {
    const village = await createVillage(806)
    const { world, alice, bob } = village
    const sent = [await sayOnce(village, alice, bob, 'one')]
    for (let i = 0; i < 3; i++) {
      await world.restart('alice')
      await world.restart('bob')
      sent.push(await sayOnce(village, bob, alice, `back ${i}`), await sayOnce(village, alice, bob, `there ${i}`))
    }
    await untilRest(village)
    await expectWholeTalk(village, sent)
    expect([...(await problemsOf(alice)), ...(await problemsOf(bob))]).to.deep.equal([])
  })

  it('T26 of two that run side by side for a week, one is told so; a home that was put back alone only until it has new keys', async () => {
    const village = await createVillage(266)
    const { world, alice, bob, addresses } = village
    await sayOnce(village, alice, bob, 'hello')
    await untilRest(village)
    const before = world.disk('alice').image()
    const runsTwice = async (one: Person): Promise<boolean> => (await problemsOf(one)).includes('HOME_RUNS_TWICE')
    await passDays(village, 8)
    expect(await runsTwice(alice)).to.equal(false)

    world.crash('alice')
    world.disk('alice').restore(before)
    await world.restart('alice')
    // the first round of a run makes the key that is due
    await passDays(village, 1)
    expect(await runsTwice(alice), 'one home alone').to.equal(false)

    world.disk('twin').restore(world.disk('alice').image())
    const twin = await startPerson(world, 'twin', { relays: addresses })
    await passDays(village, 9)
    expect([await runsTwice(alice), await runsTwice(twin)]).to.include(true)
  })
})
