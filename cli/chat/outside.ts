/** What the chat does outside of node and screen: bell, notification of the desktop, clipboard, links. */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { sanitiseLine } from '../sanitise.ts'
import type { ChatOutside } from './chat.ts'

const BELL = '\u0007'
/** A burst of messages rings once. */
const QUIET_MS = 2000
/** Terminals take no more into the clipboard. */
const MAX_COPIED_BYTES = 70_000

/** @param now milliseconds, for the pauses between two alerts */
export function createOutside(stdout: Writable, now: () => number, run = launch): ChatOutside {
  let last = -QUIET_MS
  return {
    alert: (how, who) => {
      if (now() - last < QUIET_MS) return
      last = now()
      if (how === 'bell') stdout.write(BELL)
      // What was written is nobody's business who passes the screen.
      else
        run('notify-send', ['--app-name=kith', '--', 'Kith', `A message from ${sanitiseLine(who)}`]).catch(() =>
          stdout.write(BELL),
        )
    },
    copy: (text) => {
      const bytes = Buffer.from(text).subarray(0, MAX_COPIED_BYTES)
      stdout.write(`\u001b]52;c;${bytes.toString('base64')}${BELL}`)
    },
    browse: async (url) => await run(process.platform === 'darwin' ? 'open' : 'xdg-open', [url]),
  }
}

/** Starts a program and leaves it alone. @throws Error when it cannot be started */
async function launch(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', () => reject(new Error(`${program} cannot be started`)))
  })
  child.unref()
}
