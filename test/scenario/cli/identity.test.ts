/** Scripts of `init`, `id`, `status`, `passphrase change`, `config`, `help`: command and what it prints. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { ALICE, WORDS } from '../../support/fake-node.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const RELAY = '/ip4/192.0.2.1/tcp/4301/p2p/12D3KooWGzh4sP1Bzpz6Y5n8FnCdYDRyeSCBfJxw6vDxMzNBBBBB'

describe('kith init', () => {
  const directory = temporaryDirectories()

  it('prints the identity as one object', async () => {
    const shell = await Shell.create(await directory())
    const { status, json, stderr } = await shell.run(['init', '--name', 'Alice A', '--relay', RELAY, '--json'])
    expect(status).to.equal(0)
    expect(json).to.deep.equal([{ v: 1, id: ALICE, name: 'Alice A', words: WORDS }])
    expect(stderr).to.equal('')
    expect(shell.runtime.created).to.deep.equal([
      { home: shell.home, name: 'Alice A', passphrase: 'correct horse', relays: [RELAY], bootstrap: [] },
    ])
  })

  it('shows the words once, numbered, at a terminal', async () => {
    const shell = await Shell.create(await directory())
    const { status, stdout } = await shell.run('init --name alice', { columns: 80 })
    expect(status).to.equal(0)
    const text = stripVTControlCharacters(stdout)
    expect(text).to.include(ALICE)
    expect(text).to.match(/^ {3}1 word1 +7 word7 +13 word13 +19 word19$/m)
    expect(text).to.match(/^ {3}6 word6 +12 word12 +18 word18 +24 word24$/m)
    expect(text).to.include('kith up')
  })

  it('asks a person for name and passphrase', async () => {
    const shell = await Shell.create(await directory())
    const line = ['init', '--home', shell.home]
    const answers = ['Bob', 'long enough', 'long enough']
    expect((await shell.run(line, { bare: true, columns: 80, answers })).status).to.equal(0)
    expect(shell.runtime.created[0]).to.include({ name: 'Bob', passphrase: 'long enough' })
  })

  it('refuses two passphrases that differ', async () => {
    const shell = await Shell.create(await directory())
    const line = ['init', '--name', 'a', '--home', shell.home]
    const { status, stderr } = await shell.run(line, {
      bare: true,
      columns: 80,
      answers: ['one one one', 'two two two'],
    })
    expect([status, stderr]).to.deep.equal([
      2,
      'kith: the two passphrases differ\nhint: nothing was changed; try again\n',
    ])
    expect(shell.runtime.created).to.deep.equal([])
  })

  it('writes the words into a file of the owner’s alone', async () => {
    const shell = await Shell.create(await directory())
    const file = join(shell.directory, 'words')
    const { status, stdout } = await shell.run(['init', '--name', 'alice', '--words-file', file])
    expect(status).to.equal(0)
    expect(stdout).to.not.include('word1')
    expect(await readFile(file, 'utf8')).to.equal(`${WORDS}\n`)
    expect((await stat(file)).mode & 0o777).to.equal(0o600)
  })

  it('does not write over a file, and creates nothing then', async () => {
    const shell = await Shell.create(await directory())
    const file = join(shell.directory, 'words')
    await writeFile(file, 'precious')
    const { status, stderr } = await shell.run(['init', '--name', 'alice', '--words-file', file])
    expect(status).to.equal(2)
    expect(stderr).to.include('EEXIST')
    expect(await readFile(file, 'utf8')).to.equal('precious')
    expect(shell.runtime.created).to.deep.equal([])
  })

  it('leaves no file of words behind when it fails', async () => {
    const shell = await Shell.create(await directory())
    const file = join(shell.directory, 'words')
    await writeFile(shell.passphraseFile, 'short\n')
    const { status } = await shell.run(['init', '--name', 'alice', '--words-file', file])
    expect(status).to.equal(2)
    expect(await stat(file).catch((error: NodeJS.ErrnoException) => error.code)).to.equal('ENOENT')
  })

  it('without a terminal needs a place for the words', async () => {
    const shell = await Shell.create(await directory())
    expect(await shell.run('init --name alice')).to.include({
      status: 2,
      stdout: '',
      stderr: 'kith: the 24 words need a place\nhint: add --words-file FILE or --json, or run it in a terminal\n',
    })
  })

  it('needs a name, and one that fits', async () => {
    const shell = await Shell.create(await directory())
    expect(await shell.run('init --json')).to.include({
      status: 2,
      stderr: 'kith: a name is missing\nhint: add --name YOU\n',
    })
    expect((await shell.run(['init', '--json', '--name', 'x'.repeat(65)])).status).to.equal(2)
    expect((await shell.run(['init', '--json', '--name', 'a\nb'])).status).to.equal(2)
    expect((await shell.run(['init', '--json', '--name', 'a', '--relay', 'nonsense'])).status).to.equal(2)
    expect(shell.runtime.created).to.deep.equal([])
  })

  it('does not replace an identity', async () => {
    const shell = await Shell.create(await directory())
    expect(shell.node.contacts).to.deep.equal([])
    const { status, json, stderr } = await shell.run('init --name alice --json')
    expect(status).to.equal(1)
    expect(json[0]!.error).to.include({ code: 'IDENTITY_EXISTS' })
    expect(stderr).to.match(/^kith: there is an identity in .*\nhint: `kith id` shows it/)
  })
})

describe('kith id, status, passphrase, config, help', () => {
  const directory = temporaryDirectories()

  it('says who I am', async () => {
    const shell = await Shell.create(await directory())
    expect(shell.node.contacts).to.deep.equal([])
    expect((await shell.run('id')).stdout).to.equal(`${ALICE}\nalice\n`)
    expect((await shell.run('id --json')).json).to.deep.equal([
      { v: 1, id: ALICE, name: 'alice', peerId: '12D3fake', role: 'node' },
    ])
    expect(shell.runtime.opened[0]).to.include({ offline: true, role: 'node', home: shell.home })
  })

  it('says what is missing without an identity', async () => {
    const shell = await Shell.create(await directory())
    const { status, stderr } = await shell.run('id')
    expect(status).to.equal(2)
    expect(stderr).to.equal(
      `kith: no identity in ${shell.home}\nhint: create one with \`kith init --name YOU\`, or name another --home\n`,
    )
  })

  it('status without a node exits 3', async () => {
    const shell = await Shell.create(await directory())
    expect(await shell.run('status')).to.include({
      status: 3,
      stderr: `kith: no node runs on ${shell.home}\nhint: start it with \`kith up\`\n`,
    })
  })

  it('status of a node that runs', async () => {
    const shell = await Shell.create(await directory())
    shell.node.befriend('bob')
    const up = shell.start('up')
    await up.lines(1)
    const { status, json } = await shell.run('status --json')
    expect(status).to.equal(0)
    expect(json[0]).to.deep.include({ v: 1, role: 'node', id: ALICE, friends: 1, peers: 2, unacknowledged: 1 })
    const { stdout } = await shell.run('status')
    expect(stdout).to.include('/ip4/192.0.2.1/tcp/4301/p2p/12D3relay')
    expect(stdout).to.include('not connected: refused')
    up.stop('SIGTERM')
    expect((await up.done).status).to.equal(0)
  })

  it('changes the passphrase, with the old one', async () => {
    const shell = await Shell.create(await directory())
    expect(shell.node.contacts).to.deep.equal([])
    const fresh = join(shell.directory, 'new')
    await writeFile(fresh, 'battery staple\r\nsecond line\n')
    const line = ['passphrase', 'change', '--new-passphrase-file', fresh]
    expect((await shell.run([...line, '--json'])).json).to.deep.equal([{ v: 1, changed: true }])
    expect(shell.runtime.homes.get(shell.home)!.passphrase).to.equal('battery staple')
    expect((await shell.run(line)).status).to.equal(6)
    expect((await shell.run('passphrase change')).status).to.equal(6)
  })

  it('shows, checks and sets the configuration', async () => {
    const shell = await Shell.create(await directory())
    const config = join(shell.home, 'config.toml')
    expect((await shell.run('config set profile light --json')).json).to.deep.equal([
      { v: 1, key: 'profile', value: 'light', file: config },
    ])
    expect(await readFile(config, 'utf8')).to.include('profile = "light"')
    const shown = await shell.run('config show --origin', { env: { KITH_LOG_LEVEL: 'debug' } })
    expect(shown.stdout).to.match(/^profile +"light" +\(.*config\.toml:1\)$/m)
    expect(shown.stdout).to.match(/^logLevel +"debug" +\(KITH_LOG_LEVEL\)$/m)
    expect(shown.stdout).to.match(/^network +"public" +\(default\)$/m)
    expect((await shell.run('config show --json')).json[0]!.config).to.include({ profile: 'light' })
    expect((await shell.run('config check')).stdout).to.equal(`${config}: ok\n`)
    await writeFile(join(shell.home, 'role'), 'relay\n')
    const relays = (await shell.run('config show --json')).json[0]!.config
    expect(relays, 'what holds for who lives there')
      .to.include({ profile: 'light' })
      .and.have.nested.property('listen[0]')
    expect(relays).to.have.deep.property('listen', ['/ip4/0.0.0.0/tcp/4301'])
    await rm(join(shell.home, 'role'))
    const reserved = await shell.run('config set name alice')
    expect(reserved.stderr).to.include('warning: ').and.to.include('name is reserved and changes nothing yet\n')
    await writeFile(config, 'profil = "light"\n')
    expect(await shell.run('config check')).to.include({
      status: 2,
      stderr: `kith: ${config}:1: unknown key "profil"\nhint: did you mean profile?\n`,
    })
    expect((await shell.run('config set profile loud')).status).to.equal(2)
    expect((await shell.run('config check missing.toml')).status).to.equal(2)
  })

  it('explains the exit statuses', async () => {
    const shell = await Shell.create(await directory())
    const { status, stdout } = await shell.run('help exit-codes')
    expect(status).to.equal(0)
    expect(stdout.split('\n').map((line) => line.trim().split(' ')[0])).to.deep.equal([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '130',
      '',
    ])
    expect((await shell.run('help invite revoke')).stdout).to.include('end an invite')
    expect((await shell.run('help nonsense')).status).to.equal(2)
    expect((await shell.run('--help')).stdout).to.include('history')
    expect((await shell.run('send --help')).stdout).to.include('--passphrase-file')
    expect((await shell.run('--version')).stdout).to.match(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('kith doctor', () => {
  const directory = temporaryDirectories()
  let shell: Shell
  beforeEach(async () => {
    shell = await Shell.create(await directory())
  })

  it('says what is wrong of node and home, and ends with 1', async () => {
    shell.node.problems.push({ code: 'HOME_CHANGED', message: 'a copy', hint: 'say so' })
    const { status, json, stdout } = await shell.run('doctor --json')
    expect(status, stdout).to.equal(1)
    expect(json[0]).to.include({ v: 1, ok: false, running: false })
    const { checks } = json[0] as { checks: Record<string, string>[] }
    expect(checks).to.deep.include({ name: 'HOME_CHANGED', state: 'failed', detail: 'a copy', hint: 'say so' })
    expect(checks.find(({ name }) => name === 'relay')).to.include({ state: 'failed' })
    expect((await shell.run('doctor')).stdout).to.include('HOME_CHANGED  failed: a copy')
  })

  it('repairs and vouches only when it was told to', async () => {
    for (const command of ['doctor --repair', 'doctor --only-copy']) {
      const refused = await shell.run(command)
      expect([refused.status, refused.stderr]).to.deep.equal([
        2,
        'kith: this needs your word\nhint: add --yes, or run it in a terminal\n',
      ])
    }
    expect((await shell.run('doctor --repair --only-copy --yes')).status).to.equal(2)
    expect([shell.runtime.repaired, shell.node.trusted]).to.deep.equal([[], 0])
    const repaired = await shell.run('doctor --repair --yes')
    expect(repaired.stdout).to.match(/^kept: 3 history\nlost: 1 event\n/)
    expect((await shell.run('doctor --only-copy --yes --json')).json).to.deep.equal([{ v: 1, trusted: true }])
    expect([shell.runtime.repaired.length, shell.node.trusted]).to.deep.equal([1, 1])
  })
})

describe('kith identity rotate', () => {
  const directory = temporaryDirectories()

  it('takes the words from a file, from standard input, or asks for them', async () => {
    const shell = await Shell.create(await directory())
    expect(shell.node.rotations).to.equal(0)
    const file = join(shell.directory, 'words')
    await writeFile(file, `${WORDS}\n`)
    const first = await shell.run(['identity', 'rotate', '--words-file', file, '--json'])
    expect([first.status, first.json]).to.deep.equal([0, [{ v: 1, id: ALICE, rotations: 1 }]])
    const piped = await shell.run('identity rotate --words-file -', { stdin: `${WORDS}\n` })
    expect(piped.status).to.equal(0)
    const asked = await shell.run('identity rotate', { columns: 80, answers: [WORDS] })
    expect(asked.stdout).to.include(ALICE).and.to.include('Your ID stays').and.to.include('safety number')
    expect(asked.stdout).to.not.include('word1')
    expect(shell.node.rotations).to.equal(3)
  })

  it('needs them, and the right ones', async () => {
    const shell = await Shell.create(await directory())
    expect(shell.node.rotations).to.equal(0)
    const none = await shell.run('identity rotate')
    expect([none.status, none.stderr]).to.deep.equal([
      2,
      'kith: the 24 words are needed\nhint: give them with --words-file FILE, or --words-file - and standard input\n',
    ])
    expect((await shell.run('identity rotate --words-file -', { stdin: 'other words' })).status).to.equal(1)
    expect((await shell.run('identity rotate --words-file -', { stdin: 'x'.repeat(1001) })).status).to.equal(2)
    expect((await shell.run(['identity', 'rotate', '--words-file', join(shell.directory, 'no')])).status).to.equal(2)
    expect(shell.node.rotations).to.equal(0)
  })
})
