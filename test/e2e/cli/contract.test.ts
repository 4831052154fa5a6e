/** What scripts rely on: exit statuses, configuration and where it came from, and output that no peer can paint. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { runtime } from '../../../node/index.ts'
import { befriended, type Friends } from '../../support/befriended.ts'
import type { Json, TextResult } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

/** Colour, title, link, cursor, carriage return, C1 controls, bidi overrides and isolates, line separators. */
const PAINT =
  '\u001b[31m\u001b]0;title\u0007\u001b]8;;http://evil.example\u001b\\\u001b[2J\r\u009b1A\u202egnp\u2066x\u2028y\u200f'
const FORGED = 'kith: your node was stolen'

describe('the contract of the command line', function () {
  this.timeout(60_000)
  let directory: string
  let friends: Friends

  before(async () => {
    directory = await temporaryDirectory()
    friends = await befriended(directory)
    await friends.relay.start()
    await friends.alice.start()
  })
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('config: what holds and where it came from, checked and set', async () => {
    const { bob } = friends
    const file = join(bob.home, 'config.toml')
    const show = async (env: Record<string, string>): Promise<Json> => {
      const { output } = await bob.runWith({ env }, 'config', 'show', '--origin')
      return output[0]!
    }
    const before = await show({})
    expect(before)
      .to.have.nested.property('config.relays')
      .that.deep.equals([await relayAddress(friends)])
    expect(before)
      .to.have.nested.property('origin.relays')
      .that.include({ from: 'file', where: `${file}:1` })
    expect(before).to.have.nested.property('origin.logLevel.from', 'default')

    await bob.ask('config', 'set', 'logLevel', 'warn')
    expect(await show({})).to.have.nested.property('config.logLevel', 'warn')
    const overruled = await show({ KITH_LOG_LEVEL: 'error' })
    expect(overruled).to.have.nested.property('config.logLevel', 'error')
    expect(overruled)
      .to.have.nested.property('origin.logLevel')
      .that.include({ from: 'environment', where: 'KITH_LOG_LEVEL' })

    const loud = await bob.run('config', 'set', 'logLevel', 'loud')
    expect(loud.status).to.equal(2)
    expect(loud.output[0]).to.have.nested.property('error.code', 'CONFIG')
    expect((await bob.ask('config', 'check'))[0]).to.include({ ok: true, file })
    const broken = join(directory, 'broken.toml')
    await writeFile(broken, '\nlogLevel = "loud"\n')
    const checked = await bob.run('config', 'check', broken)
    expect(checked.status).to.equal(2)
    expect(checked.stderr).to.include(`${broken}:2`)
    await bob.ask('config', 'set', 'logLevel')
    expect(await show({})).to.have.nested.property('origin.logLevel.from', 'default')
  })

  it('says which address it was to announce and tells to nobody', async () => {
    const relay = friends.nodes.node('announcing', 'relay')
    const [dropped, told] = ['/ip4/10.0.0.1/tcp/4301', '/ip4/8.8.8.8/tcp/4301']
    await relay.start('--network', 'public', '--announce', dropped, '--announce', told)
    expect(relay.stderr).to.match(/^warning: announce: \/ip4\/10\.0\.0\.1\/tcp\/4301 is told to nobody: .*\n$/)
    expect(relay.address).to.match(/^\/ip4\/8\.8\.8\.8\/tcp\/4301\/p2p\//)
    await relay.stop()
  })

  it('exit statuses: usage 2, nobody there 3, unknown friend 1, not trusted 4', async () => {
    const { alice, bob } = friends
    const expectStatus = async (status: number, node: typeof alice, ...args: string[]): Promise<void> => {
      const result = await node.run(...args)
      expect(result.status, `kith ${args.join(' ')}: ${result.stderr}`).to.equal(status)
      expect(result.output[0], args.join(' ')).to.have.nested.property('error.code')
      expect(result.stderr).to.match(/^kith: .+\n/)
    }
    await Promise.all([
      expectStatus(2, alice, 'sing'),
      expectStatus(2, alice, 'send', 'Bob', 'text', '--wait', 'forever'),
      expectStatus(2, alice, 'send', 'Bob', ''),
      expectStatus(3, bob, 'status'),
      expectStatus(1, alice, 'send', 'Nobody', 'text'),
      expectStatus(1, alice, 'add', 'kithinvite1nonsense'),
      expectStatus(4, alice, 'verify', 'Bob', '--confirm', '--number', '1'.repeat(60)),
    ])
  })

  it('`send --wait delivered` ends with 5 and the state that was reached while the friend is away', async () => {
    const { alice } = friends
    const { status, output, stderr } = await alice.run(
      'send',
      'Bob',
      'are you there?',
      '--wait',
      'delivered',
      '--timeout',
      '3s',
    )
    expect(status, stderr).to.equal(5)
    expect(output).to.have.length(1)
    expect(output[0]).to.include({ state: 'custody' })
    expect(stderr).to.match(/^kith: not delivered in time, the message is custody\nhint: .+\n$/)
    const [last] = (await alice.ask('history', 'Bob')).slice(-1)
    expect(last).to.include({ messageId: output[0]!.messageId, state: 'custody' })
  })

  it('T45 names, notes and texts of a peer cannot paint the terminal nor forge a line of it', async () => {
    const { alice, nodes } = friends
    const mallory = nodes.node('mallory', 'up')
    // a peer's own program does not refuse such a name, as ours does
    const name = `M${PAINT}\n${FORGED}`
    const relays = [await relayAddress(friends)]
    const { id } = await runtime.createIdentity({
      home: mallory.home,
      name: name.slice(0, 40),
      passphrase: 'passphrase of mallory',
      relays,
      bootstrap: [],
    })
    await writeFile(mallory.passphraseFile, 'passphrase of mallory\n')
    await mallory.start()
    const watch = await alice.followText('watch', '--since', String(friends.cursors.alice))
    const { invite } = await alice.call('invite.create', {})
    await mallory.call('friend.add', { target: invite, note: `note${PAINT}\n${FORGED}` })
    await alice.logged((event) => event.event === 'request' && event.id === id)
    const requests = await alice.text({}, 'requests')
    const accepted = await alice.text({}, 'accept', id)
    await mallory.logged((event) => event.event === 'friend')
    await alice.logged((event) => event.event === 'friend' && event.id === id)
    const { messageId } = await mallory.call('message.send', { who: 'Alice', text: `text${PAINT}\n${FORGED}` })
    await alice.logged((event) => event.event === 'message' && event.messageId === messageId)
    const results = [requests, accepted, await alice.text({}, 'friends'), await alice.text({}, 'history', id)]
    for (const result of results) expectClean(result)
    expect(results[0]!.stdout).to.include(id).and.include(FORGED)
    expect(results[3]!.stdout).to.include(FORGED)
    const forged = (): Json[] => watch.lines.filter(({ text }) => String(text).includes(FORGED))
    await watch.waitUntil(() => (forged().length === 2 ? true : undefined))
    await watch.stop('SIGINT')
    expectClean({
      status: 0,
      stdout: watch.lines.map(({ text }) => `${String(text)}\n`).join(''),
      stderr: watch.stderr,
    })

    const json = await alice.text({}, '--json', 'history', id)
    expect(JSON.parse(json.stdout), 'data keeps the exact text').to.include({ text: `text${PAINT}\n${FORGED}` })
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(json.stdout).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
  })
})

async function relayAddress({ alice }: Friends): Promise<string> {
  const { relays } = await alice.call('node.status', {})
  return relays[0]!.address
}

/** Nothing but printable characters and line ends, and no line that begins as one of ours. */
function expectClean({ stdout, stderr }: TextResult): void {
  for (const text of [stdout, stderr]) {
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(text).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/)
    expect(text.split('\n').filter((line) => line.startsWith('kith:'))).to.deep.equal([])
  }
}
