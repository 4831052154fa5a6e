/**
 * `npm test`: the tests that compute and those that wait for real processes, in two mocha processes at the same time. What
 * the second one prints follows the first one.
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
const network = mocha('.mocharc.network.json', 'pipe')
const results = await Promise.all([core.ended, network.ended])
process.stdout.write(await network.printed)
process.exitCode = results.every(([status]) => status === 0) ? 0 : 1
