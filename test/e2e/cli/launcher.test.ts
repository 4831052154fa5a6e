/**
 * The launcher `cli/kith.cjs` and the guard `cli/check-node.cjs` as real processes: which Node.js runs what. An old
 * Node.js is played by one that is told to call itself old.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

const CLI = resolve(import.meta.dirname, '../../../cli')

/** Says what it was given and waits for a signal when asked to. */
const PROGRAM = `
import { readFileSync } from 'node:fs'
const args = process.argv.slice(2)
if (process.env.KITH_LAUNCHED !== undefined) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
if (args[0] === 'wait') {
  process.on('SIGTERM', () => process.exit(7))
  console.log('waiting ' + process.pid)
  setInterval(() => undefined, 1000)
} else if (args[0] === 'read') {
  console.log(readFileSync(Number(args[2]), 'utf8'))
} else if (args[0] === 'die') {
  process.kill(process.pid, 'SIGKILL')
} else {
  console.log(JSON.stringify(args))
  process.exit(Number(args[0]))
}
`

interface Result {
  status: number | null
  signal: string | null
  stdout: string
  stderr: string
}

describe('the launcher', () => {
  const directory = temporaryDirectories()

  interface Installed {
    path: string
    old: string
  }

  /** A place with the launcher in it, a program, and perhaps the npm package `node`. */
  async function install(parts: {
    program?: 'main.ts' | 'main.js'
    node?: 'binary' | 'none' | 'no binary'
  }): Promise<Installed> {
    const path = await directory()
    await mkdir(join(path, 'cli'))
    for (const name of ['kith.cjs', 'check-node.cjs']) await copyFile(join(CLI, name), join(path, 'cli', name))
    await writeFile(join(path, 'package.json'), '{"type":"module"}')
    const old = join(path, 'old.cjs')
    await writeFile(
      old,
      `Object.defineProperty(process, 'version', { value: 'v20.20.2' })
       Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })`,
    )
    if (parts.program === 'main.ts') await writeFile(join(path, 'cli', 'main.ts'), PROGRAM)
    if (parts.program === 'main.js') {
      await mkdir(join(path, 'dist', 'cli'), { recursive: true })
      await writeFile(join(path, 'dist', 'cli', 'main.js'), PROGRAM)
    }
    if (parts.node !== undefined && parts.node !== 'none') {
      const bin = join(path, 'node_modules', 'node', 'bin')
      await mkdir(bin, { recursive: true })
      await writeFile(join(path, 'node_modules', 'node', 'package.json'), '{"version":"24.21.0"}')
      if (parts.node === 'binary') await symlink(process.execPath, join(bin, 'node'))
    }
    return { path, old }
  }

  function start({ path, old }: Installed, isOld: boolean, args: string[], file = 'kith.cjs'): ChildProcess {
    const preload = isOld ? ['--require', old] : []
    return spawn(process.execPath, [...preload, join(path, 'cli', file), ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
  }

  const run = async (parts: Parameters<typeof install>[0], isOld: boolean, args: string[]): Promise<Result> =>
    finish(start(await install(parts), isOld, args))

  it('runs the source in a checkout, the built program in a package', async () => {
    expect(await run({ program: 'main.ts' }, false, ['0', 'a b'])).to.include({ status: 0, stdout: '["0","a b"]\n' })
    expect(await run({ program: 'main.js' }, false, ['3'])).to.include({ status: 3, stdout: '["3"]\n' })
  })

  it('an old Node.js runs it with the one of the package, arguments and status kept', async () => {
    const result = await run({ program: 'main.ts', node: 'binary' }, true, ['6', '--json', 'a b'])
    expect(result).to.deep.equal({ status: 6, signal: null, stdout: '["6","--json","a b"]\n', stderr: '' })
  })

  it('says what is missing', async () => {
    const hint = 'hint: install Node.js 24 from https://nodejs.org; in a checkout npm ci brings it\n'
    expect(await run({ program: 'main.ts', node: 'none' }, true, [])).to.include({
      status: 2,
      stderr: `kith: kith needs Node.js 24 or newer, this is v20.20.2\n${hint}`,
    })
    const unscripted = await run({ program: 'main.ts', node: 'no binary' }, true, [])
    expect(unscripted.status).to.equal(2)
    expect(unscripted.stderr).to.include('--ignore-scripts')
    expect(unscripted.stderr).to.include('hint: run npm rebuild node')
    const empty = await run({}, false, [])
    expect(empty.status).to.equal(2)
    expect(empty.stderr).to.match(/^kith: the program is missing .*\nhint: /)
  })

  it('forwards signals, and ends as the program ends', async () => {
    const installed = await install({ program: 'main.ts', node: 'binary' })
    const child = start(installed, true, ['wait'])
    const result = finish(child)
    await new Promise((ready) => child.stdout!.once('data', ready))
    child.kill('SIGTERM')
    expect(await result).to.include({ status: 7, signal: null })
    expect(await finish(start(installed, true, ['die']))).to.include({ status: null, signal: 'SIGKILL' })
  })

  it('a program does not outlive a launcher that was killed', async () => {
    const child = start(await install({ program: 'main.ts', node: 'binary' }), true, ['wait'])
    const line = await new Promise<string>((ready) =>
      child.stdout!.once('data', (chunk: Buffer) => ready(String(chunk))),
    )
    const pid = Number(line.split(' ')[1])
    expect(isAlive(pid)).to.equal(true)
    child.kill('SIGKILL')
    await until(() => !isAlive(pid))
  })

  it('hands on the descriptor of a passphrase', async () => {
    const child = start(await install({ program: 'main.ts', node: 'binary' }), true, ['read', '--passphrase-fd', '3'])
    const pipe = child.stdio[3] as NodeJS.WritableStream
    pipe.end('secret')
    expect(await finish(child)).to.include({ status: 0, stdout: 'secret\n' })
  })

  it('the guard of the npm scripts stops an old Node.js', async () => {
    const installed = await install({})
    expect(await finish(start(installed, false, [], 'check-node.cjs'))).to.include({ status: 0, stderr: '' })
    const stopped = await finish(start(installed, true, [], 'check-node.cjs'))
    expect(stopped.status).to.equal(1)
    expect(stopped.stderr).to.match(/^kith: this needs Node\.js 24 or newer, and v20\.20\.2 runs it\nhint: run npm ci/)
  })

  it('both are written for Node.js 12', async () => {
    for (const name of ['kith.cjs', 'check-node.cjs']) {
      const source = await readFile(join(CLI, name), 'utf8')
      expect(source, name).to.not.match(/\?\.|\?\?|\|\|=|&&=|`node:|require\('node:|\bstatic\b|#\w+ ?[=;(]|\bawait\b/)
    }
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function finish(child: ChildProcess): Promise<Result> {
  let [stdout, stderr] = ['', '']
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((done) => child.on('close', (status, signal) => done({ status, signal, stdout, stderr })))
}
