/** Two people on one local network whose relay is dead, as real processes: they go on talking, node to node. */
import { expect } from 'chai'
import { KithNodes } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('two friends on one local network', function () {
  this.timeout(60_000)
  let nodes: KithNodes | undefined
  after(async () => nodes?.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('talk without a relay and without gossip, also when one of them starts again elsewhere', async () => {
    nodes = new KithNodes(await temporaryDirectory())
    const relay = nodes.node('relay', 'relay')
    const alice = nodes.node('alice', 'up')
    const bob = nodes.node('bob', 'up')
    await relay.start()
    const [[a]] = await Promise.all([
      alice.ask('init', '--name', 'Alice', '--relay', relay.address),
      bob.ask('init', '--name', 'Bob', '--relay', relay.address),
    ])
    await Promise.all([alice.start('--profile', 'light'), bob.start('--profile', 'light')])
    const [made] = await alice.ask('invite')
    await bob.ask('add', String(made!.invite), '--as', 'alice')
    const asked = await alice.waitFor((event) => event.event === 'request')
    await alice.ask('accept', String(asked.id), '--as', 'bob')
    await bob.waitFor((event) => event.event === 'friend' && event.id === a!.id)
    await relay.stop()

    for (const [from, to, who, text] of [
      [alice, bob, 'bob', 'the relay is gone'],
      [bob, alice, 'alice', 'and we are not'],
    ] as const) {
      const [sent] = await from.ask('send', who, text, '--wait', 'delivered', '--timeout', '20s')
      expect(sent!.state).to.equal('delivered')
      const heard = await to.waitFor((event) => event.event === 'message' && event.messageId === sent!.messageId)
      expect(heard).to.include({ text, via: 'direct' })
    }
    // bob listens on another port then: alice answers on the connection that bob makes
    await bob.stop()
    await bob.start('--profile', 'light')
    const [again] = await bob.ask('send', 'alice', 'back again', '--wait', 'delivered', '--timeout', '20s')
    expect(again!.state).to.equal('delivered')
    const ways = (await alice.ask('history', 'bob')).filter(({ direction }) => direction === 'in').map(({ via }) => via)
    expect(ways).to.deep.equal(['direct', 'direct'])
  })
})
