/** Scripts of friends and messages: command and what it prints. */
import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { UsageError } from '../../../node/errors.ts'
import { BOB, FAKE_NOW, SAFETY_NUMBER } from '../../support/fake-node.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('kith among friends', () => {
  const directory = temporaryDirectories()
  let shell: Shell

  beforeEach(async () => {
    shell = await Shell.create(await directory())
    shell.node.befriend('bob', { name: 'Robert', verified: true, online: true, unread: 2 })
  })

  it('makes, lists and revokes invites', async () => {
    const made = await shell.run('invite --expires 4h --uses 2 --json')
    expect(made.json[0]).to.include({ v: 1, invite: 'kithinvite1link1', expires: '2026-11-21T13:56:00.000Z' })
    expect(shell.runtime.opened[0]!.offline).to.equal(false)
    expect((await shell.run('invites --json')).json).to.have.length(1)
    expect((await shell.run('invite')).stdout).to.equal('kithinvite1link2\n')
    const drawn = await shell.run('invite --qr', { columns: 80 })
    expect(drawn.stdout).to.match(/[▀▄█]{10}/)
    expect((await shell.run('invite revoke i1 --json')).json).to.deep.equal([{ v: 1, inviteId: 'i1', revoked: true }])
    expect((await shell.run('invites --json')).json.map(({ inviteId }) => inviteId)).to.deep.equal(['i2', 'i3'])
    expect((await shell.run('invite revoke i1')).status).to.equal(1)
    expect((await shell.run('invite revoke kithinvite1link3 --json')).json[0]).to.include({ inviteId: 'i3' })
  })

  it('asks somebody to be a friend', async () => {
    const { status, json, stderr } = await shell.run(['add', 'kithinvite1x', '--as', 'carol', '--note', 'hi', '--json'])
    expect(status).to.equal(0)
    expect(json).to.deep.equal([{ v: 1, id: 'kith1carol', state: 'outgoing' }])
    expect(stderr).to.include('kith up')
    expect([shell.runtime.settled, shell.runtime.stopped]).to.deep.equal([1, 1])
  })

  it('says how to reach who takes invites only', async () => {
    shell.node.addError = new UsageError('INVITE_NEEDED', 'carol takes invites only')
    const { status, stderr } = await shell.run('add kith1carol')
    expect([status, stderr]).to.deep.equal([
      1,
      'kith: carol takes invites only\nhint: ask them for an invite: `kith invite` makes one\n',
    ])
  })

  it('stores a request for an ID whose records are not found yet, and says so', async () => {
    shell.node.addReason = 'their records were not found yet'
    const stored = await shell.run('add kith1carol --as carol')
    expect([stored.status, stored.stdout]).to.deep.equal([
      0,
      'Request stored: their records were not found yet. A running node goes on looking.\n',
    ])
    expect(stored.stderr).to.include('kith up')
    expect(await shell.run('add kith1dora --as dora --json')).to.deep.include({
      status: 0,
      json: [{ v: 1, id: 'kith1dora', state: 'outgoing', reason: 'their records were not found yet' }],
    })
    expect((await shell.run('friends --json')).json.find(({ petname }) => petname === 'dora')).to.include({
      state: 'outgoing',
      reason: 'their records were not found yet',
    })
  })

  it('answers requests', async () => {
    shell.node.knock('dave', 'we met')
    shell.node.knock('eve')
    expect((await shell.run('requests --json')).json[0]).to.deep.equal({
      v: 1,
      id: 'kith1dave',
      name: 'dave',
      note: 'we met',
      receivedAt: '2026-11-21T09:56:00.000Z',
    })
    const { stdout } = await shell.run('requests')
    expect(stdout).to.match(/^kith1dave\n {2}calls themselves dave, .*\n {2}note: we met\nkith1eve\n/)
    expect((await shell.run('accept dave --as Dave --json')).json).to.deep.equal([
      { v: 1, id: 'kith1dave', state: 'accepted' },
    ])
    expect((await shell.run('decline eve --json')).json).to.deep.equal([{ v: 1, id: 'kith1eve', state: 'none' }])
    expect(await shell.run('requests')).to.include({ stdout: '', stderr: 'nobody asks\n' })
    expect((await shell.run('block Dave --json')).json[0]).to.include({ state: 'blocked' })
    expect((await shell.run('unfriend bob --json')).json[0]).to.include({ state: 'none' })
    expect((await shell.run('unfriend bob')).stdout).to.equal('bob: no friend any more\n')
  })

  it('lists friends', async () => {
    shell.node.befriend('carol', { state: 'outgoing' })
    expect((await shell.run('friends --json')).json).to.deep.equal([
      {
        v: 1,
        id: BOB,
        petname: 'bob',
        name: 'Robert',
        state: 'friend',
        verified: true,
        trust: 'verified',
        online: true,
        unread: 2,
      },
      {
        v: 1,
        id: 'kith1carol',
        petname: 'carol',
        name: 'carol',
        state: 'outgoing',
        verified: false,
        trust: 'unverified',
        online: false,
        unread: 0,
      },
    ])
    expect((await shell.run('friends')).stdout).to.equal(
      'bob    “Robert”  friend    verified  online  2 new  kith1bob\n' +
        'carol            outgoing                           kith1carol\n',
    )
  })

  it('refuses to send to changed keys, until they are accepted', async () => {
    Object.assign(shell.node.contacts[0]!, { verified: false, trust: 'changed', keysChanged: true })
    expect((await shell.run('friends')).stdout).to.include('was verified, the number changed, keys changed')
    const refused = await shell.run('send bob hello --json')
    expect(refused.status).to.equal(4)
    expect(refused.json[0]!.error).to.include({ code: 'KEY_CHANGED' })
    expect(refused.stderr).to.include('hint: ')
    const { status, stdout } = await shell.run('trust bob')
    expect([status, stdout]).to.deep.equal([0, 'bob: their keys are accepted; nobody compared the safety number\n'])
    expect((await shell.run('send bob hello')).status).to.equal(0)
  })

  it('compares safety numbers', async () => {
    shell.node.contacts[0]!.verified = false
    const { stdout } = await shell.run('verify bob')
    expect(stdout).to.equal(
      '  12345 67890 12345 67890\n  12345 67890 12345 67890\n  12345 67890 12345 67890\nnot verified yet\n',
    )
    expect((await shell.run('verify bob --json')).json).to.deep.equal([
      { v: 1, safetyNumber: SAFETY_NUMBER, code: `KITH-SAFETY:${SAFETY_NUMBER}`, verified: false },
    ])
    const unasked = await shell.run('verify bob --confirm')
    expect(unasked.status).to.equal(4)
    const wrong = await shell.run(['verify', 'bob', '--confirm', '--number', '0'.repeat(60), '--json'])
    expect(wrong.status).to.equal(4)
    expect(wrong.json[0]!.error).to.include({ code: 'NOT_TRUSTED' })
    expect((await shell.run('verify bob --confirm', { answers: ['no'] })).status).to.equal(4)
    expect(shell.node.contacts[0]!.verified).to.equal(false)
    const grouped = SAFETY_NUMBER.replace(/(.{5})/g, '$1 ').trim()
    const right = await shell.run(['verify', 'bob', '--confirm', '--number', grouped, '--json'])
    expect(right.json).to.deep.equal([
      { v: 1, safetyNumber: SAFETY_NUMBER, code: `KITH-SAFETY:${SAFETY_NUMBER}`, verified: true },
    ])
    shell.node.contacts[0]!.verified = false
    expect((await shell.run('verify bob --confirm', { answers: ['yes'] })).stdout).to.include('bob: verified')
    expect((await shell.run('verify bob', { columns: 80 })).stdout).to.match(/[▀▄█]{5}/)
  })

  it('sends without a running node: waits for the relays and advises kith up', async () => {
    const { status, json, stderr } = await shell.run('send bob hello --json')
    expect([status, json]).to.deep.equal([0, [{ v: 1, messageId: 'm1', state: 'custody' }]])
    expect(stderr).to.equal('hint: `kith up` keeps a node running, which goes on and hears the answer\n')
    expect(shell.runtime.stopped).to.equal(1)
    const human = await shell.run(['send', 'bob', 'hello again', '--quiet'])
    expect(human).to.include({ stdout: '✓ custody  kept for bob by their relays\n', stderr: '' })
    shell.node.reaches = 'queued'
    const queued = await shell.run('send bob later')
    expect(queued).to.include({ status: 0, stdout: '◌ queued  kept here for bob; nobody could take it yet\n' })
  })

  it('traces a message, for people and for scripts', async () => {
    await shell.run('send bob hello')
    const relay = '/ip4/192.0.2.1/tcp/4301/p2p/12D3relay'
    const until = FAKE_NOW + 86_400_000
    shell.node.steps = [
      { step: 'queued', at: FAKE_NOW, by: 'me', detail: '' },
      { step: 'receipt', at: FAKE_NOW, by: relay, detail: '', storedAt: FAKE_NOW, until },
      { step: 'waiting', at: FAKE_NOW, by: BOB, detail: 'forged\n\u001b[31mline' },
    ]
    const { json } = await shell.run('trace m1 --json')
    const at = '2026-11-21T09:56:00.000Z'
    expect(json).to.deep.equal([
      {
        v: 1,
        messageId: 'm1',
        state: 'custody',
        steps: [
          { step: 'queued', at, by: 'me', detail: '' },
          { step: 'receipt', at, by: relay, detail: '', storedAt: at, until: '2026-11-22T09:56:00.000Z' },
          { step: 'waiting', at, by: BOB, detail: 'forged\n\u001b[31mline' },
        ],
      },
    ])
    const { stdout } = await shell.run('trace m1')
    const lines = stdout.trimEnd().split('\n')
    expect(lines).to.have.lengthOf(4)
    expect(lines[0]).to.equal('✓ custody')
    expect(lines[2]).to.match(/ receipt +\/ip4\/.*: signed in the hour of .*, until 2026-11-2/)
    expect(lines[3]).to.match(/ waiting +bob: forged.*line$/)
    expect(stdout).to.not.include('\u001b[31m')
    const unknown = await shell.run('trace nothing')
    expect([unknown.status, unknown.stderr.split('\n')[0]]).to.deep.equal([1, 'kith: no such message'])
  })

  it('tells what is wrong, and what became of relays', async () => {
    shell.node.problems.push({
      code: 'RELAY_DROPPED_MAIL',
      message: 'the relay 12D3 dropped mail',
      hint: 'take another',
    })
    const up = shell.start('up')
    await up.lines(1)
    const { stdout } = await shell.run('status')
    expect(stdout).to.include('wrong  the relay 12D3 dropped mail\n       take another\n')
    expect((await shell.run('status --json')).json[0]!.problems).to.have.lengthOf(1)
    shell.node.emit('relay', { peerId: '12D3KooWabcdefgh', state: 'caught' })
    const told = await up.lines(3)
    expect(told.join('\n')).to.match(/relay abcdefgh: it dropped mail that it had signed for/)
    up.stop('SIGTERM')
    await up.done
  })

  it('reads the message from standard input', async () => {
    expect((await shell.run('send bob -', { stdin: 'two\nlines\n' })).status).to.equal(0)
    expect((await shell.run('send bob', { stdin: 'a pipe' })).status).to.equal(0)
    expect(shell.node.messages.map(({ text }) => text)).to.deep.equal(['two\nlines', 'a pipe'])
    const invalid = await shell.run('send bob -', { stdin: Uint8Array.of(0xff) })
    expect([invalid.status, invalid.stderr]).to.deep.equal([
      1,
      'kith: standard input is not UTF-8 text\nhint: only text can be sent\n',
    ])
    const long = await shell.run('send bob -', { stdin: 'x'.repeat(60_001) })
    expect([long.status, long.stderr]).to.deep.equal([
      1,
      'kith: a message has at most 60000 bytes of text\nhint: shorten it, or send it in parts\n',
    ])
  })

  it('a wait that times out exits 5 with the state that was reached', async () => {
    const { status, json, stderr } = await shell.run('send bob hi --wait delivered --timeout 1s --json')
    expect([status, json]).to.deep.equal([5, [{ v: 1, messageId: 'm1', state: 'custody' }]])
    expect(stderr).to.match(/^kith: not delivered in time, the message is custody\nhint: it stays in the outbox/)
    shell.node.reaches = 'delivered'
    expect((await shell.run('send bob hi --wait delivered')).stdout).to.equal('✓✓ delivered  bob has it\n')
    shell.node.reaches = 'failed'
    expect((await shell.run('send bob hi --wait delivered')).status).to.equal(1)
  })

  it('tells what was written, oldest first', async () => {
    shell.node.receive('bob', 'hi')
    await shell.run('send bob hello')
    shell.node.receive('bob', 'one\ntwo')
    expect((await shell.run('history bob --json')).json[0]).to.deep.equal({
      v: 1,
      messageId: 'm1',
      conversation: BOB,
      from: BOB,
      direction: 'in',
      type: 'text',
      text: 'hi',
      sentAt: '2026-11-21T09:56:00.000Z',
      receivedAt: '2026-11-21T09:56:00.000Z',
      state: 'delivered',
      via: 'relay',
    })
    const { stdout } = await shell.run('history bob')
    const shown = stdout.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'TIME')
    expect(shown).to.equal(
      'TIME  bob: hi  via relay\n' +
        'TIME  me: hello  ✓ custody\n' +
        `TIME  bob: one\n${' '.repeat(23)}│ two  via relay\n`,
    )
    expect((await shell.run('history bob --limit 1 --json')).json.map(({ messageId }) => messageId)).to.deep.equal([
      'm3',
    ])
    expect((await shell.run('history bob --before m2 --json')).json).to.have.length(1)
    expect((await shell.run('history bob --search ell --json')).json.map(({ text }) => text)).to.deep.equal(['hello'])
  })

  it('history shows where messages are missing, and how many at least', async () => {
    for (const text of ['a', 'b', 'c']) shell.node.receive('bob', text)
    shell.node.messages[1]!.missing = 4
    shell.node.messages[2]!.missing = 1
    expect((await shell.run('history bob --json')).json.map(({ missing }) => missing)).to.deep.equal([undefined, 4, 1])
    const lines = (await shell.run('history bob')).stdout.split('\n')
    expect([lines[1], lines[3]]).to.deep.equal([
      '(at least 4 messages are missing here)',
      '(a message is missing here)',
    ])
  })

  it('history goes on over pages', async () => {
    for (let i = 0; i < 450; i++) shell.node.receive('bob', String(i))
    const { json } = await shell.run('history bob --limit 430 --json')
    expect(json.map(({ text }) => Number(text))).to.deep.equal(Array.from({ length: 430 }, (_, i) => i + 20))
    expect((await shell.run('history bob --limit 1000 --json')).json).to.have.length(450)
  })

  it('T45 a peer’s text paints nothing and forges no line, in any command', async () => {
    const evil = 'x\r\n2026-11-21 09:56  me: I owe you 100\u001b[2K\u001b[1A\u202e ✓✓ delivered\u009b31m'
    shell.node.contacts[0]!.name = evil
    shell.node.contacts[0]!.petname = 'bob'
    shell.node.knock(evil, evil)
    shell.node.receive('bob', evil)
    for (const command of ['friends', 'requests', 'history bob', 'requests --json', 'history bob --json']) {
      for (const columns of [undefined, 40, 80]) {
        const { status, stdout } = await shell.run(command, columns === undefined ? {} : { columns })
        expect(status).to.equal(0)
        const plain = stripVTControlCharacters(stdout)
        // oxlint-disable-next-line no-control-regex -- they are what must be gone
        expect(plain, command).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
        expect(plain, command).to.not.match(/^(2026-11-21 09:56 {2}me|x|I owe)/m)
      }
    }
    expect((await shell.run('history bob --json')).json[0]!.text).to.equal(evil)
  })

  it('T45 a text wraps under its own margin, so that a long one forges no line either', async () => {
    shell.node.receive('bob', `${'a'.repeat(58)} ${' '.repeat(40)}2026-11-21 09:56  me: I owe you 100`)
    const { stdout } = await shell.run('history bob', { columns: 80 })
    const [first, ...rest] = stripVTControlCharacters(stdout).trimEnd().split('\n')
    expect(first!.length).to.be.at.most(80)
    expect(rest.length).to.be.greaterThan(0)
    for (const line of rest) {
      expect(line.startsWith(`${' '.repeat(23)}│ `)).to.equal(true)
      expect(line.length).to.be.at.most(90)
    }
  })
})
