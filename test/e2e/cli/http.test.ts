/** T46 on a real node: who reaches it over HTTP and who does not, over kills, and what lies in its home afterwards. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { HttpCaller } from '../../support/http-caller.ts'
import { KithNodes, type KithProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('T46 a node with HTTP', function () {
  this.timeout(60_000)
  const directory = temporaryDirectories()
  let nodes: KithNodes
  let node: KithProcess

  before(async () => {
    nodes = new KithNodes(await directory())
    node = nodes.node('alice', 'up')
    await node.ask('init', '--name', 'Alice')
  })

  after(async () => nodes.stopAll())

  async function start(): Promise<string> {
    await node.start('--http', '127.0.0.1:0')
    return String(node.events[0]!.http)
  }

  it('T46 answers a token, whatever is killed, and nobody else; what was revoked stays so', async () => {
    let origin = await start()
    const [kept, gone] = await Promise.all([
      node.call('token.create', { name: 'kept', scopes: ['read', 'metrics'] }),
      node.call('token.create', { name: 'gone', scopes: ['read'] }),
    ])
    await node.call('token.revoke', { tokenId: gone.tokenId })
    for (let life = 0; life < 2; life++) {
      const [owner, revoked, stranger] = [kept.token, gone.token, undefined].map(
        (token) => new HttpCaller(origin, token),
      )
      expect((await owner!.rpc('node.status')).body).to.have.nested.property('result.name', 'Alice')
      expect((await owner!.call('/healthz')).status).to.equal(200)
      expect((await owner!.rpc('message.send', { who: 'bob', text: 'a' })).code).to.equal('FORBIDDEN')
      for (const caller of [revoked!, stranger!]) {
        expect((await caller.rpc('node.status')).status).to.equal(401)
        expect((await caller.call('/events')).status).to.equal(401)
      }
      expect((await owner!.rpc('node.status', {}, { host: `rebound.example:${owner!.port}` })).status).to.equal(421)
      expect((await owner!.rpc('node.status', {}, { origin: 'https://evil.example' })).status).to.equal(403)
      await node.kill()
      if (life === 0) origin = await start()
    }
    const files = (await readdir(node.home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    expect(files.map(({ name }) => name)).to.include('node.log')
    for (const { parentPath, name } of files) {
      const bytes = await readFile(join(parentPath, name))
      for (const { token } of [kept, gone]) {
        expect(bytes.includes(token.slice('kith_'.length)), name).to.equal(false)
      }
    }
  })
})
