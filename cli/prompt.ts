/** Questions to the person at the terminal. Without one there is no prompt: a missing answer is an error that says how to give it. */
import { createInterface } from 'node:readline/promises'
import type { Readable } from 'node:stream'
import password from '@inquirer/password'
import { InterruptedError } from './exit-status.ts'
import type { Terminal } from './output.ts'

export interface Asker {
  /** Nothing of the answer is shown, not even its length. */
  password(message: string): Promise<string>
  line(message: string): Promise<string>
}

/** Asks on standard error; undefined when either end is no terminal. */
export function createAsker(
  stdin: Readable & { isTTY?: boolean },
  stderr: Terminal,
  signal: AbortSignal,
): Asker | undefined {
  if (stdin.isTTY !== true || stderr.isTTY !== true) return undefined
  return {
    password: (message) =>
      interruptible(password({ message, toggleMask: false }, { input: stdin, output: stderr, signal })),
    line: async (message) => {
      const reader = createInterface({ input: stdin, output: stderr })
      try {
        const interrupted = new Promise<never>((_, reject) =>
          reader.once('SIGINT', () => reject(new InterruptedError())),
        )
        return (await interruptible(Promise.race([reader.question(`${message} `, { signal }), interrupted]))).trim()
      } finally {
        reader.close()
      }
    },
  }
}

async function interruptible<T>(question: Promise<T>): Promise<T> {
  try {
    return await question
  } catch (error) {
    const name = error instanceof Error ? error.name : ''
    if (name === 'ExitPromptError' || name === 'AbortPromptError' || name === 'AbortError') throw new InterruptedError()
    throw error
  }
}
