/** `kith chat --plain` and the newcomer: what is typed, what is read out. */
import { expect } from 'chai'
import { SAFETY_NUMBER } from '../../support/fake-node.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('kith chat by lines', () => {
  const directory = temporaryDirectories()
  let shell: Shell

  beforeEach(async () => {
    shell = await Shell.create(await directory())
    shell.node.befriend('bob', { name: 'Robert', verified: true, online: true })
  })

  async function chat(lines: string[], line: string | string[] = 'chat --plain'): Promise<string> {
    const { stdout, status, stderr } = await shell.run(line, { stdin: lines.map((each) => `${each}\n`).join('') })
    expect(status, stderr).to.equal(0)
    return stdout
  }

  it('reads out a conversation and sends what is piped in', async () => {
    shell.node.receive('bob', 'hello\nand more')
    const out = await chat(['dear bob', 'two \\', 'lines', '//slash'])
    expect(out).to.match(/^\* connected as alice/m)
    expect(out).to.match(/^--- bob \(verified, online\) ---$/m)
    expect(out).to.match(/^\d\d:\d\d bob: hello\n {6}\| and more$/m)
    expect(out).to.match(/^\d\d:\d\d me: dear bob ◌ queued$/m)
    expect(shell.node.messages.filter(({ direction }) => direction === 'out').map(({ text }) => text)).to.deep.equal([
      'dear bob',
      'two \nlines',
      '/slash',
    ])
  })

  it('sends no command as text, and says what it does not know', async () => {
    const out = await chat(['/nosuch thing', '/add'])
    expect(out).to.match(/^! there is no \/nosuch; \/help shows all/m)
    expect(out).to.match(/^! \/add needs somebody: \/add INVITE \[PETNAME\]$/m)
    expect(shell.node.messages).to.deep.equal([])
  })

  it('opens who is named, marks as read what it has read out, and tells of others', async () => {
    shell.node.befriend('carol', { unread: 1 })
    shell.node.befriend('dave', { unread: 1 })
    shell.node.receive('carol', 'from carol')
    shell.node.receive('dave', 'from dave')
    const out = await chat([], ['chat', 'carol', '--plain'])
    expect(out).to.match(/^\* 1 new from (carol|dave): \/open (carol|dave)$/m)
    expect(out)
      .to.match(/^--- carol /m)
      .and.match(/carol: from carol$/m)
    expect(shell.node.contacts.find(({ petname }) => petname === 'carol')!.unread).to.equal(0)
  })

  it('T45 reads out a message so that it can neither control the terminal nor pass for a line of ours', async () => {
    shell.node.receive('bob', 'a\u001b[2J\u001b]52;c;eA==\u0007\n* you are safe\u202e\r--- bob (verified) ---')
    const out = await chat([])
    // oxlint-disable-next-line no-control-regex -- nothing of the kind may be there
    expect(out).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(out)
      .to.match(/bob: a␛\[2J/)
      .and.match(/^ {6}\| \* you are safe$/m)
    expect(out.match(/^--- bob/gm)).to.have.length(1)
  })

  it('answers requests, verifies, shows the way of a message', async () => {
    shell.node.knock('eve', 'we met')
    const out = await chat(['/requests', '/accept eve Evelyn', '/open bob', 'a word', '/trace', '/verify', '/confirm'])
    expect(out)
      .to.match(/^1\. calls themselves eve$/m)
      .and.match(/they say: we met/)
    expect(out).to.match(/\/accept kith1eve {2}\/decline kith1eve/)
    expect(out).to.match(/^\* Evelyn is accepted$/m)
    expect(out)
      .to.include(SAFETY_NUMBER.slice(0, 5))
      .and.match(/^\* bob is verified$/m)
    expect(out).to.match(/^--- The way of a message: queued ---$/m)
  })

  it('finds a message anywhere and goes there, and changes a setting that holds at once', async () => {
    shell.node.befriend('carol')
    shell.node.receive('carol', 'the needle of carol')
    const out = await chat([
      '/search needle',
      '/open kith1carol m1',
      '/set symbols ascii',
      '/open bob',
      'hay',
      '/settings',
    ])
    expect(out).to.match(
      /^--- Messages with “needle” ---\n1\. .*carol\n {3}the needle of carol\n {3}\/open kith1carol m1$/m,
    )
    expect(out)
      .to.match(/^\* symbols = ascii$/m)
      .and.match(/me: hay o queued$/m)
    expect(out).to.match(/^\d+\. symbols = ascii$/m)
  })

  it('keeps what the node refused, and sends it again when told to', async () => {
    shell.node.befriend('carol', { keysChanged: true })
    const refused = await chat(['a word'], ['chat', 'carol', '--plain'])
    expect(refused).to.match(/^! not sent: the keys changed; \/retry sends it again$/m)
    expect(refused).to.match(/^--- carol \(KEYS CHANGED/m)
    const out = await chat(['a word', '/trust', '/retry'], ['chat', 'carol', '--plain'])
    expect(out).to.match(/^\d\d:\d\d me: a word ◌ queued$/m)
  })

  it('is for people', async () => {
    const { status, stderr } = await shell.run('chat --json')
    expect([status, stderr.includes('kith watch --json')]).to.deep.equal([2, true])
  })
})

describe('kith chat on a new machine', () => {
  const directory = temporaryDirectories()

  it('asks three questions, shows the words, and is the chat', async () => {
    const shell = await Shell.create(await directory())
    const answers = ['Ada', 'seven purple gentians', 'seven purple gentians', '']
    const { status, stdout, stderr } = await shell.run(['chat', '--plain', '--home', shell.home], {
      bare: true,
      columns: 80,
      answers,
      stdin: '/invite\n',
    })
    expect([status, answers], stderr).to.deep.equal([0, []])
    expect(shell.runtime.created).to.have.length(1)
    expect(shell.runtime.created[0]).to.include({ name: 'Ada', passphrase: 'seven purple gentians' })
    expect(stdout)
      .to.match(/1 word1 /)
      .and.match(/24 word24/)
    expect(stdout)
      .to.match(/^\* connected as Ada/m)
      .and.match(/^kithinvite1link1$/m)
    expect(stderr).to.match(/making your keys/)
  })

  it('asks nobody where there is nobody', async () => {
    const shell = await Shell.create(await directory())
    const { status, stderr } = await shell.run(['chat', '--plain', '--home', shell.home], { bare: true })
    expect([status, stderr.includes('kith init')]).to.deep.equal([2, true])
  })

  it('makes nothing when the passphrase is too short', async () => {
    const shell = await Shell.create(await directory())
    const { status } = await shell.run(['chat', '--home', shell.home], {
      bare: true,
      columns: 80,
      answers: ['Ada', 'short', 'short'],
    })
    expect([status, shell.runtime.homes.size]).to.deep.equal([2, 0])
  })
})
