/**
 * `npm run bench`: what Kith costs, each figure beside something that was measured in the same run.
 *
 *     node test/bench/main.ts [--quick] [--only GROUP,…] [--out FILE]
 *
 * `--quick` only shows that everything works; its figures mean nothing. A machine that does other things shows it in the
 * 99th percentiles first, and least in the ratios. Of fewer than a hundred measurements p99 is the worst.
 */
import { rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { Bench, benchDirectory } from './bench.ts'
import { benchDelivery } from './delivery.ts'
import { benchDeliverySteps } from './delivery-steps.ts'
import { benchDrain } from './drain.ts'
import { benchFaces } from './faces.ts'
import { benchFriendRequest } from './friend-request.ts'
import { benchLongHistory } from './long-history.ts'
import { benchMemory } from './memory.ts'
import { benchPage } from './page.ts'
import { benchRatchet } from './ratchet.ts'
import { type Group, printGroup } from './report.ts'
import { benchStart } from './start.ts'
import { benchStore } from './store.ts'
import { benchTerminal } from './terminal.ts'

/** In the order in which they run: what is measured in this process first, before it has grown. */
const GROUPS: Record<string, (bench: Bench) => Promise<Group>> = {
  ratchet: benchRatchet,
  store: benchStore,
  steps: benchDeliverySteps,
  start: benchStart,
  memory: benchMemory,
  friend: benchFriendRequest,
  delivery: benchDelivery,
  history: benchLongHistory,
  terminal: benchTerminal,
  drain: benchDrain,
  page: benchPage,
  faces: benchFaces,
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, out: { type: 'string' } },
  })
  const names = values.only?.split(',') ?? Object.keys(GROUPS)
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name))
  if (unknown !== undefined) throw new Error(`no group ${unknown}; there are ${Object.keys(GROUPS).join(', ')}`)

  const directory = await benchDirectory()
  const bench = new Bench(values.quick, directory)
  const tidy = async (): Promise<void> => {
    await bench.end()
    await rm(directory, { recursive: true, force: true })
  }
  process.once('SIGINT', () => void tidy().finally(() => process.exit(130)))
  process.once('SIGTERM', () => void tidy().finally(() => process.exit(143)))

  const begin = performance.now()
  const loadBefore = loadavg()[0]!
  const machine = `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`
  process.stdout.write(`Node.js ${process.version}, ${machine}, load ${loadBefore.toFixed(1)}\n`)
  const groups: Record<string, Group> = {}
  try {
    for (const name of names) {
      const group = await GROUPS[name]!(bench)
      await bench.end()
      printGroup(group)
      groups[name] = group
    }
  } finally {
    await tidy()
  }
  const seconds = (performance.now() - begin) / 1000
  process.stdout.write(
    `\n${seconds.toFixed(0)} s, load ${loadBefore.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after\n`,
  )
  if (values.out === undefined) return
  const about = { v: 1, quick: values.quick, node: process.version, platform: process.platform, machine }
  const report = { ...about, load: [loadBefore, loadavg()[0]], seconds, groups }
  await writeFile(values.out, `${JSON.stringify(report, undefined, 2)}\n`)
}

await main()
// libp2p leaves timers behind that nobody needs any more
process.exit(process.exitCode ?? 0)
