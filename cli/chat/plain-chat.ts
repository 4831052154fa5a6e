/** The chat by lines: no cursor is moved, what is typed is edited by the terminal itself. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Output } from '../output.ts'
import type { Chat } from './chat.ts'
import { PlainLines } from './plain-lines.ts'

/** Reads lines until there are none, or `ended`; each is done with before the next is read. */
export async function runPlain(
  chat: Chat,
  { stdin, out }: { stdin: Readable; out: Output },
  ended: Promise<void>,
): Promise<void> {
  const teller = new PlainLines(chat.state)
  let written: Promise<void> = Promise.resolve()
  const tell = (): void => {
    const lines = teller.next(chat.state)
    if (lines.length > 0) written = written.then(() => out.lines(lines)).catch(() => chat.quit())
  }
  const unwatch = chat.watch(tell)
  const reader = createInterface({ input: stdin, terminal: false, crlfDelay: Infinity })
  const stop = (): void => reader.close()
  void ended.then(stop, stop)
  try {
    let begun = ''
    for await (const line of reader) {
      // A backslash at the end of a line goes on with the same message in the next.
      if (line.endsWith('\\')) {
        begun += `${line.slice(0, -1)}\n`
        continue
      }
      await chat.settled()
      chat.dispatch({ type: 'line', line: begun + line })
      begun = ''
    }
    await chat.settled()
    chat.quit()
    await ended
    await written
  } finally {
    unwatch()
    reader.close()
  }
}
