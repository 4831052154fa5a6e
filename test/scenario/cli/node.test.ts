/** Who is the node: commands that join one, become one, race for one; the ready line; signals. */
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { expect } from 'chai'
import { runCli } from '../../../cli/run.ts'
import { connectToNode } from '../../../node/api/client.ts'
import { socketPathsOf } from '../../../node/api/socket-path.ts'
import { ALICE, BOB } from '../../support/fake-node.ts'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

describe('kith up, relay, watch', () => {
  const directory = temporaryDirectories()
  let shell: Shell
  let env: Record<string, string>

  beforeEach(async () => {
    shell = await Shell.create(await directory())
    shell.node.befriend('bob')
    env = { XDG_RUNTIME_DIR: join(shell.directory, 'run'), TMPDIR: shell.directory }
  })

  it('the first line says that the node is ready; events follow', async () => {
    const up = shell.start('up --json --listen /ip4/127.0.0.1/tcp/0')
    const [ready] = await up.lines(1)
    expect(JSON.parse(ready!)).to.deep.equal({
      v: 1,
      event: 'ready',
      id: ALICE,
      peerId: '12D3fake',
      addresses: ['/ip4/127.0.0.1/tcp/4301/p2p/12D3fake'],
      role: 'node',
    })
    expect(ready).to.match(/^\{"v":1,"event":"ready","id":/)
    await until(() => shell.node.listeners === 1)
    shell.node.emit('ready')
    shell.node.emit('message', { messageId: 'm9', v: 7, cursor: 99 })
    const [, event] = await up.lines(2)
    expect(JSON.parse(event!)).to.deep.equal({
      v: 1,
      cursor: 2,
      event: 'message',
      at: '2026-11-21T09:56:00.000Z',
      messageId: 'm9',
    })
    expect(shell.runtime.opened[0]!.config).to.deep.include({ listen: ['/ip4/127.0.0.1/tcp/0'], network: 'lan' })
    up.stop('SIGTERM')
    expect(await up.done).to.include({ status: 0 })
    expect(shell.runtime.held.size).to.equal(0)
    expect(await connectToNode(shell.home, env)).to.equal(undefined)
  })

  it('an interruption ends with 130, in order', async () => {
    const up = shell.start('up')
    await up.lines(1)
    up.stop('SIGINT')
    const { status, stdout, stderr } = await up.done
    expect([status, stderr]).to.deep.equal([130, ''])
    expect(stdout).to.include(`ready: your node, ${ALICE}`)
    expect(shell.runtime.held.size).to.equal(0)
  })

  it('a relay has its own line, no identity and no passphrase', async () => {
    const home = join(shell.directory, 'relay')
    const relay = shell.start(['relay', '--json', '--home', home], { bare: true })
    const [ready] = await relay.lines(1)
    expect(JSON.parse(ready!)).to.deep.equal({
      v: 1,
      event: 'ready',
      peerId: '12D3fake',
      addresses: ['/ip4/127.0.0.1/tcp/4301/p2p/12D3fake'],
      role: 'relay',
    })
    expect(shell.runtime.opened[0]).to.include({ role: 'relay', home })
    const status = await shell.run(['status', '--json', '--home', home], { bare: true })
    expect(status.json[0]).to.deep.include({
      role: 'relay',
      counters: { claims: 4, copies: 2, bytes: 8192, records: 3, used: 1, holding: 1 },
    })
    const friends = await shell.run(['friends', '--home', home], { bare: true })
    expect([friends.status, friends.stderr]).to.deep.equal([
      2,
      'kith: friend.list needs a node, this is a relay\nhint: name the home that you mean with --home or KITH_HOME\n',
    ])
    relay.stop('SIGTERM')
    expect((await relay.done).status).to.equal(0)
  })

  it('a relay refuses a home with an identity, and takes a configuration', async () => {
    const refused = await shell.run('relay')
    expect([refused.status, refused.stderr]).to.deep.equal([
      2,
      `kith: ${shell.home} holds an identity, a relay has none\nhint: give the relay a --home of its own\n`,
    ])
    const config = join(shell.directory, 'relay.toml')
    await writeFile(config, 'relayMaxDays = 7\n')
    const home = join(shell.directory, 'relay')
    const relay = shell.start(['relay', '--config', config, '--home', home], { bare: true })
    await relay.lines(1)
    expect(shell.runtime.opened[0]!.config.relayMaxDays).to.equal(7)
    relay.stop('SIGTERM')
    await relay.done
    const missing = await shell.run(['relay', '--config', '/nowhere.toml', '--home', home], { bare: true })
    expect([missing.status, missing.stderr]).to.deep.equal([
      2,
      'kith: cannot read /nowhere.toml (ENOENT)\nhint: check the path, and who may read it\n',
    ])
  })

  it('commands join the node that runs: no passphrase, no second node', async () => {
    const up = shell.start('up')
    await up.lines(1)
    const { status, json, stderr } = await shell.run(['send', 'bob', 'hi', '--home', shell.home, '--json'], {
      bare: true,
    })
    expect([status, json, stderr]).to.deep.equal([0, [{ v: 1, messageId: 'm1', state: 'queued' }], ''])
    expect(shell.runtime.opened).to.have.length(1)
    const second = await shell.run('up')
    expect([second.status, second.stderr]).to.deep.equal([
      3,
      `kith: a node is running on ${shell.home} already\nhint: it answers every command; stop it to start another\n`,
    ])
    up.stop('SIGTERM')
    await up.done
  })

  it('a command that is the node for a moment serves others, and waits for them', async () => {
    const { promise, resolve: release } = Promise.withResolvers<void>()
    shell.node.waiting = promise
    const first = shell.start('send bob one')
    await until(async () => shell.node.messages.length === 1)
    const second = shell.start(['send', 'bob', 'two', '--home', shell.home, '--json'], { bare: true })
    await until(() => shell.node.messages.length === 2)
    release()
    expect((await first.done).status).to.equal(0)
    expect((await second.done).json).to.deep.equal([{ v: 1, messageId: 'm2', state: 'custody' }])
    expect(shell.runtime.opened).to.have.length(1)
    expect(shell.runtime.stopped).to.equal(1)
  })

  it('who loses the race joins the winner as soon as it answers', async () => {
    shell.runtime.held.add(shell.home)
    const waiting = shell.start('friends --json')
    setImmediate(() => shell.runtime.held.delete(shell.home))
    expect((await waiting.done).json).to.have.length(1)
  })

  it('who loses the race and reaches nobody exits 3', async () => {
    shell.runtime.held.add(shell.home)
    const { status, stderr } = await shell.run('friends')
    expect(status).to.equal(3)
    expect(stderr).to.equal(
      `kith: ${shell.home} is in use, and the process that holds it does not answer\nhint: wait for it to end, or stop it\n`,
    )
  })

  it('up waits for a command that is the node for a moment', async () => {
    const { promise, resolve: release } = Promise.withResolvers<void>()
    shell.node.waiting = promise
    const send = shell.start('send bob one')
    await until(() => shell.node.messages.length === 1)
    const up = shell.start('up')
    release()
    await send.done
    await up.lines(1)
    up.stop('SIGTERM')
    expect((await up.done).status).to.equal(0)
  })

  it('a socket that is left over is no node', async () => {
    await mkdir(shell.home, { recursive: true })
    const [path] = await socketPathsOf(shell.home, env)
    await mkdir(dirname(path!), { recursive: true, mode: 0o700 })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const { link, unlink } = await import('node:fs/promises')
    await link(path!, `${path}.kept`)
    await new Promise((resolve) => server.close(resolve))
    await link(`${path}.kept`, path!)
    await unlink(`${path}.kept`)
    expect((await shell.run('send bob hi')).status).to.equal(0)
  })

  it('watch tells events from a cursor on, and says where to go on', async () => {
    shell.node.emit('friend', { id: BOB, petname: 'bob' })
    shell.node.emit('message', { from: BOB, direction: 'in', type: 'text', text: 'hi\nthere', readAt: 0 })
    shell.node.emit('message', { from: ALICE, to: BOB, direction: 'out', type: 'text', text: 'hello' })
    const up = shell.start('up')
    await up.lines(1)
    const watch = shell.start('watch --since 1 --json')
    const human = shell.start('watch --since 0')
    expect(JSON.parse((await watch.lines(2))[0]!)).to.deep.equal({
      v: 1,
      cursor: 2,
      event: 'message',
      at: '2026-11-21T09:56:00.000Z',
      from: BOB,
      direction: 'in',
      type: 'text',
      text: 'hi\nthere',
      readAt: '1970-01-01T00:00:00.000Z',
    })
    const lines = await human.lines(4)
    expect(lines[0]).to.match(/ {2}bob is a friend now$/)
    expect(lines[1]).to.match(/ {2}bob: hi$/)
    expect(lines[2]).to.match(/^ +│ there$/)
    expect(lines[3]).to.match(/ {2}me to bob: hello$/)
    human.stop('SIGINT')
    expect((await human.done).status).to.equal(130)
    up.stop('SIGTERM')
    const { status, stderr } = await watch.done
    expect(status).to.equal(3)
    expect(stderr).to.equal(
      'kith: the node has gone\nhint: start it with `kith up`; `kith watch --since 3` goes on where this ended\n',
    )
  })

  it('watch says how far a message came, and what is alarming', async () => {
    shell.node.emit('friend', { id: BOB, petname: 'bob' })
    shell.node.emit('state', { messageId: '4dd1065385b1375708ac927683b35ad8', state: 'custody', receipts: 2 })
    shell.node.emit('state', { messageId: '4dd1065385b1375708ac927683b35ad8', state: 'failed', reason: 'ended' })
    for (const kind of ['not-ours', 'unknown-head', 'session', 'equivocation'])
      shell.node.emit('alarm', { kind, id: BOB })
    const watch = shell.start('watch --since 1', { columns: 200 })
    const lines = (await watch.lines(6)).map((line) =>
      stripVTControlCharacters(line).slice('2026-11-21 09:56  '.length),
    )
    watch.stop('SIGINT')
    await watch.done
    expect(lines).to.deep.equal([
      'message 4dd10653: custody',
      'message 4dd10653: failed (ended)',
      'ALARM: a record of your own identity was signed elsewhere; `kith identity rotate` overrules it',
      'ALARM: bob saw a record of your identity that was not signed here',
      'ALARM: keys of bob contradict those of before: a home, theirs or this one, was copied or put back',
      'ALARM: two records of bob contradict each other; compare the safety number',
    ])
  })

  it('T45 an event of a peer paints nothing and forges no line', async () => {
    const evil = 'x\r\nkith: ready\u001b[2K\u202e'
    shell.node.emit('request', { id: 'kith1eve', name: evil, note: evil })
    shell.node.emit('message', { from: evil, direction: 'in', type: 'text', text: evil })
    shell.node.emit('contact', { id: 'kith1eve', state: 'friend', name: evil })
    shell.node.emit('other', { [evil]: evil })
    const watch = shell.start('watch --since 0', { columns: 60 })
    const lines = await watch.lines(6)
    watch.stop('SIGINT')
    await watch.done
    const shown = stripVTControlCharacters(lines.join('\n'))
    // oxlint-disable-next-line no-control-regex -- they are what must be gone
    expect(shown).to.not.match(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    for (const line of shown.split('\n').filter((each) => each !== ''))
      expect(line).to.match(/^(\d{4}-\d\d-\d\d | +│ )/)
  })

  it('a long past is told although names are asked for between', async () => {
    const total = 2000
    for (let i = 0; i < total; i++) shell.node.emit(i % 50 === 0 ? 'friend' : 'contact', { id: BOB, state: 'friend' })
    const up = shell.start('up')
    await up.lines(1)
    const watch = shell.start('watch --since 0')
    await watch.lines(total)
    watch.stop('SIGINT')
    await watch.done
    up.stop('SIGTERM')
    await up.done
  })

  it('watch says what the log has dropped', async () => {
    for (let i = 0; i < 5; i++) shell.node.emit('message')
    shell.node.log.splice(0, 3)
    const watch = shell.start('watch --since 1 --json')
    const lines = (await watch.lines(2)).map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines[0]).to.deep.equal({ v: 1, event: 'lagged', from: 2, to: 3 })
    expect(lines[1]).to.include({ cursor: 4 })
    watch.stop('SIGINT')
    expect((await watch.done).status).to.equal(130)
  })

  it('an interruption while waiting leaves the message and gives the node back', async () => {
    shell.node.waiting = new Promise(() => undefined)
    const send = shell.start('send bob hi --wait delivered')
    await until(() => shell.node.messages.length === 1)
    send.stop('SIGINT')
    expect((await send.done).status).to.equal(130)
    expect(shell.runtime.held.size).to.equal(0)
    expect(shell.node.messages).to.have.length(1)
  })

  it('a reader that goes away ends a command quietly, and does not end a node', async () => {
    for (let i = 0; i < 50; i++) shell.node.receive('bob', String(i))
    const run = async (argv: string[], signal?: AbortSignal): Promise<{ status: number; stderr: string }> => {
      const gone = Object.assign(new Error('gone'), { code: 'EPIPE' })
      const stdout = new Writable({ write: (_chunk, _encoding, callback) => callback(gone) })
      const stderr = new PassThrough()
      const stdin = new PassThrough()
      const all = [...argv, '--home', shell.home, '--passphrase-file', shell.passphraseFile]
      const init = { runtime: shell.runtime, stdin, stdout, stderr, env, ...(signal === undefined ? {} : { signal }) }
      const status = await runCli(all, init)
      return { status, stderr: String(stderr.read() ?? '') }
    }
    expect(await run(['history', 'bob'])).to.deep.equal({ status: 0, stderr: '' })
    const interruption = new AbortController()
    const up = run(['up'], interruption.signal)
    await until(async () => {
      const client = await connectToNode(shell.home, env)
      client?.close()
      return client !== undefined
    })
    expect((await shell.run('friends --json')).json).to.have.length(1)
    interruption.abort('SIGTERM')
    expect((await up).status).to.equal(0)
  })
})
