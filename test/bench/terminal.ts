/** From a key to the frame that shows it: in a quiet chat, while messages come in, and far up in a long conversation. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeNode } from '../support/fake-node.ts'
import { type RunningChat, startChat } from '../support/running-chat.ts'
import type { Bench } from './bench.ts'
import { timesOf } from './measure.ts'
import { Group } from './report.ts'

const MESSAGES = 20_000
/** Messages that come in every second meanwhile. */
const BUSY_RATE = 50
const SIZE = { columns: 100, rows: 40 }
/** Characters of which each is typed once, so that a frame which shows it was drawn for it. */
const FIRST_TYPED = { quiet: 0x4e00, busy: 0x5e00 }

export async function benchTerminal(bench: Bench): Promise<Group> {
  const amount = bench.amount(MESSAGES, 500)
  const group = new Group(`Terminal: ${SIZE.columns} x ${SIZE.rows}, a conversation of ${amount} messages`)
  const node = new FakeNode()
  node.befriend('bob')
  for (let i = 0; i < amount; i += 1) node.receive('bob', `message ${i} ${'word '.repeat(i % 30)}`)
  const running = startChat(node, SIZE)
  bench.atEnd(() => running.end())
  await running.terminal.shows(`message ${amount - 1}`)
  const count = bench.amount(150, 10)
  const base = group.times('key to frame, quiet', await typing(running, count, FIRST_TYPED.quiet))
  const stop = keepBusy(node)
  group.times(`key to frame, ${BUSY_RATE} messages a second`, await typing(running, count, FIRST_TYPED.busy), base)
  stop()
  group.times('page up to frame, all the way', await pagesUp(running, bench.amount(400, 20)), base)
  group.memory('this process', [process.memoryUsage().rss / 1024 ** 2])
  group.note('frames go to a terminal in this process; a key that comes right after a frame waits for the next, 17 ms')
  return group
}

async function typing({ terminal, chat }: RunningChat, count: number, first: number): Promise<number[]> {
  const times = await timesOf(count, async (i) => {
    const typed = String.fromCharCode(first + i)
    terminal.forget()
    terminal.press(typed)
    await terminal.shows(typed)
  })
  chat.dispatch({ type: 'chord', chord: 'ctrl+u' })
  return times
}

/** Until the oldest message is at the top, or for so many pages. */
async function pagesUp({ terminal, chat }: RunningChat, most: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < most; i += 1) {
    const before = chat.state.scroll
    terminal.forget()
    const begin = performance.now()
    const moved = changed(chat)
    terminal.press('\u001b[5~')
    await moved
    if (chat.state.scroll === before || chat.state.scroll?.messageId === before?.messageId) break
    await terminal.shows('\u001b[')
    times.push(performance.now() - begin)
    await chat.settled()
  }
  return times
}

async function changed(chat: RunningChat['chat']): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = chat.watch((byPerson) => {
      if (!byPerson) return
      end()
      resolve()
    })
  })
}

function keepBusy(node: FakeNode): () => void {
  const end = new AbortController()
  const write = async (): Promise<void> => {
    for (let i = 0; !end.signal.aborted; i += 1) {
      const { messageId, from } = node.receive('bob', `busy ${i}`)
      const detail = {
        messageId,
        conversation: from,
        from,
        direction: 'in',
        type: 'text',
        text: `busy ${i}`,
        sentAt: Date.now(),
      }
      node.emit('message', detail)
      await sleep(1000 / BUSY_RATE, undefined, { signal: end.signal })
    }
  }
  write().catch(() => undefined)
  return () => end.abort()
}
