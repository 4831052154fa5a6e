/** `kith ui`: the page of a node that runs, first run, unlocking, and the same page afterwards. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { openerOf } from '../../../cli/browser.ts'
import { HttpCaller } from '../../support/http-caller.ts'
import { Shell, type Started } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

/** A page that has signed in. */
class Page {
  readonly #http: HttpCaller
  readonly #headers: Record<string, string>

  private constructor(http: HttpCaller, headers: Record<string, string>) {
    this.#http = http
    this.#headers = headers
  }

  static async open(url: string): Promise<Page> {
    const { origin, hash } = new URL(url)
    const http = new HttpCaller(origin)
    const answer = await http.post('/session', { key: hash.slice('#key='.length) }, { 'x-kith': '1', origin })
    const cookie = answer.headers['set-cookie']![0]!.split(';')[0]!
    return new Page(http, { cookie, 'x-kith': answer.body.proof as string })
  }

  async ask(method: string, params: unknown = {}): Promise<unknown> {
    const { body, code } = await this.#http.rpc(method, params, this.#headers)
    return code ?? body.result
  }

  async status(path: string): Promise<number> {
    return (await this.#http.call(path, { headers: this.#headers })).status
  }
}

describe('kith ui', () => {
  const directory = temporaryDirectories()
  let shell: Shell
  let started: Started | undefined

  beforeEach(async () => {
    shell = await Shell.create(await directory())
    await mkdir(shell.pageFolder)
    await writeFile(join(shell.pageFolder, 'index.html'), '<!doctype html>')
  })

  afterEach(async () => {
    started?.stop('SIGTERM')
    await started?.done
    started = undefined
  })

  async function ui(line: string, bare = false): Promise<string> {
    const home = bare ? ` --home ${shell.home}` : ''
    started = shell.start(`ui --no-open --json${line}${home}`, { bare, env: { KITH_HTTP: '127.0.0.1:0' } })
    const [first] = await started.lines(1)
    return (JSON.parse(first!) as { url: string }).url
  }

  it('asks a node that runs for its page, and ends', async () => {
    void shell.node
    started = shell.start('up --http 127.0.0.1:0 --json')
    const [ready] = await started.lines(1)
    const { http: origin } = JSON.parse(ready!) as { http: string }
    const { status, json } = await shell.run('ui --no-open --json')
    expect(status).to.equal(0)
    expect(json[0]).to.deep.include({ event: 'page', opened: false })
    expect(json[0]!.url).to.match(new RegExp(`^${origin}/#key=[\\w-]{43}$`))
    const page = await Page.open(json[0]!.url as string)
    expect(await page.ask('node.status')).to.have.property('name', 'alice')
    expect(await page.ask('setup.state')).to.equal('UNKNOWN_METHOD')
  })

  it('a newcomer makes an identity in the page, and goes on with the node at the same address', async () => {
    const page = await Page.open(await ui('', true))
    expect(await page.ask('setup.state')).to.deep.equal({ state: 'new' })
    expect(await page.ask('setup.unlock', { passphrase: 'correct horse' })).to.equal('WRONG_STATE')
    expect(await page.ask('setup.confirm')).to.equal('WRONG_STATE')
    expect(await page.ask('setup.create', { name: 'carol', passphrase: 'short' })).to.equal('WEAK_PASSPHRASE')
    const made = (await page.ask('setup.create', { name: 'carol', passphrase: 'correct horse' })) as { words: string }
    expect(made.words.split(' ')).to.have.length(24)
    expect(await page.ask('setup.create', { name: 'mallory', passphrase: 'correct horse' })).to.equal('WRONG_STATE')
    expect(await page.ask('setup.state')).to.deep.equal({ state: 'locked', name: 'carol' })
    expect(await page.ask('node.status')).to.equal('UNKNOWN_METHOD')
    expect(await page.ask('setup.confirm')).to.deep.equal({})
    expect(await page.ask('node.status')).to.have.property('name', 'carol')
    expect((await started!.lines(2))[1]).to.include('"event":"ready"')
    const joined = await shell.run('id --json')
    expect(joined.json[0]).to.have.property('name', 'carol')
  })

  it('a locked home is opened by its passphrase, and by no other', async () => {
    void shell.node
    const url = await ui('', true)
    const page = await Page.open(url)
    expect(await page.ask('setup.state')).to.deep.equal({ state: 'locked' })
    expect(await page.ask('setup.create', { name: 'eve', passphrase: 'correct horse' })).to.equal('WRONG_STATE')
    expect(await page.ask('setup.unlock', { passphrase: 'wrong horse' })).to.equal('WRONG_PASSPHRASE')
    expect(await page.ask('setup.state')).to.deep.equal({ state: 'locked' })
    expect(await page.status('/readyz')).to.equal(400)
    expect(await page.ask('setup.unlock', { passphrase: 'correct horse' })).to.deep.equal({})
    expect(await page.ask('node.status')).to.have.property('name', 'alice')
  })

  it('T46 before there is a node, too, nothing is answered without a session', async () => {
    const url = new URL(await ui('', true))
    const stranger = new HttpCaller(url.origin)
    expect((await stranger.rpc('setup.state')).status).to.equal(401)
    expect((await stranger.rpc('setup.create', { name: 'eve', passphrase: 'correct horse' })).status).to.equal(401)
    expect(shell.runtime.created).to.deep.equal([])
  })

  it('with a passphrase from a file the node runs at once, and ends with the command', async () => {
    void shell.node
    const page = await Page.open(await ui(''))
    expect(await page.ask('node.status')).to.have.property('name', 'alice')
    started!.stop('SIGTERM')
    const { status } = await started!.done
    expect([status, shell.runtime.stopped]).to.deep.equal([0, 1])
  })

  it('says what to do where there is no page', async () => {
    await rm(shell.pageFolder, { recursive: true })
    const { status, stderr } = await shell.run('ui --no-open')
    expect([status, stderr.includes('npm run build:web')]).to.deep.equal([2, true])
  })

  it('opens a browser where there is a desktop', () => {
    expect(openerOf({ DISPLAY: ':0' }, 'linux')).to.equal('xdg-open')
    expect(openerOf({ WAYLAND_DISPLAY: 'wayland-0' }, 'linux')).to.equal('xdg-open')
    expect(openerOf({ DISPLAY: '' }, 'linux')).to.equal(undefined)
    expect(openerOf({}, 'darwin')).to.equal('open')
  })
})
