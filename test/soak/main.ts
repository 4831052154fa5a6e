/**
 * `npm run soak -- --minutes 60 --workers 2`: goes on with new seeds of the swarm in several processes until the time is over.
 *   --from N     first seed, by default one that follows from the day    --out FILE   the summary as JSON
 *   --seeds N    so many seeds at most: with --from, ever the same ones
 * Reports seeds, what was reached how often, and each failing seed with the command that replays it. Exit 1 when one failed.
 * Ctrl-C ends it early, with its report.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Coverage } from '../simulation/swarm/coverage.ts'
import type { Finished } from '../simulation/swarm/seed-process.ts'
import { SeedProcesses } from '../simulation/swarm/seed-processes.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Seeds of one day do not meet those of the next. */
const SEEDS_OF_A_DAY = 100_000
const REPORT_MS = 30_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    workers: { type: 'string', default: '2' },
    from: { type: 'string' },
    seeds: { type: 'string' },
    out: { type: 'string' },
  },
})
const started = Date.now()
let end = started + Number(values.minutes) * MINUTE_MS
const first = Number(values.from ?? (Math.floor(started / DAY_MS) % 10_000) * SEEDS_OF_A_DAY)
const coverage = new Coverage()
const failures: { seed: number; invariant: string; message: string; replay: string }[] = []
const last = first + Number(values.seeds ?? Infinity)
const workers = Number(values.workers)
const processes = new SeedProcesses(workers)
let next = first
let virtualMs = 0
let calls = 0

const say = (text: string): void => void process.stdout.write(`${text}\n`)

function finished({ seed, counts, calls: more, virtualMs: lived, failure }: Finished): void {
  coverage.merge(counts, 1)
  calls += more
  virtualMs += lived
  if (!failure) return
  failures.push({ seed, ...failure })
  say(`seed ${seed}: ${failure.message}\n  ${failure.replay}`)
}

async function work(): Promise<void> {
  while (Date.now() < end && next < last) finished(await processes.run(next++))
}

process.once('SIGINT', () => {
  end = Date.now()
})
const report = setInterval(() => say(`${coverage.seeds} seeds, ${failures.length} failed`), REPORT_MS)
try {
  await Promise.all(Array.from({ length: workers }, work))
} finally {
  processes.end()
  clearInterval(report)
}
const minutes = (Date.now() - started) / MINUTE_MS
const gaps = coverage.gaps()
const virtualHours = virtualMs / HOUR_MS
const { seeds } = coverage
const summary = {
  first,
  seeds,
  minutes,
  virtualHours,
  portCalls: calls,
  failures,
  gaps,
  reached: coverage.counts(),
}
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(summary, undefined, 2)}\n`)
say(`${seeds} seeds from ${first} in ${minutes.toFixed(1)} minutes, ${failures.length} failed`)
say(`${virtualHours.toFixed(0)} hours of the worlds' time, ${calls} calls of ports`)
for (const [name, count] of Object.entries(summary.reached)) say(`  ${String(count).padStart(9)}  ${name}`)
process.exitCode = failures.length > 0 ? 1 : 0
