/**
 * One direction of a connection as the fault proxy passes it on: chunks in their order, each after the time that the link
 * takes just then. What TCP does about a lost packet is what is seen here of a loss: the chunk and all behind it come later.
 */
import type { Socket } from 'node:net'
import type { SeededRandom } from './seeded-random.ts'

/** Bytes that wait in one direction of one connection; more push back. */
const MAX_WAITING_BYTES = 1024 * 1024
/** First time that a sender waits before it sends again; doubles up to the last. */
const RESEND_MS = { first: 200, last: 3200 }
const STALL_MS = { least: 1000, most: 8000 }

/** How a link is now. Rates are of chunks, 0 to 1. */
export interface LinkState {
  delayMs: readonly [number, number]
  loss: number
  breaks: number
  stalls: number
}

/** What struck the lines so far. */
export interface LineCounts {
  lost: number
  broken: number
  stalled: number
}

export interface FaultyLineInit {
  source: Socket
  target: Socket
  random: SeededRandom
  state: () => LinkState
  /** Whether the chunk that is here now may go on: a silent partition swallows it. */
  passes: () => boolean
  /** Ends the connection, both ways. */
  reset: () => void
  counts: LineCounts
}

export class FaultyLine {
  readonly #init: FaultyLineInit
  /** In the order in which it came; its times never fall. */
  readonly #queue: { due: number; length: number; pass: () => void }[] = []
  #waiting = 0
  #due = 0
  #timer: NodeJS.Timeout | undefined

  constructor(init: FaultyLineInit) {
    this.#init = init
    const { source, target } = init
    source.on('data', (chunk) => this.#take(chunk))
    source.on('end', () => this.#later(0, 0, () => target.end()))
    target.on('drain', () => this.#letIn())
  }

  /** Nothing that waits arrives any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  #take(chunk: Buffer): void {
    const { random, state, reset, counts, target } = this.#init
    const link = state()
    if (strikes(random, link.breaks)) {
      counts.broken += 1
      return reset()
    }
    this.#later(this.#wait(link), chunk.length, () => target.write(chunk))
  }

  #wait({ delayMs, loss, stalls }: LinkState): number {
    const { random, counts } = this.#init
    const [least, most] = delayMs
    let ms = most === 0 ? 0 : random.int(least, most)
    if (strikes(random, stalls)) {
      counts.stalled += 1
      ms += random.int(STALL_MS.least, STALL_MS.most)
    }
    for (let resend = RESEND_MS.first; strikes(random, loss); resend = Math.min(resend * 2, RESEND_MS.last)) {
      counts.lost += 1
      ms += resend
    }
    return ms
  }

  #later(ms: number, length: number, pass: () => void): void {
    const now = performance.now()
    this.#due = Math.max(this.#due, now + ms)
    this.#queue.push({ due: this.#due, length, pass })
    this.#waiting += length
    this.#deliver()
  }

  /** Passes on what is due, and comes again for the rest. */
  #deliver(): void {
    clearTimeout(this.#timer)
    for (let [next] = this.#queue; next !== undefined; [next] = this.#queue) {
      const rest = next.due - performance.now()
      if (rest > 0) {
        this.#timer = setTimeout(() => this.#deliver(), Math.ceil(rest))
        break
      }
      this.#queue.shift()
      this.#waiting -= next.length
      if (this.#init.passes()) next.pass()
    }
    this.#letIn()
  }

  #letIn(): void {
    const { source, target } = this.#init
    if (target.writableNeedDrain || this.#waiting >= MAX_WAITING_BYTES) source.pause()
    else source.resume()
  }
}

/** Draws only where a rate is set, so that one fault does not move what another one draws. */
function strikes(random: SeededRandom, rate: number): boolean {
  return rate > 0 && random.fraction() < rate
}
