/**
 * `swarm`: a network of real processes on this machine, written to, disturbed and judged. A run is a schedule, made of the
 * options and a seed or read from a report, so that what failed once is run again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type as systemType, release } from 'node:os'
import type { Command } from 'commander'
import { KithError } from '../../node/errors.ts'
import { type Context, usage as wrong } from '../context.ts'
import { EXIT, type ExitStatus, InterruptedError } from '../exit-status.ts'
import { type Assertion, judge, parseAssertion } from '../swarm/assertion.ts'
import { progressLine, progressLines } from '../swarm/live-view.ts'
import { evaluate, type Metrics } from '../swarm/metrics.ts'
import {
  DEFAULT_OPTIONS,
  type DelayRange,
  type KillOrder,
  MAX_MESSAGES,
  MAX_NODES,
  MAX_RELAYS,
  MAX_SEED,
  parseChurn,
  parseDelay,
  parseKill,
  parseMilliseconds,
  parsePartition,
  parseRate,
  type PartitionOrder,
  type RateOrder,
  RATES,
  type SwarmOptions,
} from '../swarm/options.ts'
import { readReport, type Report, REPORT_SCHEMA } from '../swarm/report.ts'
import { writeReport } from '../swarm/report-page.ts'
import { createSchedule, type Schedule } from '../swarm/schedule.ts'
import { findSwarm, LAUNCHER, shellQuote } from '../swarm/running-swarm.ts'
import { Swarm } from '../swarm/swarm.ts'
import { version } from '../version.ts'
import { type Runner, wholeNumber } from './command.ts'

interface RunOptions {
  report?: string
  keep?: string
  assert?: Assertion[]
  settle: number
  subnet?: number
}

interface SwarmFlags extends RunOptions {
  nodes: number
  relays: number
  friends: number
  messages: number
  duration: number
  seed: number
  churn: number
  delay: DelayRange
  partition?: PartitionOrder[]
  kill?: KillOrder[]
  loss?: RateOrder[]
  breaks?: RateOrder[]
  stalls?: RateOrder[]
}

const SETTLE_MS = 60_000
const REDRAW_MS = 500
const LINE_MS = 5000

export function addSwarmCommand(program: Command, runner: Runner): void {
  const { nodes, relays, friends, messages, seed, duration } = DEFAULT_OPTIONS
  const swarm = program
    .command('swarm')
    .description('run a network of real processes on this machine, disturb it and see whether anything is lost')
    .option('--nodes <number>', `people's nodes (default: ${nodes})`, wholeNumber(2, MAX_NODES))
    .option('--relays <number>', `relays (default: ${relays})`, wholeNumber(1, MAX_RELAYS))
    .option('--friends <number>', `friends of a node, at most (default: ${friends})`, wholeNumber(1, 16))
    .option(
      '--messages <number>',
      `messages, spread over the duration (default: ${messages})`,
      wholeNumber(0, MAX_MESSAGES),
    )
    .option('--duration <time>', `how long is written and disturbed (default: ${duration / 1000}s)`, time('a duration'))
    .option('--seed <number>', `the same seed is the same schedule (default: ${seed})`, wholeNumber(0, MAX_SEED))
    .option('--churn <rate>', 'nodes that leave and come back, for example 10%/min', parseChurn)
    .option(
      '--partition <when>',
      'two groups that do not reach each other: 20s@30s is for 20 s at 30 s; silent:20s@30s tells nobody (repeatable)',
      each(parsePartition),
    )
    .option(
      '--kill <who>',
      'relay@45s, node3@50s+20s (back after 20 s), relay@45s! (never back) (repeatable)',
      each(parseKill),
    )
    .option('--delay <time>', 'how long every byte takes between two processes: 40ms, or 20ms-80ms', parseDelay)
    .option(
      '--loss <rate>',
      'bytes that come late, as after a lost packet: 2%, or 2%:20s@30s (repeatable)',
      each(parseRate),
    )
    .option('--breaks <rate>', 'bytes that break their connection: 0.1%, or 0.1%:20s@30s (repeatable)', each(parseRate))
    .option('--stalls <rate>', 'bytes that wait for seconds: 0.1%, or 0.1%:20s@30s (repeatable)', each(parseRate))
    .option('--settle <time>', 'wait so long in the end for what is on its way (default: 60s)', time('a wait'))
    .option(
      '--assert <demand>',
      "what must hold, for example 'lost=0' (repeatable); else the command ends with 1",
      each(parseAssertion),
    )
    .option('--report <dir>', 'write report.json and report.html there')
    .option('--keep <dir>', 'keep homes and logs there')
    .option('--subnet <number>', 'use 127.NUMBER.0.0/15 instead of a free one', wholeNumber(64, 126))
    .action(runner.action(runNew))
  swarm
    .command('replay')
    .description('run the schedule of a report again; --assert, --report, --keep and --settle as with `kith swarm`')
    .argument('<report>', 'report.json, or the directory that holds it')
    .action(runner.action(replay))
  swarm
    .command('shell')
    .description('run a command on a node of the running swarm; without one, print the settings that do so')
    .argument('<node>', '3 is the third node, r1 the first relay')
    .argument('[command...]', 'after --, for example: -- history n4 --limit 5')
    .option('--in <dir>', 'of the swarm that runs with --keep DIR, or when several run')
    .action(runner.action(shell))
}

function time(what: string): (text: string) => number {
  return (text) => parseMilliseconds(text, what)
}

/** Parser of an option that may be given several times. */
function each<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), parse(text)]
}

async function runNew(context: Context, flags: Partial<SwarmFlags>): Promise<ExitStatus> {
  const { partition = [], kill = [], delay = DEFAULT_OPTIONS.delayMs, ...rest } = flags
  const options: SwarmOptions = { ...DEFAULT_OPTIONS, partitions: partition, kills: kill, delayMs: delay }
  for (const key of ['nodes', 'relays', 'friends', 'messages', 'duration', 'seed', 'churn'] as const) {
    const value = rest[key]
    if (value !== undefined) options[key] = value
  }
  for (const key of RATES) options[key] = rest[key] ?? []
  return await run(context, options, createSchedule(options), flags)
}

async function replay(context: Context, path: string, _: object, command: Command): Promise<ExitStatus> {
  const { options, schedule } = await readReport(path)
  return await run(context, options, schedule, command.optsWithGlobals<Partial<SwarmFlags>>())
}

async function run(context: Context, options: SwarmOptions, schedule: Schedule, flags: Partial<RunOptions>) {
  const { out } = context
  out.note(`seed ${options.seed}: ${options.nodes} nodes, ${options.relays} relays, ${options.messages} messages`)
  const swarm = await untilInterrupted(
    Swarm.create({
      schedule,
      options,
      settle: flags.settle ?? SETTLE_MS,
      runtime: context.runtime,
      signal: context.signal,
      onNote: (text) => out.note(text),
      ...(flags.keep === undefined ? {} : { keep: flags.keep }),
      ...(flags.subnet === undefined ? {} : { subnet: flags.subnet }),
    }),
  )
  const stopShowing = show(context, swarm, options.duration)
  let report: Report
  try {
    const recording = await untilInterrupted(swarm.run())
    const findings = evaluate(recording)
    const assertions = judge(flags.assert ?? [], findings.metrics)
    report = {
      schema: REPORT_SCHEMA,
      seed: options.seed,
      options,
      schedule,
      versions: { kith: version(), node: process.versions.node, system: `${systemType()} ${release()}` },
      at: new Date().toISOString(),
      passed: assertions.every(({ holds }) => holds),
      assertions,
      findings,
      usage: recording.usage,
    }
  } finally {
    stopShowing()
    await swarm.close()
  }
  if (flags.report !== undefined) out.note(`report: ${(await writeReport(flags.report, report)).html}`)
  await tell(context, report)
  return report.passed ? EXIT.done : EXIT.refused
}

/** A signal ends the swarm; to the caller it is the interruption that every command has. */
async function untilInterrupted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof KithError && error.code === 'INTERRUPTED' ? new InterruptedError() : error
  }
}

function show({ out }: Context, swarm: Swarm, duration: number): () => void {
  if (!out.isTerminal || out.json) {
    const timer = setInterval(() => out.note(progressLine(swarm.progress, duration)), LINE_MS)
    return () => clearInterval(timer)
  }
  let drawn = 0
  const draw = (): void => {
    const lines = progressLines(swarm.progress, duration)
    void out.redraw(lines, drawn).catch(() => clearInterval(timer))
    drawn = lines.length
  }
  const timer = setInterval(draw, REDRAW_MS)
  return () => {
    clearInterval(timer)
    draw()
  }
}

async function tell({ out }: Context, report: Report): Promise<void> {
  const { findings, assertions } = report
  const { metrics, lost, duplicated, disordered, recoveries } = findings
  const failed = assertions.filter(({ holds }) => !holds).map(({ text }) => text)
  if (failed.length > 0) out.note(`seed ${report.seed} failed: ${failed.join(', ')}`)
  if (out.json) {
    const { options, seed, passed, versions, usage } = report
    return await out.object({
      seed,
      options,
      versions,
      passed,
      metrics,
      assertions,
      recoveries,
      lost,
      duplicated,
      disordered,
      usage,
    })
  }
  const bad = [...lost.map((text) => `lost: ${text}`), ...duplicated, ...disordered]
  await out.lines([
    ...summary(metrics),
    ...bad.map((text) => out.style('red', text)),
    ...assertions.map(({ text, holds, measured }) =>
      holds
        ? out.style('green', `holds: ${text}`)
        : out.style('red', `fails: ${text} (it is ${measured ?? 'not measured'})`),
    ),
  ])
}

function summary(metrics: Metrics): string[] {
  const { accepted, arrived, lost, duplicated, disordered, unanswered, refused } = metrics
  const ms = (value: number | null): string => (value === null ? '-' : `${Math.round(value)} ms`)
  const row = (name: string, p50: number | null, p95: number | null, p99: number | null): string =>
    `${name.padEnd(10)} p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}`
  return [
    `accepted ${accepted}, arrived ${arrived}, lost ${lost}, duplicated ${duplicated}, out of order ${disordered}`,
    `refused ${refused}, unanswered ${unanswered}, unsent ${metrics.unsent}, undecided ${metrics.undecided}`,
    row('custody', metrics.custodyP50Ms, metrics.custodyP95Ms, metrics.custodyP99Ms),
    row('arrival', metrics.arrivalP50Ms, metrics.arrivalP95Ms, metrics.arrivalP99Ms),
    row('delivered', metrics.deliveredP50Ms, metrics.deliveredP95Ms, metrics.deliveredP99Ms),
    `slowest recovery ${ms(metrics.recoveryMaxMs)}, start ${metrics.startSeconds} s, friends ${metrics.friendsSeconds?.toFixed(1)} s`,
    `at most ${metrics.memoryMaxMiB} MiB and ${metrics.cpuMaxSeconds} s of processor time a process`,
  ]
}

async function shell(context: Context, node: string, command: string[], options: { in?: string }) {
  if (!/^([nr]?)[1-9]\d{0,2}$/.test(node))
    throw wrong(`no node ${JSON.stringify(node)}`, 'name a node by its number, a relay as r1')
  const { home, runtime } = await findSwarm(context.env, node.match(/^\d/) ? `n${node}` : node, options.in)
  if (command.length === 0) {
    if (context.out.json) return await context.out.object({ home, runtime })
    return await context.out.lines([`export KITH_HOME=${shellQuote(home)} XDG_RUNTIME_DIR=${shellQuote(runtime)}`])
  }
  const child = spawn(process.execPath, [LAUNCHER, '--home', home, ...command], {
    stdio: 'inherit',
    env: { ...context.env, XDG_RUNTIME_DIR: runtime },
  })
  const [status] = (await once(child, 'close')) as [ExitStatus | null]
  return status ?? EXIT.interrupted
}
