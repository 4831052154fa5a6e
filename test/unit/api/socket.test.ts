/** The API's unix socket: where it lies, who may reach it, what is left over. */
import { chmod, lstat, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { type ApiClient, connectToNode } from '../../../node/api/client.ts'
import { ApiServer } from '../../../node/api/server.ts'
import { MAX_SOCKET_PATH_BYTES, socketPathsOf } from '../../../node/api/socket-path.ts'
import type { KithError } from '../../../node/errors.ts'
import { MAX_API_CONNECTIONS } from '../../../node/limits.ts'
import { FakeNode } from '../../support/fake-node.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('the socket of the API', () => {
  const directory = temporaryDirectories()
  const servers: ApiServer[] = []

  interface Place {
    home: string
    env: Record<string, string>
  }

  async function place(): Promise<Place> {
    const base = await directory()
    const home = join(base, 'home')
    await mkdir(home)
    return { home, env: { XDG_RUNTIME_DIR: join(base, 'run'), TMPDIR: base } }
  }

  async function serve({ home, env }: Place, service = new FakeNode()): Promise<{ server: ApiServer; path: string }> {
    const server = new ApiServer({ service, role: 'node' })
    const path = await server.listen(home, env)
    servers.push(server)
    return { server, path }
  }

  async function client({ home, env }: Place): Promise<ApiClient> {
    const found = await connectToNode(home, env)
    if (found === undefined) throw new Error('no node')
    return found
  }

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close(0)))
  })

  it('lies where scripts look for it, by the real path of the home', async () => {
    const { home, env } = await place()
    const link = `${home}-link`
    await symlink(home, link)
    const [path, fallback] = await socketPathsOf(home, env)
    expect(path).to.match(/\/run\/kith\/[0-9a-f]{16}\.sock$/)
    expect(fallback).to.match(/\/kith-\d+\/[0-9a-f]{16}\.sock$/)
    expect(await socketPathsOf(link, env)).to.deep.equal([path, fallback])
    expect(await socketPathsOf(`${home}-missing`, env)).to.deep.equal([])
  })

  it('falls back to the temporary directory when a path would be too long, and says so when all are', async () => {
    const { home, env } = await place()
    const long = `/tmp/${'x'.repeat(MAX_SOCKET_PATH_BYTES)}`
    const paths = await socketPathsOf(home, { ...env, XDG_RUNTIME_DIR: long })
    expect(paths).to.have.length(1)
    expect(
      ((await rejection(socketPathsOf(home, { XDG_RUNTIME_DIR: long, TMPDIR: long }))) as KithError).code,
    ).to.equal('SOCKET_PATH')
  })

  it('is found by a command with another environment than the node has', async () => {
    const at = await place()
    await serve({ home: at.home, env: { TMPDIR: at.env.TMPDIR! } })
    const found = await client(at)
    expect(await found.call('rpc.hello', {})).to.include({ role: 'node' })
    found.close()
  })

  it('T46 another user cannot reach it: folder 0700, socket 0600, both the owner’s', async () => {
    const { path } = await serve(await place())
    const folder = await stat(dirname(path))
    const socket = await lstat(path)
    expect(folder.mode & 0o777).to.equal(0o700)
    expect(socket.mode & 0o777).to.equal(0o600)
    expect([folder.uid, socket.uid]).to.deep.equal([process.getuid!(), process.getuid!()])
  })

  it('T46 neither node nor command trusts a folder that others can write to', async () => {
    const at = await place()
    const folder = join(at.env.XDG_RUNTIME_DIR!, 'kith')
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o777)
    expect(((await rejection(serve(at))) as KithError).code).to.equal('SOCKET_FOLDER')
    expect(((await rejection(connectToNode(at.home, at.env))) as KithError).code).to.equal('SOCKET_FOLDER')
  })

  it('T46 neither node nor command follows a link that somebody laid', async () => {
    const at = await place()
    const elsewhere = join(at.env.TMPDIR!, 'elsewhere')
    await mkdir(elsewhere, { mode: 0o700 })
    await mkdir(at.env.XDG_RUNTIME_DIR!, { mode: 0o700 })
    await symlink(elsewhere, join(at.env.XDG_RUNTIME_DIR!, 'kith'))
    expect(((await rejection(serve(at))) as KithError).code).to.equal('SOCKET_FOLDER')
    expect(((await rejection(connectToNode(at.home, at.env))) as KithError).code).to.equal('SOCKET_FOLDER')
    expect(await readdir(elsewhere)).to.deep.equal([])
  })

  it('T46 a folder of another user is refused', async function () {
    // Only root can make one.
    if (process.getuid!() !== 0) this.skip()
    const { chown } = await import('node:fs/promises')
    const at = await place()
    const folder = join(at.env.XDG_RUNTIME_DIR!, 'kith')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chown(folder, 65_534, 65_534)
    expect(((await rejection(serve(at))) as KithError).message).to.include('another user')
    expect(((await rejection(connectToNode(at.home, at.env))) as KithError).message).to.include('another user')
  })

  it('replaces a socket that is left over', async () => {
    const at = await place()
    const [path] = await socketPathsOf(at.home, at.env)
    await mkdir(dirname(path!), { recursive: true, mode: 0o700 })
    await leaveSocket(path!)
    expect(await connectToNode(at.home, at.env)).to.equal(undefined)
    await serve(at)
    ;(await client(at)).close()
  })

  it('does not replace one that is answered, nor a file that is none', async () => {
    const at = await place()
    const { path } = await serve(at)
    expect(((await rejection(serve(at))) as KithError).code).to.equal('HOME_IN_USE')
    const other = await place()
    const [wanted] = await socketPathsOf(other.home, other.env)
    await mkdir(dirname(wanted!), { recursive: true, mode: 0o700 })
    await writeFile(wanted!, 'precious')
    expect(((await rejection(serve(other))) as KithError).code).to.equal('SOCKET_FOLDER')
    expect(path).to.not.equal(wanted)
  })

  it('is gone when the node ends', async () => {
    const at = await place()
    const { server, path } = await serve(at)
    await server.close(0)
    expect(((await rejection(lstat(path))) as NodeJS.ErrnoException).code).to.equal('ENOENT')
    expect(await connectToNode(at.home, at.env)).to.equal(undefined)
  })

  it('lets a request end that is worked on when the node ends', async () => {
    const at = await place()
    const service = new FakeNode()
    service.befriend('bob')
    await service.send('bob', 'x')
    const { promise, resolve: release } = Promise.withResolvers<void>()
    service.waiting = promise
    const { server } = await serve(at, service)
    const asking = await client(at)
    const wait = { messageId: 'm1', state: 'custody', timeoutSeconds: 60 } as const
    const answer = asking.call('message.wait', wait)
    await asking.call('rpc.hello', {})
    const closed = server.close(10_000)
    release()
    expect((await answer).state).to.equal('custody')
    await closed
    expect(((await rejection(asking.call('rpc.hello', {}))) as KithError).code).to.equal('NODE_GONE')
  })

  it('a caller that waits learns that the node has gone', async () => {
    const at = await place()
    const service = new FakeNode()
    service.befriend('bob')
    await service.send('bob', 'x')
    service.waiting = new Promise(() => undefined)
    const { server } = await serve(at, service)
    const asking = await client(at)
    const answer = rejection(asking.call('message.wait', { messageId: 'm1', state: 'custody', timeoutSeconds: 60 }))
    await asking.call('rpc.hello', {})
    await server.close(0)
    expect(((await answer) as KithError).code).to.equal('NODE_GONE')
  })

  it('takes only so many connections, and again when one has gone', async () => {
    const at = await place()
    await serve(at)
    const all = await Promise.all(Array.from({ length: MAX_API_CONNECTIONS }, () => client(at)))
    await Promise.all(all.map((each) => each.call('rpc.hello', {})))
    const more = await client(at)
    expect(((await rejection(more.call('rpc.hello', {}))) as KithError).code).to.equal('TOO_MANY')
    all.pop()!.close()
    await eventually(async () => {
      const again = await client(at)
      try {
        await again.call('rpc.hello', {})
      } finally {
        again.close()
      }
    })
    for (const each of all) each.close()
  })

  it('tells events as a sequence that ends when it is left', async () => {
    const at = await place()
    const service = new FakeNode()
    await serve(at, service)
    for (let i = 0; i < 3; i++) service.emit('message', { text: `t${i}` })
    const listening = await client(at)
    const seen: number[] = []
    for await (const told of listening.events(1)) {
      if (!('cursor' in told)) continue
      seen.push(told.cursor)
      if (told.cursor === 3) service.emit('message')
      if (told.cursor === 4) break
    }
    expect(seen).to.deep.equal([2, 3, 4])
    expect(service.listeners).to.equal(0)
    expect((await listening.call('rpc.hello', {})).api).to.equal(1)
    listening.close()
  })

  it('a subscriber that takes nothing holds little, and loses nothing', async () => {
    const at = await place()
    const service = new FakeNode()
    await serve(at, service)
    const listening = await client(at)
    const events = listening.events(0)
    const first = events.next()
    service.emit('message')
    await first
    const total = 20_000
    for (let i = 0; i < total; i++) service.emit('message', { text: 'x'.repeat(200) })
    await new Promise((resolve) => setImmediate(resolve))
    let next = 2
    for await (const told of events) {
      expect(told).to.have.property('cursor', next)
      if (next === total + 1) break
      next += 1
    }
    listening.close()
  })
})

/** A socket file that nobody serves, as a killed process leaves it. */
async function leaveSocket(path: string): Promise<void> {
  const { link, unlink } = await import('node:fs/promises')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.x`, resolve))
  await link(`${path}.x`, path)
  await new Promise((resolve) => server.close(resolve))
  await unlink(`${path}.x`).catch(() => undefined)
  const refused = await new Promise((resolve) => {
    connect(path).on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  expect(refused).to.equal('ECONNREFUSED')
}

async function eventually(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await attempt()
    } catch {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
