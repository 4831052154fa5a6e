/**
 * Turns at something that serves a bounded number at once: who waits is served in rounds, one of each group after the
 * other, so that a group with much to do holds up nobody else.
 */
export class FairTurns {
  #free: number
  /** Waiting by group, the groups in the order of their next turn. */
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(places: number) {
    this.#free = places
  }

  /** Runs `work` when it is this group's turn. */
  async run<T>(group: string, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#queue(group, resolve))
    try {
      return await work()
    } finally {
      this.#next()
    }
  }

  #queue(group: string, resume: () => void): void {
    const waiting = this.#waiting.get(group)
    if (waiting) waiting.push(resume)
    else this.#waiting.set(group, [resume])
  }

  #next(): void {
    const [first] = this.#waiting
    if (!first) {
      this.#free++
      return
    }
    const [group, waiting] = first
    const resume = waiting.shift()!
    this.#waiting.delete(group)
    // to the end of the round
    if (waiting.length > 0) this.#waiting.set(group, waiting)
    resume()
  }
}
