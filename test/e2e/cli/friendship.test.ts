/** Who may write to whom, on real processes: declining, blocking, ending a friendship, and asking each other at once. */
import { expect } from 'chai'
import { type Friends, friendsOnline } from '../../support/befriended.ts'
import { type Json, KithNodes, type KithProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

const isRequestOf =
  (id: string) =>
  (event: Json): boolean =>
    event.event === 'request' && event.id === id

describe('two strangers', function () {
  this.timeout(60_000)
  let nodes: KithNodes
  let alice: KithProcess
  let bob: KithProcess
  let ids: { alice: string; bob: string }

  before(async () => {
    nodes = new KithNodes(await temporaryDirectory())
    const relay = nodes.node('relay', 'relay')
    alice = nodes.node('alice', 'up')
    bob = nodes.node('bob', 'up')
    await relay.start()
    const [[a], [b]] = await Promise.all([
      alice.ask('init', '--name', 'Alice', '--relay', relay.address),
      bob.ask('init', '--name', 'Bob', '--relay', relay.address),
    ])
    ids = { alice: String(a!.id), bob: String(b!.id) }
    await Promise.all([alice.start(), bob.start()])
  })
  after(async () => nodes?.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('one is declined without a word, asks again, is blocked, and is not heard any more', async () => {
    const mallory = nodes.node('mallory', 'up')
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

    const { inviteId, invite } = await alice.call('invite.create', {})
    await mallory.call('friend.add', { target: invite, note: 'the third knock' })
    // an honest request by the same way shows that the blocked one was read, and dropped
    await bob.call('friend.add', { target: invite, note: 'an honest knock' })
    await alice.waitFor(isRequestOf(ids.bob))
    await until(async () => (await mallory.call('node.status', {})).unacknowledged === 0)
    expect(alice.told.filter(isRequestOf(id))).to.have.length(2)
    expect((await alice.ask('requests')).map((one) => one.id)).to.deep.equal([ids.bob])
    const used = (await alice.call('invite.list', {})).find((one) => one.inviteId === inviteId)?.used
    expect(used, 'the blocked one does not count').to.equal(1)
    const states = (await mallory.log()).filter(({ event }) => event === 'friend' || event === 'message')
    expect(states, 'the blocked one learns nothing').to.deep.equal([])
    await alice.ask('decline', ids.bob)
    await mallory.stop()
  })

  it('T20 both ask each other at once: one friendship on both sides, and messages flow both ways', async () => {
    const [fromAlice, fromBob] = await Promise.all([alice.call('invite.create', {}), bob.call('invite.create', {})])
    await Promise.all([
      alice.call('friend.add', { target: fromBob.invite }),
      bob.call('friend.add', { target: fromAlice.invite }),
    ])
    await Promise.all([
      alice.logged((event) => event.event === 'friend' && event.id === ids.bob),
      bob.logged((event) => event.event === 'friend' && event.id === ids.alice),
    ])
    for (const round of ['one', 'two']) {
      const [a, b] = await Promise.all([
        alice.call('message.send', { who: 'Bob', text: `${round} of alice` }),
        bob.call('message.send', { who: 'Alice', text: `${round} of bob` }),
      ])
      await Promise.all([arrives(bob, a.messageId), arrives(alice, b.messageId)])
      await Promise.all([isDelivered(alice, a.messageId), isDelivered(bob, b.messageId)])
    }
    for (const [node, other] of [
      [alice, ids.bob],
      [bob, ids.alice],
    ] as const) {
      const log = await node.log()
      expect(
        log.filter((event) => event.event === 'friend' && event.id === other),
        node.name,
      ).to.have.length(1)
      const friends = (await node.call('friend.list', {})).filter(({ id }) => id === other)
      expect(friends.map(({ state }) => state)).to.deep.equal(['friend'])
      expect(await node.call('request.list', {})).to.deep.equal([])
      const [numbers] = await node.ask('verify', other)
      expect(numbers).to.have.property('safetyNumber')
    }
  })
})

describe('a friendship that ended', function () {
  this.timeout(60_000)
  let friends: Friends | undefined
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('T21 nothing of a former friend is shown; asked again, both are friends again', async () => {
    friends = await friendsOnline(await temporaryDirectory())
    const { alice, bob, ids } = friends
    const before = await bob.call('message.send', { who: 'Alice', text: 'while friends' })
    await arrives(alice, before.messageId)
    await isDelivered(bob, before.messageId)
    expect((await alice.ask('unfriend', 'Bob'))[0]).to.include({ id: ids.bob, state: 'none' })

    const late = await bob.ask('send', 'Alice', 'after the end', '--wait', 'delivered', '--timeout', '2s').catch(String)
    expect(late, 'it is not acknowledged').to.include('exit status 5')
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
    await Promise.all([alice, bob].map((node) => node.waitFor((event) => event.event === 'friend')))
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
})

async function arrives(node: KithProcess, messageId: string): Promise<void> {
  await node.logged((event) => event.event === 'message' && event.messageId === messageId)
}

async function isDelivered(node: KithProcess, messageId: string): Promise<void> {
  const { state } = await node.call('message.wait', { messageId, state: 'delivered', timeoutSeconds: 30 })
  expect(state).to.equal('delivered')
}
