/** A home whose disk may only be read, or that disappears under a running node: told in clear words, and nothing is lost. */
import { execFileSync } from 'node:child_process'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { befriended, type Friends } from '../support/befriended.ts'
import type { CommandResult, Json } from '../support/kith-process.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { mayMount, titled } from './machine.ts'

const isMessage =
  (messageId: unknown) =>
  (event: Json): boolean =>
    event.event === 'message' && event.messageId === messageId

function expectRefused({ status, output, stderr }: CommandResult, code: string): void {
  expect(status, stderr).to.equal(1)
  expect(output[0]).to.have.nested.property('error.code', code)
  expect(stderr).to.match(/^kith: .+\nhint: .+\n$/)
}

describe('a home that disappears', function () {
  this.timeout(120_000)
  let friends: Friends | undefined
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('refuses to send what it could not keep, says why, and goes on when it is back', async () => {
    friends = await befriended(await temporaryDirectory())
    const { alice, bob, relay } = friends
    await relay.start()
    await Promise.all([alice.start(), bob.start()])
    const kept = (await alice.ask('send', 'Bob', 'while it is there'))[0]!.messageId
    await bob.logged(isMessage(kept))
    expect((await alice.call('node.status', {})).problems).to.deep.equal([])
    await rename(alice.home, `${alice.home}-away`)
    try {
      await alice.call('message.send', { who: 'Bob', text: 'into nothing' }).then(
        () => expect.fail('nothing keeps this message'),
        (error: unknown) => expect(error).to.have.property('code', 'STORE_GONE'),
      )
      await alice.waitFor(() => false).catch(() => undefined)
      expect(alice.isRunning, 'nothing is left to serve').to.equal(false)
      expect(alice.stderr).to.match(/kith: the home directory is gone.*\nhint: .+/)
      const { messageId: meanwhile } = await bob.call('message.send', { who: 'Alice', text: 'are you there?' })
      await bob.call('message.wait', { messageId: meanwhile, state: 'custody', timeoutSeconds: 30 })
      await alice.stop()
      await rename(`${alice.home}-away`, alice.home)
      await alice.start()
      await alice.logged(isMessage(meanwhile))
      await bob.call('message.wait', { messageId: meanwhile, state: 'delivered', timeoutSeconds: 60 })
      const after = (await alice.ask('send', 'Bob', 'here again'))[0]!.messageId
      await bob.logged(isMessage(after))
    } finally {
      await rename(`${alice.home}-away`, alice.home).catch(() => undefined)
    }
  })
})

const possible = mayMount()

describe(titled('a disk that may only be read', possible, 'root and mount'), function () {
  this.timeout(120_000)
  let friends: Friends | undefined
  let mounted: string | undefined
  before(function () {
    if (!possible) this.skip()
  })
  after(async () => {
    await friends?.nodes.stopAll()
    if (mounted !== undefined) execFileSync('umount', [mounted])
  })
  const temporaryDirectory = temporaryDirectories()

  it('ends the start with a clear error, and the home is as it was when it may be written again', async () => {
    const directory = await temporaryDirectory()
    const home = join(directory, 'alice')
    await mkdir(home, { mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=700', 'tmpfs', home])
    mounted = home
    friends = await befriended(directory)
    const { alice, bob, relay } = friends
    await relay.start()
    await bob.start()
    execFileSync('mount', ['-o', 'remount,ro', home])
    expectRefused(await alice.run('up', '--listen', '/ip4/127.0.0.1/tcp/0'), 'STORE_READ_ONLY')
    expectRefused(await alice.run('send', 'Bob', 'onto a disk that takes nothing'), 'STORE_READ_ONLY')
    const examined = await alice.run('doctor')
    expect(examined.status).to.equal(1)
    execFileSync('mount', ['-o', 'remount,rw', home])
    await alice.start()
    const sent = (await alice.ask('send', 'Bob', 'it takes something again'))[0]!.messageId
    await bob.logged(isMessage(sent))
    expect((await alice.call('node.status', {})).problems).to.deep.equal([])
  })
})
