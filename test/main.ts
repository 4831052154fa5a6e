/**
 * `npm test` in two lanes, one for each core of a small machine: the tests of the program's parts in one, those that wait for
 * real processes and then the worlds made from seeds in the other. What the second lane prints follows the first one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

/** @returns whether all passed, and what it printed when that was not shown at once */
async function mocha(config: string, output: 'inherit' | 'pipe'): Promise<{ passed: boolean; printed: string }> {
  const child = spawn(process.execPath, [MOCHA, '--config', config, ...process.argv.slice(2)], {
    stdio: ['ignore', output, output === 'pipe' ? 'inherit' : output],
  })
  const ended = once(child, 'exit')
  const printed = child.stdout ? await text(child.stdout) : ''
  const [status] = await ended
  return { passed: status === 0, printed }
}

async function secondLane(): Promise<{ passed: boolean; printed: string }> {
  const network = await mocha('.mocharc.network.json', 'pipe')
  const worlds = await mocha('.mocharc.swarm.json', 'pipe')
  return { passed: network.passed && worlds.passed, printed: network.printed + worlds.printed }
}

const lanes = await Promise.all([mocha('.mocharc.json', 'inherit'), secondLane()])
for (const { printed } of lanes) process.stdout.write(printed)
process.exitCode = lanes.every(({ passed }) => passed) ? 0 : 1
