/**
 * What Stryker asks of this project: a runner of the tests, which switches mutants on in a process that has loaded all of
 * it (Stryker's own runner does not know mocha 12); a draw of a sample; survivors as they are found; and what is no
 * program text to be changed. Loaded by Stryker's child processes. The few shapes of its interface that are used stand here.
 */
import { createHash } from 'node:crypto'
import { relative } from 'node:path'
import * as fc from 'fast-check'
import Mocha from 'mocha'

/** What `main.ts` puts into Stryker's options for this file. */
export interface PluginOptions {
  kith: { tests: string[]; sample: number; seed: number }
}

/** Shared with the instrumented program. */
interface Instrumenter {
  activeMutant?: string
  currentTestId?: string
  hitCount?: number
  hitLimit?: number
  mutantCoverage?: unknown
}

interface TestResult {
  id: string
  name: string
  fileName: string | undefined
  /** As Stryker numbers them. */
  status: 0 | 1
  failureMessage: string
  timeSpentMs: number
}

interface MutantRun {
  activeMutant: { id: string }
  testFilter?: string[]
  hitLimit?: number
  mutantActivation: 'static' | 'runtime'
}

type Outcome =
  | { status: 'complete'; tests: TestResult[]; mutantCoverage?: unknown }
  | { status: 'error'; errorMessage: string }
  | { status: 'killed'; killedBy: string[]; failureMessage: string; nrOfTests: number }
  | { status: 'survived'; nrOfTests: number }
  | { status: 'timeout'; reason: string }

/** Tests that read the source as a text judge nothing: it is not as it was written. */
const JUDGES = /^(?!the numbers in the sentences of the protocol document)/
/** Where the instrumented program looks. */
const NAMESPACE = '__stryker__'
/** A test that waits for what the mutant took away fails by this, before Stryker ends the process. */
const TEST_TIMEOUT_MS = 30_000

class MochaRunner {
  readonly #mocha: Mocha
  readonly #instrumenter: Instrumenter
  #isLoaded = false
  #isCovering = false

  constructor({ kith }: PluginOptions) {
    const shared = globalThis as Record<string, unknown>
    this.#instrumenter = shared[NAMESPACE] ??= {}
    // the same cases for every mutant, and no search for a smaller one: the first that fails is enough
    fc.configureGlobal({ seed: kith.seed, endOnFailure: true })
    this.#mocha = new Mocha({ timeout: TEST_TIMEOUT_MS, reporter: Mocha.reporters.Base })
    this.#mocha.cleanReferencesAfterRun(false)
    for (const file of kith.tests) this.#mocha.addFile(file)
    const instrumenter = this.#instrumenter
    const isCovering = () => this.#isCovering
    this.#mocha.rootHooks({
      beforeEach(this: Mocha.Context) {
        if (isCovering()) instrumenter.currentTestId = this.currentTest!.fullTitle()
      },
    })
  }

  /** Modules that were imported stay: Stryker starts another process for what runs as they load. */
  capabilities() {
    return { reloadEnvironment: false }
  }

  async dryRun(): Promise<Outcome> {
    this.#isCovering = true
    await this.#load()
    this.#mocha.grep(JUDGES)
    const tests = await this.#run(false)
    this.#isCovering = false
    return { status: 'complete', tests, mutantCoverage: this.#instrumenter.mutantCoverage }
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation }: MutantRun): Promise<Outcome> {
    this.#instrumenter.hitLimit = hitLimit
    this.#instrumenter.hitCount = hitLimit === undefined ? undefined : 0
    if (mutantActivation === 'static') this.#instrumenter.activeMutant = activeMutant.id
    try {
      await this.#load()
    } catch (error) {
      // the program did not even load: every test fails
      return { status: 'killed', killedBy: [], failureMessage: String(error), nrOfTests: 0 }
    }
    this.#instrumenter.activeMutant = activeMutant.id
    this.#mocha.grep(testFilter ? exactly(testFilter) : JUDGES)
    const tests = await this.#run(true)
    const { hitCount } = this.#instrumenter
    if (hitLimit !== undefined && hitCount! > hitLimit) {
      return { status: 'timeout', reason: `passed ${hitCount} times, limit ${hitLimit}` }
    }
    const failed = tests.find(({ status }) => status === 1)
    if (!failed) return { status: 'survived', nrOfTests: tests.length }
    return { status: 'killed', killedBy: [failed.id], failureMessage: failed.failureMessage, nrOfTests: tests.length }
  }

  async #load(): Promise<void> {
    if (this.#isLoaded) return
    await this.#mocha.loadFilesAsync()
    this.#isLoaded = true
  }

  async #run(bail: boolean): Promise<TestResult[]> {
    setBail(this.#mocha.suite, bail)
    const tests: TestResult[] = []
    await new Promise<void>((resolve) => {
      const runner = this.#mocha.run(() => resolve())
      runner.on('pass', (test) => void tests.push(resultOf(test)))
      runner.on('fail', (test, error) => void tests.push(resultOf(test, error)))
    })
    return tests
  }
}

/** Lets through as many mutants as the sample shall have, drawn by the seed; Stryker leaves the others out of its score. */
class SampleChecker {
  readonly #options: PluginOptions['kith']
  #drawn = new Set<string>()

  constructor({ kith }: PluginOptions) {
    this.#options = kith
  }

  async init(): Promise<void> {}

  /** Stryker asks once, with all of them. */
  async group(mutants: { id: string }[]): Promise<string[][]> {
    const { sample, seed } = this.#options
    const ids = mutants.map(({ id }) => id)
    this.#drawn = new Set(ids.toSorted((a, b) => compareText(draw(seed, a), draw(seed, b))).slice(0, sample))
    return [ids]
  }

  async check(mutants: { id: string }[]): Promise<Record<string, { status: string; reason?: string }>> {
    const verdict = (id: string) =>
      this.#drawn.has(id) ? { status: 'passed' } : { status: 'compileError', reason: 'not in the sample' }
    return Object.fromEntries(mutants.map(({ id }) => [id, verdict(id)]))
  }
}

interface TestedMutant {
  status: string
  fileName: string
  location: { start: { line: number; column: number } }
  mutatorName: string
  replacement?: string
}

/** As much of a node of Babel's tree as is looked at. */
interface SyntaxNode {
  type: string
  value?: unknown
  quasis?: { value: { raw: string } }[]
  callee?: { name?: string }
}

/** Texts of errors are for people: no test looks at their words. Codes are without blanks, and count. */
const errorTexts = {
  shouldIgnore({ node, parentPath }: { node: SyntaxNode; parentPath?: { node: SyntaxNode } }): string | undefined {
    const text = textOf(node)
    const parent = parentPath?.node
    const isThrown = parent?.type === 'NewExpression' && parent.callee?.name?.endsWith('Error') === true
    return isThrown && text?.includes(' ') ? 'text of an error' : undefined
  },
}

function textOf(node: SyntaxNode): string | undefined {
  if (node.type === 'StringLiteral') return String(node.value)
  return node.type === 'TemplateLiteral' ? node.quasis?.map(({ value }) => value.raw).join(' ') : undefined
}

function resultOf(test: Mocha.Test, error?: Error): TestResult {
  // a failed hook is reported in the name of the test that it was for
  const id = (test.ctx?.currentTest ?? test).fullTitle()
  const failureMessage = error?.message ?? ''
  return {
    id,
    name: id,
    fileName: test.file,
    status: error ? 1 : 0,
    failureMessage,
    timeSpentMs: test.duration ?? 0,
  }
}

function setBail(suite: Mocha.Suite, bail: boolean): void {
  suite.bail(bail)
  for (const inner of suite.suites) setBail(inner, bail)
}

function exactly(titles: string[]): RegExp {
  const escaped = titles.map((title) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(escaped.map((title) => `^${title}$`).join('|'))
}

function draw(seed: number, id: string): string {
  return createHash('sha256').update(`${seed}:${id}`).digest('hex')
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : 1
}

/** Stryker gives a factory the things that it names in `inject`. */
function made<T>(Plugin: new (options: PluginOptions) => T) {
  return Object.assign((options: PluginOptions) => new Plugin(options), { inject: ['options'] as const })
}

/** Tells of survivors at once: a run takes long, and one that was ended has told something. */
const survivors = {
  onMutantTested({ status, fileName, location, mutatorName, replacement }: TestedMutant): void {
    if (status !== 'Survived' && status !== 'NoCoverage') return
    const place = `${relative(process.cwd(), fileName)}:${location.start.line}:${location.start.column}`
    process.stdout.write(`not noticed: ${place} ${mutatorName} => ${replacement?.replaceAll(/\s+/g, ' ')}\n`)
  },
}

export const strykerPlugins = [
  { kind: 'Reporter', name: 'kith-survivors', value: survivors },
  { kind: 'TestRunner', name: 'kith-mocha', factory: made(MochaRunner) },
  { kind: 'Checker', name: 'kith-sample', factory: made(SampleChecker) },
  { kind: 'Ignore', name: 'kith-error-texts', value: errorTexts },
]
