/** `kith chat` in real terminals (tmux): two nodes talk, whatever the width; what a peer writes cannot paint. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Friends, friendsOnline } from '../support/befriended.ts'
import { TerminalSession } from '../support/terminal-session.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { until } from '../support/until.ts'
import { hasTmux, titled } from './machine.ts'

const WIDE = '世界 👍🏽 👨‍👩‍👧 ❤️ 🇩🇪 1️⃣ e\u0301 ﷽ क्षि עברית'
const HOSTILE = [
  '\u001b[2J\u001b[H\u001b[31mPAINTED\u001b[0m',
  '\u001b]0;OWNED\u0007\u001b]8;;http://evil.example/\u0007click\u001b]8;;\u0007\u001b]52;c;eA==\u0007',
  '\u009b2J\u009d0;OWNED\u009c',
  `\u202e${'z'.repeat(10)}\u2066x`,
  `z${'\u0301'.repeat(500)}`,
  'hi\r\n─── new ───\n09:00 me │ forged\n> typed',
].join('\n')

describe(titled('kith chat', hasTmux(), 'tmux'), () => {
  const temporaryDirectory = temporaryDirectories()
  let directory: string
  let friends: Friends
  const terminals: TerminalSession[] = []

  before(async function () {
    if (!hasTmux()) this.skip()
    directory = await temporaryDirectory()
    friends = await friendsOnline(directory)
  })
  afterEach(() => {
    for (const terminal of terminals.splice(0)) terminal.end()
  })
  after(async () => friends?.nodes.stopAll())

  let sessions = 0
  function open(home: string, size: { columns: number; rows: number }, env = ''): TerminalSession {
    sessions += 1
    const run = `XDG_RUNTIME_DIR=${join(directory, 'run')}`
    const terminal = new TerminalSession(directory, { name: `tmux${sessions}`, home, ...size, env: `${run} ${env}` })
    terminals.push(terminal)
    return terminal
  }

  async function chat(home: string, size = { columns: 80, rows: 24 }, who = ''): Promise<TerminalSession> {
    const terminal = open(home, size)
    terminal.type(`kith chat ${who}`)
    await terminal.holds((lines) => lines.some((line) => /relays? \d\/\d/.test(line)))
    return terminal
  }

  /** Whether the bar between list and messages stands in its column in every line; below 60 there is none. */
  function isStraight(lines: readonly string[], columns: number, rows: number): boolean {
    if (lines.length !== rows) return false
    if (columns < 60) return true
    const bars = lines.slice(1, -3).map((line) => line.indexOf('│'))
    const wide = Math.min(32, Math.max(18, Math.floor(columns / 4)))
    return bars.every((bar) => bar === wide)
  }

  it('two people talk, each at a terminal', async () => {
    const alice = await chat('alice')
    const bob = await chat('bob')
    alice.type('hello bob')
    await bob.shows(/Alice +│ hello bob/g)
    await alice.shows(/✓✓ me +│ hello bob/g)
    bob.type('hello alice')
    await alice.shows(/Bob +│ hello alice/g)
    expect(alice.cursor()).to.include({ x: 2, y: 23, alternate: true })
    alice.press('C-q')
    await alice.shows('status 0')
    expect(alice.cursor().alternate).to.equal(false)
    expect(alice.shown()).to.not.include('hello')
  })

  it('a message from another program appears unasked, and the node may go and come back', async () => {
    const alice = await chat('alice', undefined, 'Bob')
    const { messageId } = await friends.alice.call('message.send', { who: 'Bob', text: 'from a program' })
    await alice.shows(/me +│ from a program/g)
    await friends.alice.logged((event) => event.messageId === messageId && event.state === 'delivered')
    await friends.alice.stop()
    await alice.shows('the node has gone')
    alice.type('written meanwhile')
    await alice.shows(/· +me +│ written meanwhile/g)
    await friends.alice.start()
    await alice.shows(/✓✓ me +│ written meanwhile/g)
    const { messages } = await friends.bob.call('history.list', { who: 'Alice', limit: 100 })
    expect(messages.filter(({ text }) => text === 'written meanwhile')).to.have.length(1)
  })

  it('a paste of many lines is one message, whatever it holds', async () => {
    const alice = await chat('alice', undefined, 'Bob')
    alice.paste('first line\n/quit\nthird \u001b[31mline')
    await alice.shows('third [31mline')
    alice.press('Enter')
    await alice.shows(/│ first line/g)
    const sent = await until(async () => {
      const { messages } = await friends.bob.call('history.list', { who: 'Alice', limit: 100 })
      const texts = messages.map(({ text }) => text).filter((text) => text.startsWith('first line'))
      return texts.length > 0 && texts
    })
    expect(sent).to.deep.equal(['first line\n/quit\nthird [31mline'])
  })

  it('T45 what a peer writes stays in its place at 40, 80 and 160 columns, and through a change of size', async () => {
    for (const columns of [40, 80, 160]) {
      const alice = await chat('alice', { columns, rows: 30 }, 'Bob')
      const title = alice.title()
      await friends.bob.call('message.send', { who: 'Alice', text: WIDE })
      await friends.bob.call('message.send', { who: 'Alice', text: HOSTILE })
      await friends.bob.call('message.send', { who: 'Alice', text: `after at ${columns}` })
      const ends = (lines: string[]): boolean => lines.some((line) => line.includes(`after at ${columns}`))
      await alice.holds((lines) => ends(lines) && isStraight(lines, columns, 30))
      expect(alice.title()).to.equal(title)
      const painted = alice.painted()
      // oxlint-disable-next-line no-control-regex -- the colours and the link of a peer's text would come before or in its words
      expect(painted).to.not.match(/\u001b\]8;|OWNED\u0007/)
      expect(painted).to.match(/␛\[31mPAINTED/)
      expect(alice.shown()).to.match(/│ ?typed|│ > typed/)
      const other = columns === 160 ? 70 : columns + 40
      alice.resize({ columns: other, rows: 20 })
      await alice.holds((lines) => ends(lines) && isStraight(lines, other, 20))
      expect(alice.cursor()).to.include({ x: 2, y: 19, alternate: true })
      alice.write('界x')
      await alice.holds((shown) => shown.at(-1)!.startsWith('> 界x'))
      expect(alice.cursor()).to.include({ x: 5, y: 19 })
      alice.press('C-c', 'C-c')
      await alice.shows('status 0')
    }
  })

  it('verifies, shows the way of a message, searches and answers requests without leaving', async () => {
    const alice = await chat('alice', { columns: 100, rows: 40 }, 'Bob')
    alice.type('/verify')
    await alice.shows(/(\d{5} ){3}\d{5}/g)
    await alice.shows(/[▀▄█]{20}/g)
    alice.type('/confirm')
    await alice.shows('Bob is verified')
    alice.type('the word')
    await alice.shows(/✓✓ me +│ the word/g)
    alice.press('Escape')
    await alice.holds((lines) => !lines.some((line) => line.includes('Safety number')))
    alice.press('M-Up')
    await alice.shows('their node has it')
    alice.press('t')
    await alice.shows('The way of a message: delivered')
    alice.press('Escape')
    alice.type('/requests')
    await alice.shows('Who asks to be your friend')
    alice.press('Escape')
    alice.press('?')
    await alice.shows('Keys and commands')
  })

  it('a newcomer answers three questions and writes the first message', async () => {
    const { invite } = await friends.alice.call('invite.create', {})
    await mkdir(join(directory, 'new'), { recursive: true, mode: 0o700 })
    const env = `KITH_RELAYS=${friends.relay.address} KITH_LISTEN=/ip4/127.0.0.1/tcp/0`
    const terminal = open('new/home', { columns: 80, rows: 40 }, env)
    terminal.type('kith chat')
    await terminal.shows('What should friends call you?')
    terminal.type('Nina')
    await terminal.shows('New passphrase:')
    terminal.type('seven purple gentians')
    await terminal.shows('Once more:')
    terminal.type('seven purple gentians')
    await terminal.shows('24 words are your identity')
    await terminal.shows('Press Enter')
    terminal.press('Enter')
    await terminal.shows('/invite makes a link for a friend')
    terminal.paste(`/add ${invite} Alice`)
    terminal.press('Enter')
    const request = await friends.alice.logged((event) => event.event === 'request' && event.name === 'Nina')
    await friends.alice.call('request.accept', { who: String(request.id) })
    await terminal.shows(/● Alice/g)
    await terminal.holds((lines) => lines[0]!.includes('not verified') && !lines[0]!.includes('outgoing'))
    terminal.type('my first message')
    const got = await friends.alice.logged((event) => event.event === 'message' && event.text === 'my first message')
    expect(got.from).to.equal(request.id)
    expect(terminal.shown()).to.not.include('gentians')
    terminal.press('C-q')
    await terminal.shows('status 0')
  })

  it('gives the terminal back when it is ended from outside', async () => {
    const alice = await chat('alice', undefined, 'Bob')
    await writeFile(join(directory, 'mark'), '')
    alice.press('C-c')
    await alice.shows('status 0')
    expect(alice.cursor().alternate).to.equal(false)
    alice.type('echo typed $((40 + 2))')
    await alice.shows('typed 42')
  })
})
