/** One home and several processes: who holds it, who joins, who is refused; and the passphrase that opens it. */
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { befriended, type Friends } from '../../support/befriended.ts'
import type { CommandResult, Json } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('one home', function () {
  this.timeout(60_000)
  let directory: string
  let friends: Friends

  before(async () => {
    directory = await temporaryDirectory()
    friends = await befriended(directory)
    await friends.relay.start()
  })
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('commands at once without a running node: each answers, or says that the home is in use', async () => {
    const { bob } = friends
    const results = await Promise.all([
      bob.run('send', 'Alice', 'one of two'),
      bob.run('send', 'Alice', 'two of two'),
      bob.run('history', 'Alice'),
    ])
    for (const result of results) {
      expect(result.status, result.stderr).to.be.oneOf([0, 3])
      if (result.status === 3) expectError(result, 'HOME_IN_USE')
    }
    expect(results.filter(({ status }) => status === 0)).to.have.length.above(0)
    const sent = results.slice(0, 2).filter(({ status }) => status === 0)
    const history = await bob.ask('history', 'Alice')
    expect(history.map(({ messageId }) => messageId)).to.have.members(sent.map(({ output }) => output[0]!.messageId))
  })

  it('a command joins the node that runs, and needs no passphrase', async () => {
    const { bob } = friends
    await bob.start()
    const { status, output } = await bob.runWith({ passphraseFile: join(directory, 'absent') }, 'id')
    expect(status).to.equal(0)
    expect(output[0]).to.include({ id: friends.ids.bob, name: 'Bob' })
    const message = await bob.ask('send', 'Alice', 'from a command')
    await bob.waitFor((event) => event.event === 'message' && event.messageId === message[0]!.messageId)
  })

  it('`up` twice: the second is refused with a hint, and the first goes on', async () => {
    const { bob } = friends
    const second = await bob.run('up', '--listen', '/ip4/127.0.0.1/tcp/0')
    expect(second.status).to.equal(3)
    expectError(second, 'HOME_IN_USE')
    expect(second.stderr).to.match(/^kith: a node is running on .* already\nhint: .+\n$/)
    expect(bob.isRunning).to.equal(true)
    expect((await bob.ask('status'))[0]).to.include({ id: friends.ids.bob })
  })

  it('a relay takes no home of a person, and a person none of a relay', async () => {
    const { alice, relay } = friends
    const asRelay = await alice.run('relay', '--listen', '/ip4/127.0.0.1/tcp/0')
    expect(asRelay.status).to.equal(2)
    expectError(asRelay, 'WRONG_ROLE')
    const asPerson = await relay.run('init', '--name', 'Nobody')
    expect(asPerson.status).to.equal(2)
    expectError(asPerson, 'WRONG_ROLE')
    const asNode = await relay.run('up', '--listen', '/ip4/127.0.0.1/tcp/0')
    expect(asNode.status).to.equal(2)
  })

  it('a wrong passphrase and none at all end with 6; an identity is made once', async () => {
    const { alice } = friends
    const wrong = join(directory, 'wrong')
    await writeFile(wrong, 'passphrase of nobody\n')
    const refused = await alice.runWith({ passphraseFile: wrong }, 'friends')
    expect(refused.status).to.equal(6)
    expectError(refused, 'WRONG_PASSPHRASE')
    const none = await alice.runWith({ passphraseFile: '' }, 'friends')
    expect(none.status).to.equal(6)
    expectError(none, 'PASSPHRASE_NEEDED')
    const again = await alice.run('init', '--name', 'Alice')
    expect(again.status).to.equal(1)
    expectError(again, 'IDENTITY_EXISTS')
  })

  it('the passphrase changes while the node runs; the old one opens nothing more', async () => {
    const { bob } = friends
    const [newFile, again] = [join(directory, 'new'), join(directory, 'again')]
    await writeFile(newFile, 'a passphrase of another kind\n')
    await cp(bob.passphraseFile, again)
    const wrong = await bob.runWith({ passphraseFile: newFile }, 'passphrase', 'change', '--new-passphrase-file', again)
    expect(wrong.status).to.equal(6)
    await bob.ask('passphrase', 'change', '--new-passphrase-file', newFile)
    expect((await bob.ask('friends'))[0]).to.include({ petname: 'Alice' })
    await bob.kill()
    const old = await bob.run('friends')
    expect(old.status).to.equal(6)
    expectError(old, 'WRONG_PASSPHRASE')
    const fresh = await bob.runWith({ passphraseFile: newFile }, 'friends')
    expect(fresh.status, fresh.stderr).to.equal(0)
    expect(fresh.output[0]).to.include({ petname: 'Alice' })
  })
})

function expectError({ output, stderr }: CommandResult, code: string): void {
  const [line] = output as { error?: Json }[]
  expect(line?.error, stderr).to.include({ code })
  expect(stderr).to.match(/^kith: .+\n/)
}
