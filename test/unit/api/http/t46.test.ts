/**
 * T46 over HTTP: a page in the browser, another user of the machine and a name that is rebound to it reach nothing. Each
 * attempt is made on a real socket, beside the same request as its owner sends it, which is answered.
 */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { SCOPES } from '../../../../node/api/caller.ts'
import { Dispatcher } from '../../../../node/api/dispatcher.ts'
import { type HttpPatience, HttpServer } from '../../../../node/api/http/http-server.ts'
import { newToken } from '../../../../node/api/secret.ts'
import { HTTP_FAILURE_BURST, MAX_API_REQUEST_BYTES, MAX_HTTP_CONNECTIONS } from '../../../../node/limits.ts'
import { FakeNode } from '../../../support/fake-node.ts'
import { type HttpAnswer, type HttpCall, HttpCaller } from '../../../support/http-caller.ts'
import { temporaryDirectories } from '../../../support/temporary-directories.ts'

const HELLO = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'rpc.hello' })
const JSON_TYPE = { 'content-type': 'application/json' }
const PATIENCE: HttpPatience = { headers: 200, request: 400, idle: 200, check: 20 }
/** What names a capability of other origins, or tells them anything. */
const CROSS_ORIGIN = ['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-allow-headers']

describe('T46 the API over HTTP', () => {
  const directory = temporaryDirectories()
  let node: FakeNode
  let page: string
  let server: HttpServer
  let owner: HttpCaller
  let stranger: HttpCaller

  beforeEach(async () => {
    page = await directory()
    await mkdir(join(page, 'assets'))
    await writeFile(join(page, 'index.html'), '<!doctype html>')
    node = new FakeNode()
    await listen(PATIENCE)
  })

  async function listen(patience: HttpPatience): Promise<void> {
    server = new HttpServer({ dispatcher: new Dispatcher({ service: node, role: 'node' }), page, patience })
    await server.listen({ host: '127.0.0.1', port: 0 })
    const token = newToken()
    await node.createToken({ name: 'owner', scopes: SCOPES }, token)
    owner = new HttpCaller(server.origin, token)
    stranger = new HttpCaller(server.origin)
  }

  afterEach(() => server.close(0))

  /** Nothing was answered, whatever the status, and no other origin is told anything. */
  function expectNothing(answer: HttpAnswer): void {
    expect(answer.body).to.not.have.property('result')
    for (const name of CROSS_ORIGIN) expect(answer.headers).to.not.have.property(name)
  }

  async function refused(call: HttpCall, path = '/rpc', by = owner): Promise<HttpAnswer> {
    const answer = await by.call(path, call)
    expectNothing(answer)
    return answer
  }

  const rpc = (headers: Record<string, string> = {}, body = HELLO): HttpCall => ({
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body,
  })

  it('T46 answers its owner', async () => {
    expect((await owner.call('/rpc', rpc())).body).to.have.property('result')
    expect(
      (await owner.call('/rpc', rpc({ origin: server.origin, 'sec-fetch-site': 'same-origin' }))).body,
    ).to.have.property('result')
    expect((await owner.call('/rpc', rpc({ host: `localhost:${owner.port}` }))).body).to.have.property('result')
  })

  it('T46 a name that was rebound to this machine is refused, also for the page itself', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${owner.port}`,
      '127.0.0.1',
      `127.0.0.1:${owner.port + 1}`,
      `127.0.0.1.evil.example:${owner.port}`,
      `localhost.evil.example:${owner.port}`,
    ]) {
      expect(await refused(rpc({ host })), host).to.include({ status: 421, code: 'WRONG_HOST' })
      expect((await refused({ headers: { host } }, '/')).status, host).to.equal(421)
      expect((await refused({ headers: { host } }, '/events')).status, host).to.equal(421)
    }
  })

  it('T46 a page of another origin is refused, with token and all', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `http://127.0.0.1:${owner.port + 1}`,
      `https://127.0.0.1:${owner.port}`,
      `http://localhost:${owner.port}`,
    ]) {
      expect(await refused(rpc({ origin })), origin).to.include({ status: 403, code: 'FOREIGN_ORIGIN' })
      expect((await refused({ headers: { origin } }, '/events')).status, origin).to.equal(403)
    }
    for (const site of ['cross-site', 'same-site']) {
      expect((await refused(rpc({ 'sec-fetch-site': site }))).status, site).to.equal(403)
      for (const path of ['/events', '/readyz', '/healthz']) {
        expect((await refused({ headers: { 'sec-fetch-site': site } }, path)).status, path).to.equal(403)
      }
    }
  })

  it('T46 a preflight is not allowed anything', async () => {
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,x-kith' }
    const headers = { origin: 'https://evil.example', ...asked }
    for (const path of ['/rpc', '/events', '/session', '/']) {
      const answer = await refused({ method: 'OPTIONS', headers }, path, stranger)
      expect(answer.status, path).to.be.within(400, 499)
    }
  })

  it('T46 what a form can post is no request', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=a',
      'text/plain; application/json',
    ]) {
      expect(await refused(rpc({ 'content-type': type })), type).to.include({ status: 415, code: 'NOT_JSON' })
    }
    expect((await refused({ method: 'POST', body: HELLO })).status).to.equal(415)
  })

  it('T46 nothing is answered without a token, or with a wrong one, or one in the address', async () => {
    const right = owner.token!
    const wrong = [
      '',
      'Bearer',
      `Bearer ${newToken()}`,
      `Bearer ${right.slice(0, -1)}`,
      `Bearer ${right}x`,
      `Basic ${right}`,
      right,
    ]
    for (const authorization of wrong) {
      const answer = await refused(rpc({ authorization }), '/rpc', stranger)
      expect(answer, authorization).to.include({ status: 401, code: 'UNAUTHORIZED' })
    }
    for (const path of ['/events', '/healthz', '/readyz'])
      expect((await refused({}, path, stranger)).status, path).to.equal(401)
    for (const query of [`token=${right}`, `access_token=${right}`, `authorization=Bearer%20${right}`]) {
      expect((await refused(rpc(), `/rpc?${query}`, stranger)).status).to.equal(401)
    }
    expect((await refused({ method: 'DELETE' }, '/session', stranger)).status).to.equal(401)
  })

  it('T46 a guessed token costs: many wrong ones are kept waiting, the right one is not', async () => {
    let last = 401
    for (let i = 0; i < 3 * HTTP_FAILURE_BURST && last === 401; i++) {
      last = (await refused(rpc({ authorization: `Bearer ${newToken()}` }), '/rpc', stranger)).status
    }
    expect(last).to.equal(429)
    expect(
      (await refused({ ...rpc({ 'x-kith': '1' }), body: '{"key":"guess"}' }, '/session', stranger)).status,
    ).to.equal(429)
    expect((await owner.call('/rpc', rpc())).status).to.equal(200)
  })

  it('T46 nothing is asked by GET', async () => {
    const query = encodeURIComponent(HELLO)
    expect((await refused({}, `/rpc?body=${query}`)).status).to.equal(405)
    expect((await refused({}, `/rpc?method=message.send`)).status).to.equal(405)
    expect((await refused({ method: 'PUT', headers: JSON_TYPE, body: HELLO })).status).to.equal(405)
    expect((await refused({}, '/session')).status).to.equal(404)
  })

  it('T46 a cookie alone, a proof alone, and those of another page are nobody', async () => {
    const session = async (): Promise<Record<'cookie' | 'x-kith', string>> => {
      const key = new URL(await server.openPage()).hash.slice('#key='.length)
      const answer = await stranger.post('/session', { key }, { 'x-kith': '1' })
      return { cookie: answer.headers['set-cookie']![0]!.split(';')[0]!, 'x-kith': answer.body.proof as string }
    }
    const [one, other] = [await session(), await session()]
    expect((await stranger.call('/rpc', rpc(one))).status).to.equal(200)
    // a server on another port is sent the cookie; a form sends it too, and no header
    expect((await refused(rpc({ cookie: one.cookie }), '/rpc', stranger)).status).to.equal(401)
    expect((await refused(rpc({ cookie: one.cookie, 'x-kith': '1' }), '/rpc', stranger)).status).to.equal(401)
    expect((await refused({ headers: { cookie: one.cookie } }, '/events', stranger)).status).to.equal(401)
    expect((await refused(rpc({ 'x-kith': one['x-kith'] }), '/rpc', stranger)).status).to.equal(401)
    expect((await refused(rpc({ ...one, 'x-kith': other['x-kith'] }), '/rpc', stranger)).status).to.equal(401)
  })

  it('T46 a session is made by a script of the page, with a key that is good once', async () => {
    const key = new URL(await server.openPage()).hash.slice('#key='.length)
    const body = JSON.stringify({ key })
    expect((await refused(rpc({}, body), '/session', stranger)).status).to.equal(403)
    expect(
      (await refused(rpc({ 'x-kith': '1', origin: 'https://evil.example' }, body), '/session', stranger)).status,
    ).to.equal(403)
    expect(
      (
        await refused(
          { method: 'POST', headers: { 'x-kith': '1', 'content-type': 'text/plain' }, body },
          '/session',
          stranger,
        )
      ).status,
    ).to.equal(415)
    expect((await stranger.call('/session', rpc({ 'x-kith': '1' }, body))).status).to.equal(200)
    expect(await refused(rpc({ 'x-kith': '1' }, body), '/session', stranger)).to.include({
      status: 401,
      code: 'BAD_KEY',
    })
  })

  it('T46 the page cannot be framed, and loads and sends nothing elsewhere', async () => {
    const { headers, status } = await stranger.call('/')
    expect(status).to.equal(200)
    const policy = headers['content-security-policy'] as string
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
    ]) {
      expect(policy.split('; ')).to.include(part)
    }
    expect(policy).to.not.match(/unsafe|\*|https?:/)
    expect(headers).to.include({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    expect((await owner.call('/rpc', rpc())).headers['cache-control']).to.equal('no-store')
  })

  it('T46 a body above its bound is cut off, whether its length is told or not', async () => {
    const big = Buffer.alloc(MAX_API_REQUEST_BYTES + 1, 0x20)
    expect(await refused({ method: 'POST', headers: JSON_TYPE, body: big })).to.include({
      status: 413,
      code: 'TOO_LONG',
    })
    const chunked = { ...JSON_TYPE, 'transfer-encoding': 'chunked' }
    expect(await refused({ method: 'POST', headers: chunked, body: big })).to.include({ status: 413, code: 'TOO_LONG' })
    // who may not call is told so before anything is read
    expect((await refused({ method: 'POST', headers: JSON_TYPE, body: big }, '/rpc', stranger)).status).to.equal(401)
    const fit = Buffer.alloc(MAX_API_REQUEST_BYTES, 0x20)
    fit.write(HELLO)
    expect((await owner.call('/rpc', { method: 'POST', headers: JSON_TYPE, body: fit })).status).to.equal(200)
    expect((await refused({ method: 'GET', headers: { 'x-long': 'x'.repeat(10_000) } })).status).to.equal(431)
  })

  it('T46 who sends slowly is cut off: no byte, half a header, half a body', async () => {
    const head = `POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:${owner.port}\r\n`
    const auth = `Authorization: Bearer ${owner.token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`
    const slow = await Promise.all(['', head, head + auth].map((text) => sendAndHold(text)))
    for (const socket of slow) if (!socket.closed) await once(socket, 'close')
    expect((await owner.call('/rpc', rpc())).status).to.equal(200)
  })

  it('T46 there are so many connections, and one more is closed', async () => {
    await server.close(0)
    await listen({ headers: 60_000, request: 60_000, idle: 60_000, check: 20 })
    const sockets = await Promise.all(Array.from({ length: MAX_HTTP_CONNECTIONS }, () => sendAndHold('')))
    const extra = await sendAndHold('')
    if (!extra.closed) await once(extra, 'close')
    for (const socket of sockets) socket.destroy()
    const answer = async (): Promise<number> => (await owner.call('/rpc', rpc()).catch(() => ({ status: 0 }))).status
    let status = 0
    while (status !== 200) status = await answer()
  })

  it('T46 garbage is answered or cut off, and the next request is served', async () => {
    for (const text of [
      '\u0000\u0001',
      'GET\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      `GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:${owner.port}\r\n\r\n`,
    ]) {
      const socket = await owner.socket()
      let told = ''
      socket.on('data', (chunk: Buffer) => (told += chunk.toString()))
      socket.end(text)
      if (!socket.closed) await once(socket, 'close')
      expect(told.split(' ')[1] ?? '400', text).to.match(/^4/)
    }
    for (const body of ['', '{', '[]', '"a"', '[[[[]]]]', '{"jsonrpc":"2.0","id":1,"method":"__proto__"}']) {
      expectNothing(await owner.call('/rpc', rpc({}, body)))
    }
    expect(
      (await owner.call('/rpc', { method: 'POST', headers: JSON_TYPE, body: Buffer.from([0x22, 0xff, 0x22]) })).code,
    ).to.equal('NOT_UTF8')
    expect((await owner.call('/rpc', rpc())).status).to.equal(200)
  })

  /** A connection that sends so much and no more. */
  async function sendAndHold(text: string): Promise<Socket> {
    const socket = await owner.socket()
    socket.resume()
    if (text !== '') socket.write(text)
    return socket
  }
})
