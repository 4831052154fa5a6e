/** The API over HTTP, on real sockets: calls, events, health, the page's session. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Scope } from '../../../../node/api/caller.ts'
import { newToken } from '../../../../node/api/secret.ts'
import { ApiServer } from '../../../../node/api/server.ts'
import { HTTP_CALL_BURST, MAX_HTTP_STREAMS_PER_CALLER } from '../../../../node/limits.ts'
import { BOB, FakeNode } from '../../../support/fake-node.ts'
import { HttpCaller } from '../../../support/http-caller.ts'
import { temporaryDirectories } from '../../../support/temporary-directories.ts'
import { until } from '../../../support/until.ts'

describe('the API over HTTP', () => {
  const directory = temporaryDirectories()
  let node: FakeNode
  let server: ApiServer
  let origin: string
  let bugs: unknown[]

  beforeEach(async () => {
    const page = await directory()
    await mkdir(join(page, 'assets'))
    await writeFile(join(page, 'index.html'), '<!doctype html>')
    await writeFile(join(page, 'assets', 'main-0a1b.js'), 'let a')
    node = new FakeNode()
    node.befriend('bob')
    bugs = []
    server = new ApiServer({ service: node, role: 'node', page, onBug: (error) => bugs.push(error) })
    origin = await server.listenHttp('127.0.0.1:0')
  })

  afterEach(async () => {
    await server.close(0)
    expect(bugs).to.deep.equal([])
  })

  async function caller(scopes: Scope[], conversation?: string): Promise<HttpCaller> {
    const token = newToken()
    await node.createToken({ name: 'bot', scopes, ...(conversation !== undefined && { conversation }) }, token)
    return new HttpCaller(origin, token)
  }

  it('answers a call, a batch, and nothing to a notification', async () => {
    const bot = await caller(['read'])
    expect((await bot.rpc('rpc.hello')).body).to.deep.include({
      id: 1,
      result: { api: 1, role: 'node', transient: false },
    })
    const hello = { jsonrpc: '2.0', method: 'rpc.hello' }
    const batch = await bot.post('/rpc', [{ ...hello, id: 'a' }, hello, { ...hello, id: 'b' }])
    expect((batch.body as unknown as { id: string }[]).map(({ id }) => id)).to.deep.equal(['a', 'b'])
    const silent = await bot.post('/rpc', hello)
    expect([silent.status, silent.text]).to.deep.equal([204, ''])
  })

  it('a token is good for its scopes', async () => {
    const bot = await caller(['send'])
    expect((await bot.rpc('message.send', { who: 'bob', text: 'hi' })).body).to.have.property('result')
    expect((await bot.rpc('history.list', { who: 'bob' })).code).to.equal('FORBIDDEN')
    expect((await bot.call('/events')).code).to.equal('FORBIDDEN')
    expect((await bot.call('/readyz')).code).to.equal('FORBIDDEN')
  })

  it('makes, lists and revokes tokens over itself, when the caller may', async () => {
    const boss = await caller(['admin'])
    const { result } = (await boss.rpc('token.create', { name: 'reader', scopes: ['read'], conversation: 'bob' })).body
    const { token, tokenId } = result as { token: string; tokenId: string }
    expect(token).to.match(/^kith_[\w-]{43}$/)
    const reader = new HttpCaller(origin, token)
    expect((await reader.rpc('friend.list')).body).to.have.property('result')
    expect((await reader.rpc('token.list')).code).to.equal('FORBIDDEN')
    expect(JSON.stringify((await boss.rpc('token.list')).body))
      .to.include(tokenId)
      .and.to.not.include(token)
    await boss.rpc('token.revoke', { tokenId })
    expect((await reader.rpc('friend.list')).status).to.equal(401)
  })

  it('tells events from a cursor on, with the cursor as their identifier', async () => {
    node.emit('ready')
    node.emit('message', { from: BOB, text: 'one' })
    const bot = await caller(['read'])
    const events = bot.events('/events?since=1')
    const first = (await events.next()).value!
    expect(first.id).to.equal('2')
    expect(first).to.not.have.property('event')
    expect(JSON.parse(first.data!)).to.deep.include({ cursor: 2, event: 'message', detail: { from: BOB, text: 'one' } })
    node.emit('message', { from: BOB, text: 'two' })
    expect((await events.next()).value!.id).to.equal('3')
    await events.return()
    await until(() => node.listeners === 0)
    const again = bot.events('/events?since=0', { 'last-event-id': '2' })
    expect((await again.next()).value!.id).to.equal('3')
    await again.return()
  })

  it('tells of a gap, and of the kinds that are wanted alone', async () => {
    node.log.push({ cursor: 7, event: 'ready', at: 0, detail: {} })
    node.emit('message', { from: BOB })
    const bot = await caller(['read'])
    const events = bot.events('/events?since=3&kinds=message,state')
    const told = (await events.next()).value!
    expect([told.event, JSON.parse(told.data!)]).to.deep.equal(['lagged', { from: 4, to: 6 }])
    expect((await events.next()).value!.id).to.equal('8')
    await events.return()
    for (const query of ['since=x', 'since=-1', 'kinds=A', `kinds=${'a,'.repeat(40)}a`]) {
      expect((await bot.call(`/events?${query}`)).code, query).to.equal('INVALID_PARAMS')
    }
  })

  it('goes on where a consumer is, by its name', async () => {
    const bot = await caller(['read'])
    for (let i = 1; i <= 3; i++) node.emit('message', { text: String(i) })
    await bot.rpc('events.since', { consumer: 'echo', since: 0 })
    await bot.rpc('events.ack', { consumer: 'echo', cursor: 2 })
    const events = bot.events('/events?consumer=echo')
    expect((await events.next()).value!.id).to.equal('3')
    await events.return()
    expect((await bot.call('/events?consumer=a%20b')).code).to.equal('INVALID_PARAMS')
  })

  it('T46 a token of one conversation sees the events of that one', async () => {
    const bot = await caller(['read'], 'bob')
    const events = bot.events('/events?since=0')
    node.emit('message', { from: 'kith1carol', text: 'private' })
    node.emit('message', { from: BOB, text: 'for the bot' })
    expect((await events.next()).value!.data).to.include('for the bot')
    await events.return()
  })

  it('T46 the streams of a token end with it, those of others do not', async () => {
    const [bot, other] = [await caller(['read']), await caller(['read'])]
    const [cut, kept] = [await bot.open('/events'), other.events('/events')]
    const next = kept.next()
    await until(() => node.listeners === 2)
    const closed = new Promise((resolve) => cut.on('close', resolve))
    cut.on('error', () => undefined).resume()
    await node.revokeToken('t1')
    await closed
    node.emit('ready')
    expect((await next).value!.data).to.include('ready')
    await kept.return()
  })

  it('T46 a caller has so many streams, and so many calls in a burst', async () => {
    const bot = await caller(['read'])
    const streams = await Promise.all(Array.from({ length: MAX_HTTP_STREAMS_PER_CALLER }, () => bot.open('/events')))
    expect(await bot.call('/events')).to.include({ status: 429, code: 'TOO_MANY' })
    for (const stream of streams) stream.destroy()
    await until(() => node.listeners === 0)
    const greedy = await caller(['read'])
    const batch = Array.from({ length: 50 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'rpc.hello' }))
    let answered = 0
    let last = await greedy.post('/rpc', batch)
    for (; last.status === 200 && answered < 10 * HTTP_CALL_BURST; answered += 50)
      last = await greedy.post('/rpc', batch)
    expect(last).to.include({ status: 429, code: 'TOO_FAST' })
    expect(answered).to.be.at.least(HTTP_CALL_BURST - 50)
    expect((await bot.rpc('rpc.hello')).status).to.equal(200)
  })

  it('says whether it lives and is ready, part by part', async () => {
    const watcher = await caller(['metrics'])
    expect((await watcher.call('/healthz')).body).to.deep.equal({ ok: true })
    const answer = await watcher.call('/readyz')
    expect(answer.status).to.equal(503)
    expect(answer.body).to.deep.equal({ ready: false, parts: { store: 'ok', network: 'ok', relays: 'waiting' } })
  })

  it('serves the files of the page and no others', async () => {
    const anybody = new HttpCaller(origin)
    const index = await anybody.call('/')
    expect([index.status, index.text, index.headers['content-type']]).to.deep.equal([
      200,
      '<!doctype html>',
      'text/html; charset=utf-8',
    ])
    expect(index.headers['content-security-policy']).to.include("default-src 'none'")
    expect((await anybody.call('/assets/main-0a1b.js')).headers['cache-control']).to.include('immutable')
    for (const path of ['/index.html', '/../package.json', '/assets/..%2f..%2fpackage.json', '/assets/', '/x']) {
      expect((await anybody.call(path)).status, path).to.equal(404)
    }
  })

  it('the page: a key becomes a cookie and a proof, which are good together, and only until signed out', async () => {
    const url = new URL(await server.openPage())
    expect(url.origin).to.equal(origin)
    const key = url.hash.slice('#key='.length)
    const page = new HttpCaller(origin)
    const signedIn = await page.post('/session', { key }, { 'x-kith': '1', origin })
    expect(signedIn.status).to.equal(200)
    const [cookie, ...attributes] = signedIn.headers['set-cookie']![0]!.split('; ')
    expect(attributes).to.include.members(['HttpOnly', 'SameSite=Strict', 'Path=/'])
    const proof = signedIn.body.proof as string
    expect((await page.rpc('friend.list', {}, { cookie: cookie!, 'x-kith': proof })).body).to.have.property('result')
    expect((await page.rpc('friend.list', {}, { cookie: cookie! })).status).to.equal(401)
    expect((await page.rpc('friend.list', {}, { cookie: cookie!, 'x-kith': '1' })).status).to.equal(401)
    expect((await page.rpc('friend.list', {}, { 'x-kith': proof })).status).to.equal(401)
    expect((await page.post('/session', { key }, { 'x-kith': '1', origin })).code).to.equal('BAD_KEY')
    const out = await page.call('/session', { method: 'DELETE', headers: { cookie: cookie!, 'x-kith': proof } })
    expect(out.status).to.equal(204)
    expect((await page.rpc('friend.list', {}, { cookie: cookie!, 'x-kith': proof })).status).to.equal(401)
  })

  it('ends while a stream is open and a call waits', async () => {
    const bot = await caller(['read', 'send'])
    const stream = await bot.open('/events')
    const ended = new Promise((resolve) => stream.on('end', resolve))
    stream.resume()
    await server.close(1000)
    await ended
  })
})
