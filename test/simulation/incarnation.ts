/**
 * One life of a simulated node, from a start to the next crash. Its ports belong to it: once it is over, their promises
 * never settle, their timers never fire and their calls reach nothing, whatever the old code still does.
 */
import type { Clock, Logger, Random, Timer } from '../../node/ports.ts'
import type { Engine } from './engine.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { TracePart } from './trace.ts'

/** Where a crash falls at the call of a port: before the call reached anything, or after. */
export type CrashSide = 'before' | 'after'

const NO_TIMER: Timer = { cancel: () => {} }

export class Incarnation {
  readonly node: string
  /** 1 for the first life of the node. */
  readonly number: number
  readonly engine: Engine
  /** Calls of Store and Network so far: each is a place where a crash may fall. */
  calls = 0
  #alive = true
  readonly #crash: () => void
  readonly #random: SeededRandom
  #crashAt: { call: number; side: CrashSide } | undefined

  /** @param crash called once when a fault ends this life */
  constructor(engine: Engine, node: string, number: number, crash: () => void) {
    this.engine = engine
    this.node = node
    this.number = number
    this.#crash = crash
    this.#random = engine.random.fork(`faults of ${node} ${number}`)
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Ends this life. */
  revoke(): void {
    this.#alive = false
  }

  /** Ends this life at the `call`-th call of Store or Network, counted from 1. */
  crashAt(call: number, side: CrashSide): void {
    this.#crashAt = { call, side }
  }

  trace(what: string, parts?: readonly TracePart[]): void {
    if (this.#alive) this.engine.trace.add(this.engine.now, `${this.node}#${this.number} ${what}`, parts)
  }

  /** An event that happens only while this life lasts. */
  after(delayMs: number, run: () => void): Timer {
    if (!this.#alive) return NO_TIMER
    return this.engine.schedule(delayMs, () => {
      if (this.#alive) run()
    })
  }

  /** A promise whose `resolve` and `reject` do nothing once this life is over. */
  promise<T>(begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.#alive) return
      begin(
        (value) => this.#alive && resolve(value),
        (error) => this.#alive && reject(error),
      )
    })
  }

  /** A promise of what `answer` returns or throws in `delayMs`. */
  later<T>(delayMs: number, answer: () => T): Promise<T> {
    return this.promise((resolve, reject) => {
      this.after(delayMs, () => {
        try {
          resolve(answer())
        } catch (error) {
          reject(error as Error)
        }
      })
    })
  }

  /** A call of Store or Network: traced, counted, and a place where the node may crash. */
  call<T>(what: string, parts: readonly TracePart[], perform: () => Promise<T>): Promise<T> {
    if (!this.#alive) return new Promise<T>(() => {})
    this.trace(what, parts)
    this.calls++
    const side = this.#crashSide()
    if (side === undefined) return perform()
    const point = `${side} ${what}`
    this.engine.crashPoints.set(point, (this.engine.crashPoints.get(point) ?? 0) + 1)
    // nobody is there any more to hear what becomes of it
    if (side === 'after') perform().catch(() => undefined)
    this.#crash()
    return new Promise<T>(() => {})
  }

  #crashSide(): CrashSide | undefined {
    if (this.#crashAt?.call === this.calls) return this.#crashAt.side
    if (!this.#random.chance(this.engine.rates.crashRate)) return undefined
    return this.#random.chance(0.5) ? 'before' : 'after'
  }
}

/** @param skewMs read at each call: how far the machine's clock is ahead */
export function createSimClock(life: Incarnation, skewMs: () => number): Clock {
  return {
    now: () => life.engine.now + skewMs(),
    after(milliseconds, run) {
      life.trace('clock.after', [milliseconds])
      return life.after(milliseconds, run)
    },
    yield() {
      life.trace('clock.yield')
      return life.later(0, () => {})
    },
  }
}

export function createSimRandom(life: Incarnation): Random {
  const random = life.engine.random.fork(`random of ${life.node} ${life.number}`)
  return {
    bytes(length) {
      life.trace('random.bytes', [length])
      return random.bytes(length)
    },
  }
}

/** Warnings and errors stand in the trace; an error is a bug and fails the run. */
export function createSimLogger(life: Incarnation): Logger {
  return {
    debug: () => {},
    info: () => {},
    warn(message) {
      life.trace('logger.warn', [message])
    },
    error(message, detail) {
      if (!life.alive) return
      life.trace('logger.error', [message])
      life.engine.fail(new Error(`${life.node} reports a bug: ${message}`, { cause: detail }))
    },
  }
}
