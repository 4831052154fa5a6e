/** Each wrong use: what it says, what it advises, and its exit status. */
import { expect } from 'chai'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('wrong use of kith', () => {
  const directory = temporaryDirectories()
  let shell: Shell

  before(async () => {
    shell = await Shell.create(await directory())
    shell.node.befriend('bob')
  })

  const scripts: [string[], RegExp | string, string][] = [
    [['frends'], "unknown command 'frends'", 'did you mean friends?'],
    [['zzzzzz'], "unknown command 'zzzzzz'", '`kith help COMMAND` shows what it takes'],
    [['friends', '--jsno'], "unknown option '--jsno'", 'did you mean --json?'],
    [['send'], "missing required argument 'who'", '`kith help COMMAND` shows what it takes'],
    [
      ['send', 'bob', 'two', 'words'],
      "too many arguments for 'send'. Expected 2 arguments but got 3: bob, two, words",
      'put a text of several words in quotes; `kith help COMMAND`',
    ],
    [['send', 'bob', ''], 'the message is empty', ''],
    [['send', 'bob', '-'], 'the message is empty', ''],
    [
      ['send', 'bob', 'x', '--timeout', '3s'],
      '--timeout needs --wait',
      'kith send WHO TEXT --wait custody --timeout 10s',
    ],
    [['send', 'bob', 'x', '--wait', 'custody', '--timeout', '2h'], '--timeout is at most 1h', ''],
    [
      ['send', 'bob', 'x', '--wait', 'never'],
      "option '--wait <state>' argument 'never' is invalid",
      'Allowed choices are queued, custody, delivered',
    ],
    [
      ['invite', '--expires', 'tomorrow'],
      "option '--expires <duration>' argument 'tomorrow' is invalid",
      'write a duration as 30s, 10m, 4h or 14d',
    ],
    [['invite', '--uses', '0'], "option '--uses <number>' argument '0' is invalid", 'expected a number from 1 to 16'],
    [['invite', 'revok', 'x'], /too many arguments|unknown command/, ''],
    [['history', 'bob', '--limit', 'all'], /'all' is invalid/, 'expected a number from 1 to 1000000'],
    [['watch', '--since', '-1'], /'-1' is invalid/, 'expected a number from 0 to 9007199254740991'],
    [['verify', 'bob', '--number', '1'], '--number needs --confirm', 'kith verify WHO --confirm --number N'],
    [['config', 'set', 'colour', 'red'], /unknown key "colour"/, ''],
    [['up', '--network', 'moon'], /'moon' is invalid/, 'Allowed choices are lan, public'],
    [['invite', '--expires', '30s'], '--expires is at least 1m', ''],
    [['up', '--relay', 'here'], /--relay: relays \(item 1\): expected a multiaddr/, ''],
    [['up', '--listen', 'here'], /--listen: listen \(item 1\): expected a multiaddr/, ''],
    [['friends', '--passphrase-fd', '3'], '--passphrase-fd and --passphrase-file exclude each other', ''],
    [['friends', '--passphrase-fd', 'x'], /'x' is invalid/, 'expected the number of an open descriptor'],
  ]
  for (const [argv, message, hint] of scripts) {
    it(`kith ${argv.join(' ')}`, async () => {
      const { status, stdout, stderr } = await shell.run(argv)
      expect(status, stderr).to.equal(2)
      expect(stdout).to.equal('')
      const [first, second] = stderr.split('\n')
      if (typeof message === 'string') expect(first).to.equal(`kith: ${message}`)
      else expect(first).to.match(message)
      if (hint !== '') expect(second).to.equal(`hint: ${hint}`)
      else expect(second).to.match(/^hint: ./)
    })
  }

  it('says it as data too', async () => {
    const { status, json, stderr } = await shell.run('frends --json')
    expect(status).to.equal(2)
    expect(json).to.deep.equal([
      { v: 1, error: { code: 'USAGE', message: "unknown command 'frends'", hint: 'did you mean friends?' } },
    ])
    expect(stderr).to.match(/^kith: unknown command/)
  })

  it('says no hint when it shall be quiet', async () => {
    expect((await shell.run('frends --quiet')).stderr).to.equal("kith: unknown command 'frends'\n")
  })

  it('without a command', async () => {
    const { status, stderr } = await shell.run([], { bare: true })
    expect([status, stderr]).to.deep.equal([2, 'kith: a command is missing\nhint: `kith help` lists all\n'])
  })

  it('a text that begins with a dash comes after --', async () => {
    const { status } = await shell.run(['send', 'bob', '--', '-5 degrees'])
    expect(status).to.equal(0)
    expect(shell.node.messages.at(-1)!.text).to.equal('-5 degrees')
  })

  it('a passphrase that is missing, wrong or not there', async () => {
    const home = ['--home', shell.home]
    const missing = await shell.run(['friends', ...home], { bare: true })
    expect([missing.status, missing.stderr]).to.deep.equal([
      6,
      'kith: locked: a passphrase is needed\n' +
        'hint: give it with --passphrase-file FILE, --passphrase-fd N or $CREDENTIALS_DIRECTORY/passphrase\n',
    ])
    const wrong = await shell.run(['friends', ...home], { bare: true, answers: ['not this one'] })
    expect(wrong.status).to.equal(6)
    const absent = await shell.run(['friends', ...home, '--passphrase-file', '/nowhere'], { bare: true })
    expect([absent.status, absent.stderr]).to.deep.equal([
      2,
      'kith: cannot read the passphrase from /nowhere (ENOENT)\nhint: check the path, and who may read it\n',
    ])
    const asked = await shell.run(['friends', ...home], { bare: true, answers: ['correct horse'] })
    expect(asked.status).to.equal(0)
  })

  it('an error of the node ends with its code', async () => {
    const { status, json, stderr } = await shell.run('send nobody hi --json')
    expect(status).to.equal(1)
    expect(json[0]!.error).to.deep.equal({
      code: 'UNKNOWN_FRIEND',
      message: 'nobody is called nobody',
      hint: 'see kith friends',
    })
    expect(stderr).to.equal('kith: nobody is called nobody\nhint: see kith friends\n')
  })

  it('a bug says where with -v only', async () => {
    shell.runtime.openError = new Error('broken\u001b[31m')
    const { status, stderr } = await shell.run('friends')
    expect([status, stderr]).to.deep.equal([
      1,
      'kith: internal error: broken␛[31m\nhint: this is a bug of kith; -v shows where\n',
    ])
    expect((await shell.run('friends -v')).stderr).to.include('wrong-use.test.ts')
    shell.runtime.openError = undefined
  })
})
