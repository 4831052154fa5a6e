/**
 * T36, the part of texts: whatever a person is made to paste, type, name or pass on, every reader of texts and files gives a
 * value or an error with a hint, soon. The largest that comes through a pipe or a file is judged by its size.
 */
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadConfig } from '../../cli/configuration.ts'
import type { Context } from '../../cli/context.ts'
import { parseDuration } from '../../cli/duration.ts'
import { parseAssertion } from '../../cli/swarm/assertion.ts'
import { parseChurn, parseDelay, parseKill, parsePartition, parseRate } from '../../cli/swarm/options.ts'
import { readReport } from '../../cli/swarm/report.ts'
import { resolveConfig, setConfigValue } from '../../node/config.ts'
import { KithError } from '../../node/errors.ts'
import { decodeInvite } from '../../node/identity/invite.ts'
import { entropyOf } from '../../node/identity/phrase.ts'
import { idFromText } from '../../node/identity/root.ts'
import { MAX_CONFIG_BYTES } from '../../node/limits.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'

/** Processor time for one input: far above what it takes, far below what would hurt. */
const MAX_MILLISECONDS = 1500
const HUGE = 1_000_000

const READERS: Record<string, (text: string) => unknown> = {
  invite: decodeInvite,
  ID: idFromText,
  words: entropyOf,
  duration: parseDuration,
  'config file': (text) => resolveConfig({ file: { path: 'config.toml', text } }),
  'config set': (text) => setConfigValue(text, 'relayContact', 'x'),
  'config value': (text) => setConfigValue('', 'relayContact', text),
  'config list': (text) => setConfigValue('', 'listen', text),
  environment: (text) => resolveConfig({ env: { KITH_LISTEN: text, KITH_RELAY_MAX_DAYS: text } }),
  assertion: parseAssertion,
  churn: parseChurn,
  kill: parseKill,
  partition: parsePartition,
  rate: parseRate,
  delay: parseDelay,
}

/** Texts that cost readers much: long ones, nested ones, and those that make an expression try again and again. */
const TEXTS: Record<string, string> = {
  'spaces and nothing else': ' '.repeat(HUGE),
  'one letter': 'a'.repeat(HUGE),
  'an invite without end': `kithinvite1${'q'.repeat(HUGE)}`,
  'an invite of spaces': `kithinvite1${' '.repeat(HUGE)}`,
  'an ID without end': `kith1${'q'.repeat(HUGE)}`,
  'words without end': 'abandon '.repeat(HUGE / 8),
  'a number without end': '9'.repeat(HUGE),
  'ones and dots': '1.'.repeat(HUGE / 2),
  'times without end': '20s@30s+'.repeat(HUGE / 8),
  'lists in lists': `listen = ${'['.repeat(MAX_CONFIG_BYTES - 20)}`,
  'tables in tables': `x = ${'{a='.repeat(20_000)}`,
  'a key of dots': `${'a.'.repeat(30_000)}b = 1`,
  'a list of many lines': `listen = [\n${'"",\n'.repeat(16_000)}]`,
  'a list without an end': `listen = [\n${'"",\n'.repeat(16_000)}`,
  'comments behind comments': `relayContact = "${'#'.repeat(60_000)}" # x`,
  'many quotes': '"""'.repeat(20_000),
  'signs that grow when they are made equal': '\ufdfa'.repeat(HUGE / 20),
}

describe('T36 readers of texts', function () {
  this.timeout(60_000)
  const temporaryDirectory = temporaryDirectories()

  for (const [name, read] of Object.entries(READERS)) {
    it(`T36 ${name}: a value or an error of ours, soon, whatever is given`, () => {
      for (const [what, text] of Object.entries(TEXTS)) {
        for (const given of [text, text.slice(0, 60_000)])
          expect(
            milliseconds(() => read(given)),
            what,
          ).to.be.below(MAX_MILLISECONDS)
      }
    })
  }

  it('T36 a config file that never ends, or is a terabyte, is refused without being read', async () => {
    const directory = await temporaryDirectory()
    const large = join(directory, 'large.toml')
    await writeFile(large, '')
    await truncate(large, 2 ** 40)
    for (const path of ['/dev/zero', large]) {
      const context = { options: { home: directory }, env: {} } as unknown as Context
      const before = process.memoryUsage().rss
      expect(await rejection(loadConfig(context, 'node', {}, path))).to.have.property('code', 'CONFIG')
      expect(process.memoryUsage().rss - before).to.be.below(64 * 1024 * 1024)
    }
  })

  it('T36 a report that is a terabyte, or nests without end, is refused', async () => {
    const directory = await temporaryDirectory()
    const reports: Record<string, string> = {
      arrays: '['.repeat(HUGE),
      objects: '{"a":'.repeat(HUGE / 5),
      'arrays that close': `${'['.repeat(HUGE / 2)}${']'.repeat(HUGE / 2)}`,
      'a schedule that nests': `{"schema":2,"options":${'{"a":'.repeat(HUGE / 10)}1${'}'.repeat(HUGE / 10)},"schedule":{}}`,
    }
    for (const [name, text] of Object.entries(reports)) {
      const path = join(directory, `${name}.json`)
      await writeFile(path, text)
      const started = process.cpuUsage()
      expect(await rejection(readReport(path)), name).to.have.property('code', 'USAGE')
      expect(since(started), name).to.be.below(MAX_MILLISECONDS)
    }
    const large = join(directory, 'large')
    await mkdir(large)
    await writeFile(join(large, 'report.json'), '')
    await truncate(join(large, 'report.json'), 2 ** 40)
    expect(await rejection(readReport(large)))
      .to.have.property('message')
      .that.includes('larger than')
  })
})

/** Processor time; anything but a value or an error of ours goes on. */
function milliseconds(read: () => unknown): number {
  const started = process.cpuUsage()
  try {
    read()
  } catch (error) {
    if (!(error instanceof KithError)) throw error
  }
  return since(started)
}

function since(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
}
