/**
 * `kith swarm` as a tester has it: real processes live through a partition and a kill, are judged, and leave nothing
 * behind, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { readReport } from '../../../cli/swarm/report.ts'
import type { Json } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'
import { until } from '../../support/until.ts'

const LAUNCHER = resolve(import.meta.dirname, '../../../cli/kith.cjs')
const CODE_CACHE = resolve(import.meta.dirname, '../../../node_modules/.cache/kith-tests')

interface Run {
  child: ChildProcess
  /** Where its homes are made. */
  temporary: string
  ended: Promise<{ status: number | null; output: Json[]; stderr: string }>
}

describe('kith swarm', function () {
  // five processes and their friendships are twenty seconds on a machine that has nothing else to do
  this.timeout(180_000)
  const runs: Run[] = []
  after(async () => {
    for (const { child } of runs) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await Promise.all(runs.map(({ ended }) => ended))
  })
  const temporaryDirectory = temporaryDirectories()

  async function start(...args: string[]): Promise<Run> {
    const temporary = join(await temporaryDirectory(), 'tmp')
    await mkdir(temporary, { mode: 0o700 })
    const run = kith(temporary, '--json', 'swarm', ...args)
    runs.push(run)
    return run
  }

  it('lives through partitions, bad links and a kill, reports, and leaves nothing', async () => {
    const directory = await temporaryDirectory()
    const run = await start(
      ...'--nodes 4 --friends 2 --relays 1 --messages 40 --duration 6s --seed 7 --delay 5ms'.split(' '),
      ...'--partition 2s@1s --kill node@2s+2s --partition silent:1s@4s'.split(' '),
      ...'--loss 3% --breaks 0.5%:2s@3s --stalls 0.1%'.split(' '),
      ...'--assert lost=0 --assert duplicated=0 --assert disordered=0'.split(' '),
      ...'--assert refusedConnections>0 --assert swallowedConnections>0 --assert lostChunks>0'.split(' '),
      ...'--assert planned<40 --report'.split(' '),
      directory,
    )
    await until(async () => (await swarmsIn(run.temporary)).includes('swarm.json'), 60_000)
    const shell = await kith(run.temporary, '--json', 'swarm', 'shell', '3', '--', '--json', 'id').ended
    expect(shell.status, shell.stderr).to.equal(0)
    expect(shell.output[0]).to.include({ name: 'n3' })
    expect(await processesOf(run.temporary)).to.have.length(5)

    const { status, output, stderr } = await run.ended
    expect(status, stderr).to.equal(1)
    const [result] = output as [Json & { metrics: Json; assertions: Json[]; recoveries: Json[] }]
    expect(result.passed).to.equal(false)
    expect(result.assertions.filter(({ holds }) => holds !== true)).to.deep.equal([
      { text: 'planned<40', holds: false, measured: 40 },
    ])
    expect(stderr).to.include('seed 7 failed: planned<40')
    expect(result.metrics).to.include({ planned: 40, lost: 0, unsent: 0, refused: 0, undecided: 0 })
    expect(result.metrics.arrived).to.be.at.least(Number(result.metrics.accepted))
    expect(result.metrics.arrivalP50Ms, 'nothing is quicker than the delay').to.be.above(4)
    const struck = result.recoveries.map(({ fault }) => (fault as Json).kind)
    expect(struck.toSorted()).to.deep.equal(['breaks', 'kill', 'loss', 'partition', 'partition', 'stalls'])
    expect((await readReport(directory)).schedule.messages).to.have.length(40)
    expect(await readFile(join(directory, 'report.html'), 'utf8')).to.include('</html>')
    expect(await readdir(run.temporary), 'homes are gone').to.deep.equal([])
    expect(await processesOf(run.temporary)).to.deep.equal([])
  })

  it('ends everything on Ctrl-C, when a process dies by itself, and when it is killed; says what is taken', async () => {
    const small = ['--nodes', '2', '--relays', '1']
    const interrupted = await start(...small, '--subnet', '120')
    const bereaved = await start(...small)
    const killed = await start(...small)
    for (const run of [interrupted, bereaved, killed]) {
      await until(async () => (await processesOf(run.temporary)).length > 0, 60_000)
    }
    const late = await (await start(...small, '--subnet', '120')).ended
    expect(late.status, late.stderr).to.equal(5)
    expect(late.stderr).to.include('127.120.0.0/16 is taken').and.include('hint: ')

    interrupted.child.kill('SIGINT')
    killed.child.kill('SIGKILL')
    process.kill((await processesOf(bereaved.temporary))[0]!, 'SIGKILL')
    const [first, second] = await Promise.all([interrupted.ended, bereaved.ended, killed.ended])
    expect(first.status, first.stderr).to.equal(130)
    expect(second.status, second.stderr).to.equal(1)
    expect(second.output.at(-1)).to.have.nested.property('error.code', 'NODE_DIED')
    expect(second.stderr).to.include('r1 ended by itself (SIGKILL)')
    for (const { temporary } of [interrupted, bereaved]) expect(await readdir(temporary)).to.deep.equal([])
    for (const run of [interrupted, bereaved, killed]) {
      await until(async () => (await processesOf(run.temporary)).length === 0, 20_000)
    }
  })
})

function kith(temporary: string, ...args: string[]): Run {
  const env = { ...process.env, TMPDIR: temporary, NODE_COMPILE_CACHE: CODE_CACHE }
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[status], stdout, stderr]) => ({
      status: status as number | null,
      output: stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Json])),
      stderr,
    }),
  )
  return { child, temporary, ended }
}

/** Names of the files of the swarms in a folder. */
async function swarmsIn(temporary: string): Promise<string[]> {
  const directories = await readdir(temporary)
  return (await Promise.all(directories.map((name) => readdir(join(temporary, name)).catch(() => [])))).flat()
}

/** Processes that were started with a home in the folder. */
async function processesOf(temporary: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      // one that has just ended has no command line any more
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return line.includes(`--home\0${temporary}`) ? [Number(pid)] : []
    }),
  )
  return found.flat()
}
