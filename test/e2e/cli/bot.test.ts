/**
 * A bot on real processes: its node is killed (SIGKILL) in the middle of its work, and so is the bot, and both are started
 * again. It has missed nothing and handled nothing twice.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { friendsOnline } from '../../support/befriended.ts'
import { type KithNodes, type KithProcess, LineProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const PROGRAM = join(import.meta.dirname, '../../support/echo-bot.ts')
const MESSAGES = 24

describe('a bot whose node is killed', function () {
  this.timeout(120_000)
  const temporaryDirectory = temporaryDirectories()
  let nodes: KithNodes | undefined
  const bots: LineProcess[] = []
  after(async () => {
    await Promise.all(bots.map(async (bot) => await bot.stop('SIGKILL')))
    await nodes?.stopAll()
  })

  async function startBot(node: KithProcess, directory: string): Promise<LineProcess> {
    const env = { ...process.env, XDG_RUNTIME_DIR: join(directory, 'run') }
    const child = spawn(process.execPath, [PROGRAM, node.home], { stdio: ['ignore', 'pipe', 'pipe'], env })
    const bot = new LineProcess('echo bot', child)
    bots.push(bot)
    await bot.waitFor(({ event }) => event === 'ready')
    return bot
  }

  async function echoed(bot: LineProcess, count: number): Promise<void> {
    await bot.waitUntil(() => bot.lines.filter(({ event }) => event === 'echoed').length >= count || undefined)
  }

  it('misses nothing and answers nothing twice', async () => {
    const directory = await temporaryDirectory()
    const friends = await friendsOnline(directory)
    nodes = friends.nodes
    const { alice, bob } = friends
    const first = await startBot(alice, directory)
    const write = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) await bob.call('message.send', { who: 'Alice', text: `text ${i}` })
    }
    const writing = write(0, MESSAGES - 4)
    await echoed(first, 3)
    await alice.kill()
    await alice.start()
    await echoed(first, 8)
    await Promise.all([first.stop('SIGKILL'), alice.kill()])
    await writing
    await alice.start()
    // what comes while no bot runs waits for it
    await write(MESSAGES - 4, MESSAGES)
    await alice.logged(({ event, text }) => event === 'message' && text === `text ${MESSAGES - 1}`)
    await startBot(alice, directory)
    const wanted = Array.from({ length: MESSAGES }, (_, i) => `echo of text ${i}`)
    const missing = new Set(wanted)
    await bob.logged(({ event, direction, text }) => {
      if (event === 'message' && direction === 'in') missing.delete(String(text))
      return missing.size === 0
    })
    await alice.call('message.send', { who: 'Bob', text: 'the end' })
    await bob.logged(({ event, text }) => event === 'message' && text === 'the end')
    const { messages } = await bob.call('history.list', { who: 'Alice', limit: 200 })
    const answers = messages.filter(({ direction }) => direction === 'in').map(({ text }) => text)
    expect(answers.toSorted()).to.deep.equal([...wanted, 'the end'].toSorted())
  })
})
