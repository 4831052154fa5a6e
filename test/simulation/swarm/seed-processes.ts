/** Seeds in processes of their own, as many at once as there are processes: a world computes and waits for nothing. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Finished } from './seed-process.ts'

export class SeedProcesses {
  readonly #children: ChildProcess[] = []
  readonly #idle: ChildProcess[] = []
  readonly #waiting: ((child: ChildProcess) => void)[] = []

  constructor(count: number) {
    for (let i = 0; i < count; i++) {
      const child = fork(fileURLToPath(new URL('seed-process.ts', import.meta.url)))
      this.#children.push(child)
      this.#idle.push(child)
    }
  }

  /** Runs a seed as soon as a process is free. @throws Error when the process ends over it */
  async run(seed: number): Promise<Finished> {
    const child = this.#idle.pop() ?? (await new Promise<ChildProcess>((resolve) => this.#waiting.push(resolve)))
    const ended = new AbortController()
    const abort = (): void => ended.abort()
    child.once('exit', abort)
    try {
      child.send({ seed })
      const [finished] = (await once(child, 'message', { signal: ended.signal })) as [Finished]
      const next = this.#waiting.shift()
      if (next) next(child)
      else this.#idle.push(child)
      return finished
    } catch (error) {
      throw new Error(`a process ended over seed ${seed}`, { cause: error })
    } finally {
      child.off('exit', abort)
    }
  }

  end(): void {
    for (const child of this.#children) child.kill()
  }
}
