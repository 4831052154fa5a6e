/**
 * How a swarm lives through its schedule: writes what is to be written, strikes and heals what is to fail, waits until all has
 * arrived, and reads the histories.
 */
import { KithError } from '../../node/errors.ts'
import type { EventMemory } from './event-memory.ts'
import type { FaultProxy } from './fault-proxy.ts'
import type { Recording, SentMessage, Strike } from './metrics.ts'
import type { Fault, Name, Schedule } from './schedule.ts'
import type { SwarmProcess } from './swarm-process.ts'
import type { Waiting } from './waiting.ts'

const PAGE = 200
/** Until a message that was not taken is offered again. */
const HELD_MS = 200

export interface SwarmRunInit {
  schedule: Schedule
  /** How long may be waited, after the schedule, for what has not arrived, in milliseconds. */
  settle: number
  process: (name: Name) => SwarmProcess
  /** Ends a process, and starts it again. */
  stop: (name: Name, signal: 'SIGTERM' | 'SIGKILL') => Promise<void>
  start: (name: Name) => Promise<void>
  proxy: FaultProxy
  memory: EventMemory
  waiting: Waiting
}

/** What a run records itself. */
type RunRecording = Omit<Recording, 'usage' | 'seconds' | 'links'>

export class SwarmRun {
  readonly #init: SwarmRunInit
  /** Milliseconds of the epoch. */
  readonly began = Date.now()
  readonly #messages: SentMessage[]
  readonly #strikes: Strike[] = []
  readonly #accepted = new Set<string>()
  readonly #gone = new Set<Name>()
  /** Messages that had to wait, because so many waited for the friend. */
  readonly #held = new Set<SentMessage>()
  #phase: 'run' | 'settle' | 'done' = 'run'
  #settleSeconds = 0

  /** Time begins. */
  constructor(init: SwarmRunInit) {
    this.#init = init
    // in the order of their plan, whatever becomes of each
    this.#messages = init.schedule.messages.map(({ at, ...rest }) => ({ ...rest, plannedAt: at, outcome: 'unsent' }))
  }

  get phase(): 'run' | 'settle' | 'done' {
    return this.#phase
  }

  /** Messages that a node took. */
  get accepted(): number {
    return this.#accepted.size
  }

  /** Faults that hold now. */
  get active(): Fault[] {
    return this.#strikes.filter(({ ended }) => ended === undefined).map(({ fault }) => fault)
  }

  get settleSeconds(): number {
    return this.#settleSeconds
  }

  /** Milliseconds since the schedule began. */
  now(): number {
    return Date.now() - this.began
  }

  /**
   * Lives through the schedule, and waits until all has arrived or the time for it is over.
   * @throws KithError `NODE_DIED` when a process ends that nobody ended, `INTERRUPTED`
   */
  async live(): Promise<void> {
    // a conversation that has to wait holds up no other one
    const conversations = Map.groupBy(this.#messages, ({ from, to }) => `${from} ${to}`)
    const writers = [...conversations.values()].map((conversation) => this.#write(conversation))
    const faults = this.#init.schedule.faults.map((fault) => this.#strike(fault))
    await this.#init.waiting.unlessFailed(Promise.all([...writers, ...faults]))
    await this.#settle()
  }

  async #write(messages: readonly SentMessage[]): Promise<void> {
    for (const message of messages) {
      await this.#sleepUntil(message.plannedAt)
      const author = this.#init.process(message.from)
      do {
        // what should be written while its author is away is written when the author is back
        const isUp = await this.#init.waiting.until(() =>
          author.isUp ? true : this.#gone.has(message.from) ? false : undefined,
        )
        if (isUp !== true) return
      } while (!(await this.#send(author, message)))
    }
  }

  /** @returns whether that was that; false when so much waits for the friend that nothing more is taken now */
  async #send(author: SwarmProcess, message: SentMessage): Promise<boolean> {
    message.sentAt = this.now()
    try {
      const { messageId } = await author.call('message.send', { who: message.to, text: message.text })
      message.outcome = 'accepted'
      message.messageId = messageId
      this.#accepted.add(messageId)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      if (error.code === 'TOO_MANY' && !this.#gone.has(message.to)) {
        this.#held.add(message)
        await this.#init.waiting.until(() => undefined, HELD_MS)
        return false
      }
      message.outcome = error.code === 'NODE_GONE' ? 'unanswered' : 'refused'
      message.code = error.code
    }
    return true
  }

  async #strike(fault: Fault): Promise<void> {
    await this.#sleepUntil(fault.at)
    const strike: Strike = { fault, began: this.now() }
    this.#strikes.push(strike)
    if (fault.groups !== undefined || fault.rate !== undefined) this.#init.proxy.strike(fault, fault)
    if (fault.who !== undefined) {
      if (fault.until === undefined) this.#gone.add(fault.who)
      await this.#init.stop(fault.who, fault.signal!)
    }
    if (fault.until === undefined) return
    await this.#sleepUntil(fault.until)
    strike.ended = this.now()
    this.#init.proxy.heal(fault)
    if (fault.who !== undefined) await this.#init.start(fault.who)
  }

  /** Faults are over: waits until everything that can arrive has arrived and its author knows it. */
  async #settle(): Promise<void> {
    this.#phase = 'settle'
    const begun = this.now()
    const expected = this.#messages.filter(
      ({ outcome, from, to }) => outcome === 'accepted' && !this.#gone.has(from) && !this.#gone.has(to),
    )
    const { arrived, acknowledged } = this.#init.memory
    let done = 0
    // each is looked at until it is done, and not again: this is asked at every event
    const isDone = (): true | undefined => {
      while (done < expected.length && arrived.has(expected[done]!.messageId!)) {
        if (!acknowledged.has(expected[done]!.messageId!)) return undefined
        done += 1
      }
      return done === expected.length || undefined
    }
    await this.#init.waiting.until(isDone, this.#init.settle)
    this.#settleSeconds = (this.now() - begun) / 1000
    this.#phase = 'done'
  }

  /** What was recorded of the run; the histories are read now. */
  async record(): Promise<RunRecording> {
    const histories: Recording['histories'] = {}
    const alive = this.#init.schedule.nodes.filter((name) => !this.#gone.has(name))
    const read = async (name: Name): Promise<void> => {
      await this.#init.process(name).catchUp()
      const mine: Record<Name, string[]> = {}
      for (const friend of this.#init.memory.friends.get(name)!) mine[friend] = await this.#history(name, friend)
      histories[name] = mine
    }
    await Promise.all(alive.map(read))
    return {
      messages: this.#messages,
      logs: Object.fromEntries(this.#init.memory.logs),
      histories,
      strikes: this.#strikes,
      relaysOf: this.#init.schedule.relaysOf,
      held: this.#held.size,
    }
  }

  async #history(name: Name, friend: Name): Promise<string[]> {
    const ids: string[] = []
    for (;;) {
      const before = ids[0] === undefined ? {} : { before: ids[0] }
      const { messages, more } = await this.#init
        .process(name)
        .call('history.list', { who: friend, limit: PAGE, ...before })
      ids.unshift(...messages.map(({ messageId }) => messageId))
      if (!more || messages.length === 0) return ids
    }
  }

  async #sleepUntil(at: number): Promise<void> {
    const rest = at - this.now()
    if (rest > 0) await this.#init.waiting.until(() => undefined, rest)
  }
}
