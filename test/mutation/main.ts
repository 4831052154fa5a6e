/**
 * `npm run mutation`: changes the code of the folders that everything else trusts, one small thing at a time, and sees
 * whether the tests of the folder notice. What nobody notices is a gap in the tests, or a change that changes nothing.
 *
 *     node test/mutation/main.ts [--only node/wire,…] [--sample N] [--seed N] [--threshold PERCENT] [--workers N] [--runtime]
 *
 * `--sample 300` draws so many mutants from each folder, for a quick figure; `--runtime` leaves out what runs only as a
 * module loads, for which every mutant takes a process of its own. Survivors stand by line in
 * `coverage/mutation/<folder>.txt`. Exit 1 when the score of a folder is below the threshold. Stryker makes the mutants.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { EQUIVALENT } from './equivalent.ts'
import { type MutationReport, printTally, type Tally, tally } from './tally.ts'

/** The quick tests of each folder, those first that fail soonest. A folder's own tests shall hold it, and the document. */
const FOLDERS: Record<string, string[]> = {
  'node/mailbox': ['test/unit/mailbox/*.test.ts', 'test/property/mailbox/*.test.ts'],
  'node/wire': ['test/unit/wire/*.test.ts', 'test/property/wire/*.test.ts', 'test/fuzz/decoders.test.ts'],
  'node/crypto': ['test/unit/crypto/*.test.ts', 'test/vectors/*.test.ts'],
  'node/session': ['test/unit/session/*.test.ts', 'test/vectors/session/*.test.ts', 'test/property/session/*.test.ts'],
}
const VECTOR_TESTS = ['test/vectors/kith.test.ts']
const DOCUMENT_TESTS = ['test/unit/docs/protocol-*.test.ts']
/** The document's tests read this folder as text, and a copy with changes in it is another text. */
const READ_AS_TEXT = 'node/wire'

/** What a copy of the program needs to run these tests. */
const COPIED = ['node/**', 'cli/**', 'test/**', 'docs/**', 'package.json']

const ROOT = join(import.meta.dirname, '../..')
const OUT = join(ROOT, 'coverage/mutation')
/** Beyond half as long again as the tests take without a mutant. */
const TIMEOUT_MS = 5000

interface Settings {
  sample: number
  seed: number
  workers: number
  runtime: boolean
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(FOLDERS).join(',') },
      sample: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      threshold: { type: 'string', default: '90' },
      workers: { type: 'string', default: '2' },
      runtime: { type: 'boolean', default: false },
    },
  })
  const { sample, seed, workers, runtime } = values
  const settings = { sample: Number(sample), seed: Number(seed), workers: Number(workers), runtime }
  await mkdir(OUT, { recursive: true })
  let isGood = true
  for (const folder of values.only.split(',')) {
    const { score } = await mutate(folder, settings)
    isGood &&= score >= Number(values.threshold)
  }
  process.exitCode = isGood ? 0 : 1
}

/** @throws Error when the folder is none of these, Stryker is not installed, or the tests fail without a mutant */
async function mutate(folder: string, settings: Settings): Promise<Tally> {
  const patterns = FOLDERS[folder]
  if (!patterns) throw new Error(`expected one of ${Object.keys(FOLDERS).join(', ')}, got ${folder}`)
  const name = folder.replace('/', '-')
  const report = join(OUT, `${name}.json`)
  const config = join(OUT, `${name}.config.json`)
  const documents = folder === READ_AS_TEXT ? [] : DOCUMENT_TESTS
  const chosen = [...patterns, ...VECTOR_TESTS, ...documents]
  const found = chosen.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).toSorted())
  const tests = [...new Set(found)]
  await writeFile(config, JSON.stringify(strykerOptions(folder, tests, report, settings), null, 2))
  const child = spawn(process.execPath, [stryker(), 'run', config], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { KITH_FUZZ_RUNS: '20', ...process.env },
  })
  const [status] = (await once(child, 'exit')) as [number | null]
  if (status !== 0) throw new Error(`stryker ended with ${status}`)
  const counted = tally(JSON.parse(await readFile(report, 'utf8')) as MutationReport, EQUIVALENT)
  const text = printTally(folder, counted, settings.sample > 0 || settings.runtime)
  await writeFile(join(OUT, `${name}.txt`), text)
  process.stdout.write(text)
  return counted
}

function strykerOptions(folder: string, tests: string[], report: string, settings: Settings): object {
  return {
    testRunner: 'kith-mocha',
    plugins: [join(import.meta.dirname, 'stryker-plugin.ts')],
    ignorers: ['kith-error-texts'],
    checkers: settings.sample > 0 ? ['kith-sample'] : [],
    coverageAnalysis: 'perTest',
    ignoreStatic: settings.runtime,
    mutate: [`${folder}/*.ts`],
    ignorePatterns: ['**/*', ...COPIED.map((path) => `!${path}`)],
    tempDirName: relative(ROOT, join(OUT, 'copy')),
    // nothing here is compiled
    tsconfigFile: 'none.json',
    concurrency: settings.workers,
    timeoutMS: TIMEOUT_MS,
    reporters: ['json', 'progress-append-only', 'kith-survivors'],
    jsonReporter: { fileName: report },
    warnings: { unknownOptions: false, slow: false },
    allowConsoleColors: false,
    kith: { tests, sample: settings.sample, seed: settings.seed },
  }
}

function stryker(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json')), 'bin/stryker.js')
  } catch (cause) {
    throw new Error('mutation testing needs the package @stryker-mutator/core', { cause })
  }
}

await main()
