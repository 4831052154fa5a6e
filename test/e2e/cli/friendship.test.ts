/** Who may write to whom, on real processes: declining, blocking, ending a friendship, and asking each other at once. */
import { expect } from 'chai'
import { friendsOnline } from '../../support/befriended.ts'
import type { Json, KithNodes, KithProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const isRequestOf =
  (id: string) =>
  (event: Json): boolean =>
    event.event === 'request' && event.id === id

describe('who may write to whom', function () {
  this.timeout(60_000)
  let nodes: KithNodes | undefined
  let alice: KithProcess
  let bob: KithProcess
  let ids: { alice: string; bob: string }
  after(async () => nodes?.stopAll())
  const temporaryDirectory = temporaryDirectories()

  before(async () => {
    ;({ nodes, alice, bob, ids } = await friendsOnline(await temporaryDirectory()))
  })

  it('T21 nothing of a former friend is shown; asked again, both are friends again', async () => {
    const before = await bob.call('message.send', { who: 'Alice', text: 'while friends' })
    await arrives(alice, before.messageId)
    await isDelivered(bob, before.messageId)
    expect((await alice.ask('unfriend', 'Bob'))[0]).to.include({ id: ids.bob, state: 'none' })

    const late = await bob.run('send', 'Alice', 'after the end', '--wait', 'delivered', '--timeout', '2s')
    expect(late.status, 'it is not acknowledged').to.equal(5)
    const refused = await alice.run('send', 'Bob', 'one more')
    expect(refused.status).to.equal(1)
    expect(refused.output[0]).to.have.nested.property('error.code', 'NOT_A_FRIEND')
    await alice.kill()
    await alice.start()

    const { invite } = await alice.call('invite.create', {})
    await bob.ask('unfriend', 'Alice')
    await bob.call('friend.add', { target: invite, petname: 'Alice' })
    await alice.waitFor(isRequestOf(ids.bob))
    await alice.call('request.accept', { who: ids.bob })
    await alice.waitFor((event) => event.event === 'friend')
    await bob.waitFor((event) => event.event === 'friend')
    const again = await bob.call('message.send', { who: 'Alice', text: 'friends again' })
    await arrives(alice, again.messageId)
    await isDelivered(bob, again.messageId)

    const shown = (await alice.ask('history', 'Bob')).map(({ text }) => text)
    expect(shown).to.deep.equal(['while friends', 'friends again'])
    const told = (await alice.log()).filter(({ event }) => event === 'message').map(({ text }) => text)
    expect(told).to.deep.equal(['while friends', 'friends again'])
    const theirs = (await bob.ask('history', 'Alice')).map(({ text, state }) => [text, state])
    expect(theirs).to.deep.equal([
      ['while friends', 'delivered'],
      ['after the end', 'failed'],
      ['friends again', 'delivered'],
    ])
  })

  it('T20 both ask each other at once: one friendship on both sides, and messages flow both ways', async () => {
    await Promise.all([alice.call('friend.remove', { who: ids.bob }), bob.call('friend.remove', { who: ids.alice })])
    const [before, other] = [(await alice.log()).at(-1)!.cursor, (await bob.log()).at(-1)!.cursor]
    const [fromAlice, fromBob] = await Promise.all([alice.call('invite.create', {}), bob.call('invite.create', {})])
    await Promise.all([
      alice.call('friend.add', { target: fromBob.invite }),
      bob.call('friend.add', { target: fromAlice.invite }),
    ])
    const isFriend = (since: unknown) => (event: Json) =>
      event.event === 'friend' && Number(event.cursor) > Number(since)
    await Promise.all([alice.logged(isFriend(before)), bob.logged(isFriend(other))])
    for (const round of ['one', 'two']) {
      const [a, b] = await Promise.all([
        alice.call('message.send', { who: ids.bob, text: `${round} of alice` }),
        bob.call('message.send', { who: ids.alice, text: `${round} of bob` }),
      ])
      await Promise.all([arrives(bob, a.messageId), arrives(alice, b.messageId)])
      await Promise.all([isDelivered(alice, a.messageId), isDelivered(bob, b.messageId)])
    }
    for (const [node, since, id] of [
      [alice, before, ids.bob],
      [bob, other, ids.alice],
    ] as const) {
      expect((await node.log()).filter(isFriend(since)), node.name).to.have.length(1)
      const friends = await node.call('friend.list', {})
      expect(friends.map((one) => [one.id, one.state])).to.deep.equal([[id, 'friend']])
      expect(await node.call('request.list', {})).to.deep.equal([])
    }
    const [[a], [b]] = await Promise.all([alice.ask('verify', ids.bob), bob.ask('verify', ids.alice)])
    expect(a!.safetyNumber).to.equal(b!.safetyNumber)
  })

  it('a stranger is declined without a word, asks again, is blocked, and is not heard any more', async () => {
    const mallory = nodes!.node('mallory', 'up')
    const relay = (await alice.call('node.status', {})).relays[0]!.address
    const [made] = await mallory.ask('init', '--name', 'Mallory', '--relay', relay)
    const id = String(made!.id)
    await mallory.start()
    const knock = async (note: string): Promise<void> => {
      const { invite } = await alice.call('invite.create', {})
      await mallory.call('friend.add', { target: invite, note })
    }

    await knock('the first knock')
    await alice.waitFor((event) => isRequestOf(id)(event) && event.note === 'the first knock')
    expect((await alice.ask('decline', id))[0]).to.include({ id, state: 'none' })
    expect(await alice.ask('requests')).to.deep.equal([])

    await knock('the second knock')
    await alice.waitFor((event) => isRequestOf(id)(event) && event.note === 'the second knock')
    expect((await alice.ask('block', 'Mallory'))[0]).to.include({ id, state: 'blocked' })

    await alice.call('friend.remove', { who: ids.bob })
    await bob.call('friend.remove', { who: ids.alice })
    const { invite } = await alice.call('invite.create', {})
    // without a running node the command ends when the request lies at the relay
    await mallory.stop()
    await mallory.ask('add', invite, '--note', 'the third knock')
    // an honest request that comes behind it shows that it was read, and dropped
    await bob.call('friend.add', { target: invite, note: 'an honest knock' })
    await alice.waitFor((event) => isRequestOf(ids.bob)(event) && event.note === 'an honest knock')
    expect(alice.told.filter(isRequestOf(id))).to.have.length(2)
    expect((await alice.ask('requests')).map((one) => one.id)).to.deep.equal([ids.bob])
    const [known] = await mallory.ask('friends')
    expect(known, 'the blocked one learns nothing').to.include({ id: ids.alice, state: 'outgoing' })
  })
})

async function arrives(node: KithProcess, messageId: string): Promise<void> {
  await node.logged((event) => event.event === 'message' && event.messageId === messageId)
}

async function isDelivered(node: KithProcess, messageId: string): Promise<void> {
  const { state } = await node.call('message.wait', { messageId, state: 'delivered', timeoutSeconds: 30 })
  expect(state).to.equal('delivered')
}
