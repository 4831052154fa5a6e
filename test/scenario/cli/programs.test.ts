/** What programs start: one call by hand, the protocol on standard input and output, and their tokens. */
import { expect } from 'chai'
import { ALICE, BOB } from '../../support/fake-node.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

function lines(...requests: object[]): string {
  return requests.map((request) => `${JSON.stringify({ jsonrpc: '2.0', ...request })}\n`).join('')
}

describe('kith for programs', () => {
  const directory = temporaryDirectories()
  let shell: Shell

  beforeEach(async () => {
    shell = await Shell.create(await directory())
    shell.node.befriend('bob')
  })

  describe('kith rpc', () => {
    it('calls one method and prints its result', async () => {
      const { status, stdout } = await shell.run('rpc node.status')
      expect(status).to.equal(0)
      expect(JSON.parse(stdout)).to.include({ role: 'node', id: ALICE })
      const sent = await shell.run(['rpc', 'message.send', '{"who":"bob","text":"hi"}', '--json'])
      expect(sent.json).to.deep.equal([{ v: 1, result: { messageId: 'm1', state: 'queued' } }])
    })

    it('reads parameters from standard input', async () => {
      await shell.run('rpc draft.set -', { stdin: '{"who":"bob","text":"dear bob"}' })
      expect(shell.node.drafts.get(BOB)).to.equal('dear bob')
    })

    it('stays offline for what only reads', async () => {
      await shell.run('rpc friend.list')
      await shell.run(['rpc', 'message.send', '{"who":"bob","text":"hi"}'])
      expect(shell.runtime.opened.map(({ offline }) => offline)).to.deep.equal([true, false])
    })

    it('shows and changes the settings of the home', async () => {
      await shell.run(['rpc', 'settings.set', '{"key":"logLevel","value":"debug"}'])
      const rows = (await shell.run('rpc settings.list --json')).json[0]!['result'] as { key: string; value: string }[]
      expect(rows.find(({ key }) => key === 'logLevel')).to.include({ value: 'debug', origin: 'file' })
    })

    it('T45 prints what a peer wrote so that a terminal obeys none of it', async () => {
      shell.node.receive('bob', 'a\u001b]0;x\u0007\u009b31m\u202eb')
      const { stdout } = await shell.run(['rpc', 'history.list', '{"who":"bob"}'], { columns: 80 })
      // oxlint-disable-next-line no-control-regex -- what must not be there
      expect(stdout).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      expect((JSON.parse(stdout) as { messages: { text: string }[] }).messages[0]!.text).to.include('\u202eb')
    })

    const wrong: [string[], number, RegExp][] = [
      [['rpc'], 2, /a method is missing/],
      [['rpc', 'nope'], 1, /no method nope/],
      [['rpc', 'node.status', '[]'], 2, /no JSON object/],
      [['rpc', 'node.status', '{'], 2, /no JSON object/],
      [['rpc', 'message.send', '{}'], 2, /who/],
      [['rpc', 'events.subscribe'], 2, /ends with its connection/],
      [['rpc', 'node.status', '--stdio'], 2, /from standard input/],
    ]
    for (const [argv, status, text] of wrong) {
      it(`refuses ${argv.join(' ')}`, async () => {
        const ran = await shell.run(argv)
        expect(ran.status).to.equal(status)
        expect(ran.stderr).to.match(text)
      })
    }
  })

  describe('kith rpc --stdio', () => {
    it('is the node when none runs, and answers everything before it ends', async () => {
      const stdin = lines(
        { id: 1, method: 'rpc.hello' },
        { id: 2, method: 'message.send', params: { who: 'bob', text: 'x' } },
      )
      const { status, stdout } = await shell.run('rpc --stdio', { stdin })
      const answers = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: number; result: object })
      expect(status).to.equal(0)
      expect(answers.map(({ id }) => id)).to.deep.equal([1, 2])
      expect(answers[0]!.result).to.include({ transient: true })
      expect(shell.runtime.stopped).to.equal(1)
    })

    it('speaks to the node that runs, and hears its events', async () => {
      const up = shell.start('up')
      await up.lines(1)
      const bridge = shell.start('rpc --stdio', { stdin: lines({ id: 1, method: 'events.subscribe' }) })
      expect(JSON.parse((await bridge.lines(1))[0]!)).to.deep.include({ id: 1, result: { subscription: 1, cursor: 0 } })
      shell.node.emit('message', { text: 'hi' })
      expect(JSON.parse((await bridge.lines(2))[1]!)).to.deep.include({ method: 'event' })
      bridge.stop('SIGTERM')
      expect((await bridge.done).status).to.equal(130)
      expect(shell.runtime.opened).to.have.length(1)
      up.stop('SIGTERM')
      await up.done
    })

    it('says when the node has gone', async () => {
      const up = shell.start('up')
      await up.lines(1)
      const stdin = lines({ id: 1, method: 'events.subscribe' })
      const bridge = shell.start('rpc --stdio', { stdin, keepsInput: true })
      await bridge.lines(1)
      up.stop('SIGTERM')
      await up.done
      const { status } = await bridge.done
      expect(status).to.equal(3)
    })
  })

  describe('kith bot', () => {
    it('makes a token that is shown once, lists it and ends it', async () => {
      const made = await shell.run('bot new echo --scope read --scope send --conversation bob')
      expect(made.status).to.equal(0)
      expect(made.stdout).to.match(/^kith_[\w-]{43}\n$/)
      const listed = await shell.run('bot list')
      expect(listed.stdout)
        .to.match(/echo.*read send/)
        .and.to.not.include(made.stdout.trim())
      expect((await shell.run('bot list --json')).json[0]).to.include({ name: 'echo' })
      expect((await shell.run('bot revoke echo')).stdout).to.equal('revoked\n')
      expect((await shell.run('bot list')).stdout).to.equal('')
      expect((await shell.run('bot revoke echo')).status).to.equal(1)
    })

    it('needs a scope that there is', async () => {
      expect((await shell.run('bot new echo')).status).to.equal(2)
      const { status, stderr } = await shell.run('bot new echo --scope everything')
      expect(status).to.equal(2)
      expect(stderr).to.include('read, send, admin, metrics')
    })

    it('tells two of one name apart', async () => {
      for (let i = 0; i < 2; i++) await shell.run('bot new echo --scope read')
      expect((await shell.run('bot revoke echo')).stderr).to.include('2 bots have this name')
      const [first] = (await shell.run('bot list --json')).json
      expect((await shell.run(['bot', 'revoke', String(first!['tokenId'])])).status).to.equal(0)
      expect((await shell.run('bot list --json')).json).to.have.length(1)
    })
  })
})
