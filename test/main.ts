/**
 * `npm test`: the tests that compute, those that wait for real processes, and the swarm, in three mocha processes at the same
 * time. What the others print follows the first one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

function mocha(config: string, output: 'inherit' | 'pipe') {
  const child = spawn(process.execPath, [MOCHA, '--config', config, ...process.argv.slice(2)], {
    stdio: ['ignore', output, output === 'pipe' ? 'inherit' : output],
  })
  return { ended: once(child, 'exit'), printed: child.stdout ? text(child.stdout) : '' }
}

const core = mocha('.mocharc.json', 'inherit')
const others = ['.mocharc.network.json', '.mocharc.swarm.json'].map((config) => mocha(config, 'pipe'))
const results = await Promise.all([core, ...others].map(({ ended }) => ended))
for (const { printed } of others) process.stdout.write(await printed)
process.exitCode = results.every(([status]) => status === 0) ? 0 : 1
