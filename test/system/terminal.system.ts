/** `kith` in a real terminal (tmux): prompts that show no passphrase, words that are shown once, and Ctrl-C. */
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { findCanaries } from '../support/canary.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { TerminalSession } from '../support/terminal-session.ts'
import { hasTmux, titled } from './machine.ts'

const PASSPHRASE = 'seven purple gentians'

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
