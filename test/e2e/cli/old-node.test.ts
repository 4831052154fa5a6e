/**
 * The launcher under the older Node.js of the system, when this machine has one: after `npm ci` it works by the Node.js
 * that the npm package `node` brought; when that package has no binary it says what is missing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { LineProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const CHECKOUT = resolve(import.meta.dirname, '../../..')
const OLD = oldNode()

describe(OLD === undefined ? 'an older Node.js (SKIPPED: this machine has none)' : 'an older Node.js', function () {
  this.timeout(60_000)
  let child: ChildProcess | undefined
  before(function () {
    if (OLD === undefined) this.skip()
  })
  after(() => child?.kill('SIGKILL'))
  const temporaryDirectory = temporaryDirectories()

  it('runs kith: a command, and a relay that ends by a signal', async () => {
    const home = join(await temporaryDirectory(), 'relay')
    const version = run(join(CHECKOUT, 'cli/kith.cjs'), ['--version'])
    expect(version.stderr).to.equal('')
    expect(version)
      .to.include({ status: 0 })
      .and.have.property('stdout')
      .that.matches(/^\d+\.\d+\.\d+\n$/)
    const args = [join(CHECKOUT, 'cli/kith.cjs'), '--json', '--home', home, 'relay', '--listen', '/ip4/127.0.0.1/tcp/0']
    child = spawn(OLD!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const relay = new LineProcess('relay', child)
    expect(await relay.waitFor((line) => line.event === 'ready')).to.include({ role: 'relay' })
    child.kill('SIGTERM')
    const [status] = (await once(child, 'exit')) as [number | null]
    expect(status, relay.stderr).to.equal(0)
  })

  it('says what is missing when the npm package `node` has no binary', async () => {
    const tree = await temporaryDirectory()
    await cp(join(CHECKOUT, 'cli'), join(tree, 'cli'), { recursive: true })
    await cp(join(CHECKOUT, 'package.json'), join(tree, 'package.json'))
    const nothing = run(join(tree, 'cli/kith.cjs'), ['--version'])
    expect(nothing.status).to.equal(2)
    expect(nothing.stderr).to.match(/^kith: kith needs Node\.js 24 or newer, this is v\d+.*\nhint: .*npm ci.*\n$/)

    await mkdir(join(tree, 'node_modules/node'), { recursive: true })
    await writeFile(join(tree, 'node_modules/node/package.json'), '{"version":"24.21.0"}')
    const unscripted = run(join(tree, 'cli/kith.cjs'), ['--version'])
    expect(unscripted.status).to.equal(2)
    expect(unscripted.stderr).to.match(/^kith: .*--ignore-scripts.*\nhint: run npm rebuild node/)

    const guard = run(join(tree, 'cli/check-node.cjs'), [])
    expect(guard.status).to.equal(1)
    expect(guard.stderr).to.match(/^kith: .*\nhint: .+/)
  })
})

function run(file: string, args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(OLD!, [file, ...args], { encoding: 'utf8' })
}

/** A Node.js below 24, outside of the checkout. */
function oldNode(): string | undefined {
  for (const path of ['/usr/local/bin/node', '/usr/bin/node']) {
    try {
      accessSync(path, constants.X_OK)
    } catch {
      continue
    }
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (Number(/^v(\d+)\./.exec(stdout)?.[1]) < 24) return path
  }
  return undefined
}
