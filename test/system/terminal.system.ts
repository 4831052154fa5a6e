/** `kith` in a real terminal (tmux): prompts that show no passphrase, words that are shown once, and Ctrl-C. */
import { execFileSync } from 'node:child_process'
import { access, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { findCanaries } from '../support/canary.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { until } from '../support/until.ts'
import { hasTmux, titled } from './machine.ts'

const LAUNCHER = resolve(import.meta.dirname, '../../cli/kith.cjs')
const PASSPHRASE = 'seven purple gentians'
const WAIT_MS = 30_000

/** A shell in a terminal of 100 columns; a line `status N` follows each command. */
class TerminalSession {
  readonly #socket: string

  constructor(directory: string) {
    this.#socket = join(directory, 'tmux')
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '60', `exec bash --norc --noprofile`)
    this.#tmux('set-option', '-g', 'history-limit', '5000')
    this.type(
      `PS1=; kith() { "${process.execPath}" "${LAUNCHER}" --home "${directory}/home" "$@"; echo "status $?"; }; clear`,
    )
  }

  /** Types a line and Enter. */
  type(line: string): void {
    this.#tmux('send-keys', '-l', line)
    this.press('Enter')
  }

  press(key: string): void {
    this.#tmux('send-keys', key)
  }

  /** Everything that was on the screen, since it was cleared. */
  shown(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-')
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

  clear(): void {
    this.type('clear; tmux clear-history')
  }

  end(): void {
    this.#tmux('kill-server')
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm' },
    })
  }
}

describe(titled('a terminal', hasTmux(), 'tmux'), () => {
  const temporaryDirectory = temporaryDirectories()
  let directory: string
  let terminal: TerminalSession | undefined
  before(function () {
    if (!hasTmux()) this.skip()
  })
  beforeEach(async () => {
    directory = await temporaryDirectory()
    terminal = new TerminalSession(directory)
  })
  afterEach(() => terminal?.end())

  async function answer(prompt: string, text: string, times = 1): Promise<void> {
    await terminal!.shows(prompt, times)
    terminal!.type(text)
  }

  it('init asks for the passphrase twice, shows neither, and shows the words once', async () => {
    terminal!.type('kith init --name Ada')
    await answer('New passphrase:', PASSPHRASE)
    await answer('Once more:', PASSPHRASE)
    const screen = await terminal!.shows('status 0')
    expect(screen).to.not.include(PASSPHRASE)
    expect(screen).to.not.include('gentians')
    const words = new Map(
      [...screen.matchAll(/(\d{1,2}) ([a-z]{3,8})(?= {2}|\n|$)/g)].map(([, number, word]) => [Number(number), word!]),
    )
    expect([...words.keys()].toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 24 }, (_, i) => i + 1))
    expect(screen.split('These 24 words').length - 1, 'shown once').to.equal(1)

    terminal!.type('clear')
    terminal!.type('kith id')
    await answer('Passphrase:', PASSPHRASE)
    const later = await terminal!.shows(/kith1[a-z0-9]{20,}[\s\S]*Ada[\s\S]*status 0/g)
    expect(later).to.not.include(PASSPHRASE)
    const phrase = Array.from({ length: 24 }, (_, i) => words.get(i + 1)!)
    const inARow = [phrase.slice(0, 3).join(' '), phrase.slice(10, 13).join(' '), phrase.join(' ')]
    expect(await findCanaries([join(directory, 'home')], [PASSPHRASE, ...inARow])).to.deep.equal([])
  })

  it('init makes nothing when the two passphrases differ, and asks for a name that is missing', async () => {
    terminal!.type('kith init')
    await answer('What should friends call you?', 'Ada')
    await answer('New passphrase:', PASSPHRASE)
    await answer('Once more:', 'another passphrase')
    const screen = await terminal!.shows('status 2')
    expect(screen).to.match(/kith: the two passphrases differ/)
    await access(join(directory, 'home')).then(
      () => expect.fail('there is a home'),
      () => undefined,
    )
  })

  it('a wrong passphrase ends with 6', async () => {
    await writeFile(join(directory, 'passphrase'), `${PASSPHRASE}\n`)
    terminal!.type(`kith --passphrase-file ${directory}/passphrase init --name Ada --words-file ${directory}/words`)
    await terminal!.shows('status 0')
    terminal!.type('kith friends')
    await answer('Passphrase:', 'five yellow gentians')
    await terminal!.shows('status 6')
  })

  it('Ctrl-C ends a prompt and a running node with 130', async () => {
    terminal!.type('kith init --name Ada')
    await terminal!.shows('New passphrase:')
    terminal!.press('C-c')
    await terminal!.shows('status 130')
    await writeFile(join(directory, 'passphrase'), `${PASSPHRASE}\n`)
    terminal!.type(
      `clear; kith --passphrase-file ${directory}/passphrase init --name Ada --words-file ${directory}/words`,
    )
    await terminal!.shows('status 0')
    terminal!.type('clear; kith up --listen /ip4/127.0.0.1/tcp/0')
    await answer('Passphrase:', PASSPHRASE)
    await terminal!.shows(/ready: your node, kith1/g)
    terminal!.press('C-c')
    const screen = await terminal!.shows('status 130')
    expect(screen).to.not.include(PASSPHRASE)
  })
})
