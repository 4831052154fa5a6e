/** A real terminal: a shell in tmux, in which `kith` is this checkout's, and whose screen can be read. */
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { until } from './until.ts'

const LAUNCHER = resolve(import.meta.dirname, '../../cli/kith.cjs')
const WAIT_MS = 30_000

export interface TerminalSize {
  columns: number
  rows: number
}

/** A line `status N` follows each command that is typed. */
export class TerminalSession {
  readonly #socket: string

  /** @param home of `kith`; several sessions of one folder need different names */
  constructor(directory: string, { name = 'tmux', home = 'home', columns = 100, rows = 60, env = '' } = {}) {
    this.#socket = join(directory, name)
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      `${columns}`,
      '-y',
      `${rows}`,
      'exec bash --norc --noprofile',
    )
    this.#tmux('set-option', '-g', 'history-limit', '5000')
    const kith = `"${process.execPath}" "${LAUNCHER}" --home "${directory}/${home}" "$@"`
    this.type(`PS1=; export LANG=C.UTF-8 ${env}; kith() { ${kith}; echo "status $?"; }; clear`)
  }

  /** Types a line and Enter. */
  type(line: string): void {
    this.write(line)
    this.press('Enter')
  }

  write(text: string): void {
    this.#tmux('send-keys', '-l', text)
  }

  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  /** Pastes as a person does: marked, when the program asked for it. */
  paste(text: string): void {
    this.#tmux('set-buffer', text)
    this.#tmux('paste-buffer', '-p')
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** Everything that was on the screen, since it was cleared. */
  shown(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-')
  }

  /** The lines of the screen as they stand. */
  screen(): string[] {
    return this.#tmux('capture-pane', '-p', '-N').split('\n').slice(0, -1)
  }

  /** The screen with its colours, as escape sequences. */
  painted(): string {
    return this.#tmux('capture-pane', '-p', '-e')
  }

  cursor(): { x: number; y: number; alternate: boolean } {
    const [x, y, alternate] = this.#tmux('display', '-p', '#{cursor_x} #{cursor_y} #{alternate_on}').trim().split(' ')
    return { x: Number(x), y: Number(y), alternate: alternate === '1' }
  }

  title(): string {
    return this.#tmux('display', '-p', '#{pane_title}').trim()
  }

  /** Waits until the screen holds a text so many times. */
  async shows(text: string | RegExp, times = 1): Promise<string> {
    const pattern =
      typeof text === 'string' ? new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`), 'g') : text
    try {
      return await until(
        () => ([...this.shown().matchAll(pattern)].length >= times ? this.shown() : undefined),
        WAIT_MS,
      )
    } catch {
      throw new Error(`expected ${String(text)} ${times} times on the screen:\n${this.shown()}`)
    }
  }

  /** Waits until what is on the screen fits. */
  async holds(fits: (lines: string[]) => boolean): Promise<string[]> {
    try {
      return await until(() => (fits(this.screen()) ? this.screen() : undefined), WAIT_MS)
    } catch {
      throw new Error(`expected another screen (${fits.toString()}):\n${this.screen().join('\n')}`)
    }
  }

  clear(): void {
    this.type('clear; tmux clear-history')
  }

  end(): void {
    this.#tmux('kill-server')
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm', LANG: 'C.UTF-8' },
    })
  }
}
