/** Runs `kith` in this process, on a fake node: a script of commands and what they print. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Asker } from '../../cli/prompt.ts'
import { runCli } from '../../cli/run.ts'
import { type FakeNode, FakeRuntime } from './fake-node.ts'

export interface Ran {
  status: number
  stdout: string
  stderr: string
  /** Standard output as objects, one a line. */
  json: Record<string, unknown>[]
}

export interface RunOptions {
  stdin?: string | Uint8Array
  /** Standard input stays open. @default false */
  keepsInput?: boolean
  /** Standard output is a terminal of so many columns. */
  columns?: number
  /** Answers to questions, in order; running out of them fails the test. */
  answers?: string[]
  env?: Record<string, string>
  signal?: AbortSignal
  /** Without the `--home` and passphrase that are given else. */
  bare?: boolean
}

/** A run that goes on. */
export interface Started {
  done: Promise<Ran>
  /** The first `count` lines of standard output, once they are there. */
  lines(count: number): Promise<string[]>
  stop(signal: 'SIGINT' | 'SIGTERM'): void
}

export class Shell {
  readonly runtime = new FakeRuntime()
  readonly directory: string
  readonly home: string
  readonly passphraseFile: string
  /** Of the page that `ui` serves; empty unless the test fills it. */
  readonly pageFolder: string

  private constructor(directory: string) {
    this.directory = directory
    this.home = join(directory, 'home')
    this.passphraseFile = join(directory, 'passphrase')
    this.pageFolder = join(directory, 'page')
  }

  /** @param directory empty, and gone after the test */
  static async create(directory: string): Promise<Shell> {
    const shell = new Shell(directory)
    await writeFile(shell.passphraseFile, 'correct horse\n', { mode: 0o600 })
    return shell
  }

  /** The node of the home; with it there is an identity. */
  get node(): FakeNode {
    return this.runtime.node(this.home)
  }

  /** @param line arguments separated by spaces; an array when one holds spaces */
  run(line: string | string[], options: RunOptions = {}): Promise<Ran> {
    return this.start(line, options).done
  }

  start(line: string | string[], options: RunOptions = {}): Started {
    const stdout = collect(options.columns)
    const stderr = collect(undefined)
    const interruption = new AbortController()
    options.signal?.addEventListener('abort', () => interruption.abort(options.signal?.reason))
    const stdin = new PassThrough()
    if (options.keepsInput === true) stdin.write(options.stdin ?? '')
    else stdin.end(options.stdin ?? '')
    const given = typeof line === 'string' ? line.split(' ') : line
    const argv =
      options.bare === true ? given : [...given, '--home', this.home, '--passphrase-file', this.passphraseFile]
    const status = runCli(withGlobalsFirst(argv), {
      runtime: this.runtime,
      stdin,
      stdout: stdout.stream,
      stderr: stderr.stream,
      env: { XDG_RUNTIME_DIR: join(this.directory, 'run'), TMPDIR: this.directory, ...options.env },
      signal: interruption.signal,
      lockWaitMs: 300,
      pageFolder: this.pageFolder,
      ...(options.answers === undefined ? {} : { asker: answering(options.answers) }),
    })
    const done = status.then(async (code) => {
      // What was written last has still to pass the streams.
      await new Promise((resolve) => setImmediate(resolve))
      return ran(code, stdout.text(), stderr.text())
    })
    return { done, lines: (count) => stdout.lines(count), stop: (signal) => interruption.abort(signal) }
  }
}

/** What follows `--` is no option, so the shell's own options come first there. */
function withGlobalsFirst(argv: string[]): string[] {
  const end = argv.indexOf('--')
  const globals = argv.indexOf('--home')
  if (end === -1 || globals < end) return argv
  return [...argv.slice(globals), ...argv.slice(0, globals)]
}

function ran(status: number, stdout: string, stderr: string): Ran {
  return {
    status,
    stdout,
    stderr,
    get json() {
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
  }
}

function answering(answers: string[]): Asker {
  const next = async (): Promise<string> => {
    const answer = answers.shift()
    if (answer === undefined) throw new Error('a question that the test does not answer')
    return answer
  }
  return { password: next, line: next }
}

interface Collected {
  stream: PassThrough & { isTTY?: boolean; columns?: number }
  text(): string
  lines(count: number): Promise<string[]>
}

function collect(columns: number | undefined): Collected {
  const stream: Collected['stream'] = new PassThrough()
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns })
  let text = ''
  let wake: (() => void) | undefined
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    wake?.()
  })
  return {
    stream,
    text: () => text,
    lines: async (count) => {
      while (text.split('\n').length <= count) await new Promise<void>((resolve) => (wake = resolve))
      return text.split('\n').slice(0, count)
    },
  }
}
