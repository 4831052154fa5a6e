/**
 * What a command says: data on standard output, as lines for people or as JSON with `"v":1`; everything else on
 * standard error. The last wall before the terminal: whatever passes here is safe to show.
 */
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { KithError } from '../node/errors.ts'
import { OutputClosedError } from './exit-status.ts'
import { hintFor } from './hints.ts'
import { escapeJson, sanitiseLine, terminalSafeJson } from './sanitise.ts'

/** Version of what `--json` prints. */
export const OUTPUT_VERSION = 1

export type Terminal = Writable & { isTTY?: boolean; columns?: number }

export interface OutputInit {
  stdout: Terminal
  stderr: Terminal
  json: boolean
  quiet: boolean
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export class Output {
  readonly json: boolean
  readonly #stdout: Terminal
  readonly #stderr: Terminal
  readonly #quiet: boolean

  constructor({ stdout, stderr, json, quiet }: OutputInit) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.json = json
    this.#quiet = quiet
  }

  /** Whether a person looks at standard output. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true
  }

  /** Columns of the terminal, undefined without one. */
  get columns(): number | undefined {
    return this.isTerminal ? (this.#stdout.columns ?? 80) : undefined
  }

  /** One object of data, in one line. @throws OutputClosedError when nobody reads any more */
  object(value: object): Promise<void> {
    return write(this.#stdout, `${terminalSafeJson({ v: OUTPUT_VERSION, ...value })}\n`)
  }

  /** A value as JSON over several lines: what a program said, for people. @throws OutputClosedError */
  async document(value: unknown): Promise<void> {
    await write(this.#stdout, `${terminalSafeJson(value, 2)}\n`)
  }

  /** A line that is JSON already. @throws OutputClosedError when nobody reads any more */
  async jsonLine(line: string): Promise<void> {
    await write(this.#stdout, `${escapeJson(line)}\n`)
  }

  /**
   * Lines for people. What comes from a peer goes through `sanitise.ts` first; colour is added after.
   * @throws OutputClosedError when nobody reads any more
   */
  async lines(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await write(this.#stdout, `${lines.join('\n')}\n`)
  }

  /** Draws lines over the ones that were drawn last; for a terminal. @param drawn how many those were */
  async redraw(lines: readonly string[], drawn: number): Promise<void> {
    const back = drawn === 0 ? '' : `\u001b[${drawn}A\u001b[0J`
    await write(this.#stdout, `${back}${lines.map(sanitiseLine).join('\n')}\n`)
  }

  /** Colour, where the terminal wants it. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stdout })
  }

  /** What is worth knowing and is no data; left out with `--quiet`. */
  note(text: string): void {
    if (!this.#quiet) this.#stderr.write(`${sanitiseLine(text)}\n`)
  }

  /** What to do next; left out with `--quiet`. */
  hint(text: string): void {
    this.note(`hint: ${text}`)
  }

  /** An error and what to do about it, on standard error. */
  failure(error: unknown, verbose = false): void {
    const { message, hint } = describe(error)
    this.#stderr.write(`kith: ${sanitiseLine(message)}\n`)
    if (!this.#quiet) this.#stderr.write(`hint: ${sanitiseLine(hint)}\n`)
    if (verbose && error instanceof Error) this.#stderr.write(`${traceOf(error)}\n`)
  }

  /** The error that ends a command without a result. */
  async error(error: unknown, verbose: boolean): Promise<void> {
    this.failure(error, verbose)
    const { code, message, hint } = describe(error)
    if (this.json) await this.object({ error: { code, message, hint } })
  }
}

function describe(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof KithError) {
    return { code: error.code, message: error.message, hint: error.hint ?? hintFor(error) }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'INTERNAL', message: `internal error: ${message}`, hint: 'this is a bug of kith; -v shows where' }
}

function traceOf(error: Error): string {
  const lines = (error.stack ?? '').split('\n').map(sanitiseLine)
  return error.cause instanceof Error ? `${lines.join('\n')}\ncaused by ${traceOf(error.cause)}` : lines.join('\n')
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed) {
      reject(new OutputClosedError())
      return
    }
    stream.write(text, (error) => {
      if (error === null || error === undefined) resolve()
      else reject(isClosed(error) ? new OutputClosedError() : error)
    })
  })
}

function isClosed(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET'
}
