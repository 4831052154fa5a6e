/** `kith doctor` on real homes: healthy, copied, damaged; beside a node and alone. */
import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { befriended, type Friends } from '../../support/befriended.ts'
import type { CommandResult, Json } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const checksOf = ({ output }: CommandResult): Record<string, string> =>
  Object.fromEntries((output[0]!.checks as Json[]).map(({ name, state }) => [String(name), String(state)]))

describe('kith doctor', function () {
  this.timeout(60_000)
  let friends: Friends

  before(async () => {
    friends = await befriended(await temporaryDirectory())
    await friends.relay.start()
    await friends.bob.start()
  })
  after(async () => friends?.nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('finds nothing wrong with a healthy home, alone and beside its node', async () => {
    const { alice, relay } = friends
    const alone = await alice.run('doctor')
    expect(alone.status, alone.stderr).to.equal(0)
    expect(alone.output[0]).to.include({ v: 1, ok: true, running: false })
    const well = { home: 'ok', config: 'ok', vault: 'ok', database: 'ok', relay: 'ok', records: 'ok' }
    expect(checksOf(alone)).to.include(well)
    const locked = await alice.runWith({ passphraseFile: '' }, 'doctor')
    expect(checksOf(locked)).to.include({ vault: 'skipped', database: 'ok' })
    await alice.start()
    const beside = await alice.runWith({ passphraseFile: '' }, 'doctor')
    expect(beside.output[0]).to.include({ running: true })
    expect(checksOf(beside)).to.include({ home: 'ok', config: 'ok' })
    await alice.stop()
    const ofRelay = await relay.run('doctor')
    expect(ofRelay.status, ofRelay.stderr).to.equal(0)
  })

  it('T26 a copy of a home sends nothing, not once, until its owner vouches for it', async () => {
    const { alice, nodes } = friends
    const copy = nodes.node('alice-copy', 'up')
    await cp(alice.home, copy.home, { recursive: true, preserveTimestamps: true })
    const passphrase = { passphraseFile: alice.passphraseFile }
    for (let i = 0; i < 2; i++) {
      const refused = await copy.runWith(passphrase, 'send', 'Bob', 'from a copy')
      expect(refused.status).to.equal(1)
      expect(refused.output[0]).to.have.nested.property('error.code', 'ROLLED_BACK')
      expect(refused.stderr).to.contain('kith doctor')
    }
    const told = await copy.runWith(passphrase, 'doctor')
    expect(told.status).to.equal(1)
    expect(checksOf(told)).to.include({ HOME_CHANGED: 'failed', database: 'ok' })
    expect((await copy.runWith(passphrase, 'doctor', '--only-copy')).status, 'nobody was asked').to.equal(2)
    await copy.runWith(passphrase, 'doctor', '--only-copy', '--yes')
    const sent = await copy.runWith(passphrase, 'send', 'Bob', 'vouched for')
    expect(sent.status, sent.stderr).to.equal(0)
  })

  it('says what is wrong with a damaged database, and saves what can be read', async () => {
    const { alice } = friends
    await rm(join(alice.home, 'db', 'CURRENT'))
    const up = await alice.run('up', '--listen', '/ip4/127.0.0.1/tcp/0')
    expect(up.status).to.equal(1)
    expect(up.output[0]).to.have.nested.property('error.code', 'STORE_DAMAGED')
    expect(up.stderr).to.match(/^kith: files of the database are missing\nhint: .*kith doctor/)
    const told = await alice.run('doctor')
    expect(told.status).to.equal(1)
    expect(checksOf(told)).to.include({ vault: 'ok', database: 'failed' })
    expect((await alice.run('doctor', '--repair')).status, 'nobody was asked').to.equal(2)
    const [repaired] = await alice.ask('doctor', '--repair', '--yes')
    expect(repaired).to.include({ rebuilt: true })
    expect(repaired!.lost).to.deep.equal({})
    expect(await readdir(String(repaired!.copy))).not.to.contain('CURRENT')
    expect((await alice.ask('friends')).map(({ petname }) => petname)).to.deep.equal(['Bob'])
    const refused = await alice.run('send', 'Bob', 'after a repair')
    expect(refused.output[0]).to.have.nested.property('error.code', 'ROLLED_BACK')
  })

  it('refuses a home whose vault is gone, and makes no new identity over it', async () => {
    const { bob } = friends
    await bob.stop()
    await rm(join(bob.home, 'vault.cbor'))
    for (const command of [['up', '--listen', '/ip4/127.0.0.1/tcp/0'], ['init', '--name', 'Bob'], ['friends']]) {
      const refused = await bob.run(...command)
      expect(refused.status, command[0]).to.equal(1)
      expect(refused.output[0]).to.have.nested.property('error.code', 'VAULT_MISSING')
    }
    expect(checksOf(await bob.run('doctor'))).to.include({ vault: 'failed' })
  })
})
