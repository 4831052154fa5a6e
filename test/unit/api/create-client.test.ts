/** `kith/client`: the same calls and events over the socket and over HTTP, and what happens when the node goes. */
import { expect } from 'chai'
import { createClient, type KithClient, KithError, type Told } from '../../../node/api/create-client.ts'
import { newToken } from '../../../node/api/secret.ts'
import { ApiServer } from '../../../node/api/server.ts'
import { FakeNode } from '../../support/fake-node.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) => (error instanceof KithError ? error.code : String(error)),
  )
}

function cursorOf(told: Told | void): number | undefined {
  return told && 'cursor' in told ? told.cursor : undefined
}

for (const way of ['the socket', 'HTTP'] as const) {
  describe(`a client over ${way}`, () => {
    const directory = temporaryDirectories()
    let node: FakeNode
    let server: ApiServer
    let client: KithClient

    beforeEach(async () => {
      node = new FakeNode()
      node.befriend('bob')
      server = new ApiServer({ service: node, role: 'node' })
      client = way === 'HTTP' ? await overHttp() : await overSocket()
    })

    afterEach(async () => {
      client.close()
      await server.close(0)
    })

    async function overHttp(): Promise<KithClient> {
      const token = newToken()
      await node.createToken({ name: 'bot', scopes: ['read', 'send'] }, token)
      return await createClient({ url: await server.listenHttp('127.0.0.1:0'), token })
    }

    async function overSocket(): Promise<KithClient> {
      const home = await directory()
      const env = { XDG_RUNTIME_DIR: home }
      await server.listen(home, env)
      return await createClient({ home, env })
    }

    it('calls by the table, and carries errors with their codes', async () => {
      const { messageId } = await client.call('message.send', { who: 'bob', text: 'hi', idempotencyKey: 'a' })
      expect(messageId).to.equal('m1')
      expect(await codeOf(client.call('message.send', { who: 'carol', text: 'hi' }))).to.equal('UNKNOWN_FRIEND')
      expect(await codeOf(client.call('history.list', { who: 'bob', limit: 0 }))).to.equal('INVALID_PARAMS')
    })

    it('tells events from where a consumer is, and of what kinds are wanted', async () => {
      await client.call('events.since', { consumer: 'echo', since: 0 })
      for (const kind of ['state', 'message', 'message']) node.emit(kind, { text: 'ø'.repeat(10) })
      await client.call('events.ack', { consumer: 'echo', cursor: 2 })
      const events = client.events({ consumer: 'echo', kinds: ['message'] })
      expect(cursorOf((await events.next()).value)).to.equal(3)
      node.emit('read')
      node.emit('message')
      expect(cursorOf((await events.next()).value)).to.equal(5)
      await events.return()
      await until(() => node.listeners === 0)
    })

    it('tells what the log has dropped', async () => {
      for (let i = 0; i < 5; i++) node.emit('message')
      node.log.splice(0, 3)
      const events = client.events({ since: 1 })
      expect((await events.next()).value).to.deep.equal({ lagged: { from: 2, to: 3 } })
      await events.return()
    })

    it('ends events when it is told to, without an error', async () => {
      const stop = new AbortController()
      const events = client.events({ since: 0 }, stop.signal)
      const next = events.next()
      await until(() => node.listeners === 1)
      stop.abort()
      expect((await next).done).to.equal(true)
    })

    it('says that the node has gone', async () => {
      const events = client.events({ since: 0 })
      const next = events.next()
      await until(() => node.listeners === 1)
      await server.close(0)
      expect(await codeOf(next)).to.equal('NODE_GONE')
      expect(await codeOf(client.call('rpc.hello', {}))).to.equal('NODE_GONE')
    })
  })
}

describe('a client', () => {
  const directory = temporaryDirectories()

  it('is not made of what is no node', async () => {
    const home = await directory()
    expect(await codeOf(createClient({ home, env: { XDG_RUNTIME_DIR: home } }))).to.equal('NO_NODE')
    expect(await codeOf(createClient({ url: 'nowhere', token: 'x' }))).to.equal('CONFIG')
  })
})
