/** What an operator says to a relay that runs: who is turned away, how much it takes, and when it ends. */
import { expect } from 'chai'
import { type Friends, friendsOnline } from '../../support/befriended.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

const LOOPBACK_PREFIX = '127.0.0.0/24'

describe('a relay and its operator', function () {
  this.timeout(60_000)
  let friends: Friends
  const temporaryDirectory = temporaryDirectories()

  before(async () => {
    friends = await friendsOnline(await temporaryDirectory())
  })
  after(async () => friends?.nodes.stopAll())

  const isConnected = async (): Promise<boolean> =>
    (await friends.alice.call('node.status', {})).relays.every(({ connected }) => connected)

  it('turns a source away at once, and lets it in again', async () => {
    const { relay } = friends
    await until(isConnected, 20_000)
    const [banned] = await relay.ask('relay', 'ban', '127.0.0.1')
    expect(banned).to.deep.include({ banned: [LOOPBACK_PREFIX] })
    await until(async () => !(await isConnected()), 20_000)
    await relay.stop()
    await relay.start()
    expect(await relay.call('relay.settings', {})).to.deep.include({ banned: [LOOPBACK_PREFIX] })
    await relay.ask('relay', 'unban', LOOPBACK_PREFIX)
    await until(isConnected, 40_000)
    const wrong = await relay.run('relay', 'ban', 'everybody')
    expect(wrong.status).to.equal(1)
    expect(wrong.output[0]).to.have.nested.property('error.code', 'BAD_SOURCE')
  })

  it('changes limits while it runs, and takes them back', async () => {
    const { relay } = friends
    const [before] = await relay.ask('relay', 'limits')
    const [changed] = await relay.ask('relay', 'limits', '--max-claims', '7', '--claim-bits', '20')
    expect(changed).to.include({ maxClaims: 7, claimBits: 20 })
    expect((await relay.ask('relay', 'limits', '--max-claims', 'config', '--claim-bits', 'config'))[0]).to.deep.equal(
      before,
    )
    expect((await relay.run('relay', 'limits', '--max-claims', 'many')).status).to.equal(2)
  })

  it('announces its end and says who would still lose something', async () => {
    const { relay } = friends
    const [said] = await relay.ask('relay', 'drain', '14d')
    expect(Date.parse(String(said!['drainAt']))).to.be.closeTo(Date.now() + 14 * 86_400_000, 60_000)
    const [status] = await relay.ask('relay', 'status')
    expect(status).to.have.nested.property('settings.drainAt', said!['drainAt'])
    const { stdout } = await relay.text({}, 'relay', 'status')
    expect(stdout).to.match(/^ends {2,}\d{4}-\d\d-\d\d \d\d:\d\d: .*mailboxes left/m)
    await relay.ask('relay', 'drain', 'never')
    expect(await relay.call('relay.settings', {})).to.not.have.property('drainAt')
    expect((await relay.run('relay', 'drain', 'soon')).status).to.equal(2)
  })

  it('begins with a configuration in which everything is explained and nothing is changed', async () => {
    const fresh = friends.nodes.node('fresh', 'relay')
    const [{ file }] = (await fresh.ask('relay', 'init')) as [{ file: string }]
    expect((await fresh.ask('config', 'check'))[0]).to.include({ ok: true, file })
    const again = await fresh.run('relay', 'init')
    expect(again.status).to.equal(2)
    await fresh.start()
    await fresh.stop()
  })

  it('is not asked of a person’s node, and not when none runs', async () => {
    expect((await friends.alice.run('relay', 'status')).status).to.equal(2)
    const nobody = friends.nodes.node('nobody', 'relay')
    expect((await nobody.run('relay', 'status')).status).to.equal(3)
  })
})
