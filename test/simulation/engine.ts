/**
 * The heart of the simulator: virtual time and a queue of events. It runs one event, lets every promise that follows
 * from it settle (one real `setImmediate`), and takes the next one, by time and then by a seeded tie.
 * It knows nothing of nodes; `world.ts` does.
 */
import type { Timer } from '../../node/ports.ts'
import { EventQueue } from './event-queue.ts'
import { type FaultCounts, type FaultRates, NO_FAULTS, noFaultsYet } from './faults.ts'
import { guard, isGuarded, unguard } from './guard.ts'
import { SeededRandom } from './seeded-random.ts'
import { Trace } from './trace.ts'

/** 2026-01-01T00:00:00Z: where every world begins. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)
export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export interface EngineOptions {
  /** Rates that differ from `NO_FAULTS`. */
  faults?: Partial<FaultRates>
  /** Whether the trace keeps every line. @default false */
  record?: boolean
  /** Whether real time, randomness and input throw while the world runs; off only where test code waits in real time. @default true */
  guard?: boolean
}

export interface RunLimits {
  /** Runs until this holds, which must happen within `forMs` (a day when absent). */
  until?: () => boolean
  /** Virtual milliseconds; without it and without `until`, runs until nothing is left to happen. */
  forMs?: number
  /** @default 2,000,000 */
  maxEvents?: number
}

/** A run that did not end well; the text holds the seed and what happened last. */
export class SimulationError extends Error {
  constructor(world: Engine, message: string, cause?: unknown) {
    const elapsed = `${world.elapsed} ms, seed ${world.seed}`
    super(`${message} (after ${elapsed})\n${world.trace.recent()}`, cause === undefined ? undefined : { cause })
    this.name = 'SimulationError'
  }
}

// The real one, before the guard covers it.
const { setImmediate } = globalThis

export class Engine {
  readonly seed: number
  readonly random: SeededRandom
  readonly trace: Trace
  /** How often each fault struck. */
  readonly faults: FaultCounts = noFaultsYet()
  /** Crashes in calls of ports, as `before store.write`. */
  readonly crashPoints = new Map<string, number>()
  /** May be changed while the world runs. */
  readonly rates: FaultRates
  readonly #guarded: boolean
  readonly #ties: SeededRandom
  readonly #queue = new EventQueue()
  #now = EPOCH_MS
  #running: Promise<void> | undefined
  #failure: Error | undefined

  constructor(seed: number, options: EngineOptions = {}) {
    this.seed = seed
    this.random = new SeededRandom(`world ${seed}`)
    this.#ties = this.random.fork('ties')
    this.trace = new Trace(options.record)
    this.rates = { ...NO_FAULTS, ...options.faults }
    this.#guarded = options.guard ?? true
  }

  /** Virtual milliseconds since 1970. */
  get now(): number {
    return this.#now
  }

  /** Virtual milliseconds since the world began. */
  get elapsed(): number {
    return this.#now - EPOCH_MS
  }

  /** Events that are still to happen, those cancelled lately included. */
  get pending(): number {
    return this.#queue.size
  }

  /** Lets `run` happen as an event of its own in `delayMs` (rounded up, at least 0). An error it throws fails the run. */
  schedule(delayMs: number, run: () => void): Timer {
    const wait = Number.isNaN(delayMs) ? 0 : Math.max(0, Math.ceil(delayMs))
    return this.#queue.push(this.#now + wait, this.#ties.fraction(), run)
  }

  /** A seeded delay of one message. */
  delay(): number {
    return this.random.int(...this.rates.delayMs)
  }

  /** Makes the present run end with this error; the first one counts. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error('something failed that is no error', { cause: error })
  }

  /**
   * Lets events happen up to the limits. Time stands at the last event, or at the end of `forMs`.
   * @throws SimulationError when `until` did not come true, something failed or too much happened
   */
  async run(limits: RunLimits = {}): Promise<void> {
    if (this.#running !== undefined) throw new SimulationError(this, 'the world is running already')
    this.#running = this.#guardedLoop(limits)
    await this.#running
  }

  /** As `run({ until })`, and may be waited for several times at once: whoever is first drives the world for the others. */
  async reach(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#running === undefined) await this.run({ until: condition })
      else await this.#running.catch(() => {}) // told to the one that drives
    }
  }

  /** Lets virtual time pass; as with `reach`, several may wait at once. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    this.schedule(milliseconds, () => {})
    await this.reach(() => this.#now >= end)
  }

  /** Does `action` as an event and runs the world until its promise has settled. */
  async do<R>(action: () => R | Promise<R>): Promise<R> {
    const settling = this.begin(action)
    await this.reach(() => settling.done)
    return settling.result()
  }

  /** Schedules `action` as an event and remembers what becomes of its promise. */
  begin<R>(action: () => R | Promise<R>): Settling<R> {
    const settling = new Settling<R>()
    this.schedule(0, () => settling.follow(action))
    return settling
  }

  /** Runs events in the background, in real time's spare moments, until the returned function is called. */
  pump(): () => void {
    let pumping = true
    const step = (): void => {
      if (!pumping) return
      const event = this.#queue.pop()
      if (event !== undefined) this.#happen(event.at, event.run)
      if (this.#failure !== undefined) throw this.#failure
      setImmediate(step)
    }
    setImmediate(step)
    return () => {
      pumping = false
    }
  }

  async #guardedLoop(limits: RunLimits): Promise<void> {
    if (this.#guarded) guard(this)
    try {
      await this.#loop(limits)
    } finally {
      this.#running = undefined
      unguard(this)
    }
  }

  async #loop({ until, forMs, maxEvents = 2_000_000 }: RunLimits): Promise<void> {
    const end = this.#now + (forMs ?? (until === undefined ? Infinity : DAY))
    for (let events = 0; ; events++) {
      await microtasks()
      this.#check(events, maxEvents)
      if (until?.() === true) return
      const event = this.#queue.peek()
      if (event === undefined || event.at > end) break
      this.#queue.pop()
      this.#happen(event.at, event.run)
    }
    if (end !== Infinity) this.#now = end
    if (until !== undefined) throw new SimulationError(this, 'what was waited for did not happen')
  }

  #happen(at: number, run: () => void): void {
    this.#now = Math.max(at, this.#now)
    try {
      run()
    } catch (error) {
      this.fail(error)
    }
  }

  #check(events: number, maxEvents: number): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw new SimulationError(this, `${failure.name}: ${failure.message}`, failure)
    }
    if (events >= maxEvents) throw new SimulationError(this, `expected at most ${maxEvents} events`)
    if (this.#guarded && !isGuarded(this)) throw new SimulationError(this, 'another world began to run')
  }
}

/** What becomes of a promise that a world drives. */
export class Settling<R> {
  #outcome: { value: R } | { error: unknown } | undefined

  get done(): boolean {
    return this.#outcome !== undefined
  }

  follow(action: () => R | Promise<R>): void {
    void this.#watch(action)
  }

  async #watch(action: () => R | Promise<R>): Promise<void> {
    try {
      this.#outcome = { value: await action() }
    } catch (error) {
      this.#outcome = { error }
    }
  }

  /** The value. @throws what the promise rejected with, or an Error while it has not settled */
  result(): R {
    if (this.#outcome === undefined) throw new Error('has not settled')
    if ('error' in this.#outcome) throw this.#outcome.error
    return this.#outcome.value
  }
}

/** Every microtask and `process.nextTick` that follows runs before a macrotask does. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
