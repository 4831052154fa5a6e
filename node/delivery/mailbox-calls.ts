/**
 * Calls to a mailbox server on one link (PROTOCOL 6): one frame and its answer, and commands under the challenge and the price
 * that HELLO brought, which is said again when they are old.
 */
import * as limits from '../limits.ts'
import type { Clock, Link, Logger } from '../ports.ts'
import * as wire from '../wire/commands.ts'
import { decode, encode } from '../wire/schema.ts'
import { nonsense, readBody, readPolicy } from './mailbox-answers.ts'

export interface MailboxCallsInit {
  link: Link
  clock: Clock
  logger: Logger
  /** How long an answer may take, for every verb but PULL. @default 10 seconds */
  timeoutMs?: number
}

/** What a server said of itself, its signature checked. */
export interface ServerHello {
  policy: wire.Policy
  /** 16 bytes. */
  storeId: Uint8Array
  /** The server's clock, seconds. */
  time: number
}

/** A HELLO that was answered. */
export interface Greeting extends ServerHello {
  challenge: Uint8Array
  /** Own clock at HELLO, milliseconds. */
  at: number
}

const ANSWER_TIMEOUT_MS = 10_000
const NOTHING = new Uint8Array(0)

export class MailboxCalls {
  readonly #link: Link
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  #last: Greeting | undefined
  #greeting: Promise<Greeting> | undefined

  constructor({ link, clock, logger, timeoutMs = ANSWER_TIMEOUT_MS }: MailboxCallsInit) {
    this.#link = link
    this.#clock = clock
    this.#logger = logger
    this.#timeoutMs = timeoutMs
  }

  /** One frame and its answer; PULL waits as long as it takes. */
  async call(verb: wire.Verb, args: Uint8Array): Promise<wire.Answer> {
    const frame = encode(wire.request, { verb, args })
    const timeoutMs = verb === wire.VERB.pull ? undefined : this.#timeoutMs
    return decode(wire.answer, await this.#link.call(frame, timeoutMs), limits.MAX_FRAME_BYTES)
  }

  /** Calls with what `build` makes of the current challenge and price, once more when the server has newer ones. */
  async withChallenge(
    verb: wire.Verb,
    build: (greeting: Greeting) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
  ): Promise<wire.Answer> {
    let greeting = await this.#fresh()
    for (let attempt = 0; ; attempt++) {
      const args = await build(greeting)
      if (args === undefined) return { status: wire.STATUS.price, body: NOTHING }
      const answer = await this.call(verb, args)
      const stale = answer.status === wire.STATUS.challenge || answer.status === wire.STATUS.price
      if (!stale || attempt > 0) return answer
      this.#logger.debug('mailbox client: challenge or price is old', { verb })
      // Pipelined commands fail together: one HELLO serves them all.
      greeting = this.#last === greeting ? await this.greet() : await this.#fresh()
    }
  }

  async #fresh(): Promise<Greeting> {
    const greeting = this.#last
    if (greeting && this.#clock.now() - greeting.at < limits.CHALLENGE_RENEW_SECONDS * 1000) return greeting
    return this.greet()
  }

  /** Says HELLO; whoever asks while that is under way gets the same answer. */
  greet(): Promise<Greeting> {
    this.#greeting ??= this.#sayHello().finally(() => {
      this.#greeting = undefined
    })
    return this.#greeting
  }

  async #sayHello(): Promise<Greeting> {
    const at = this.#clock.now()
    const answer = await this.call(wire.VERB.hello, encode(wire.helloArgs, { version: limits.PROTOCOL_VERSION }))
    if (answer.status !== wire.STATUS.ok) nonsense(`hello was answered with status ${answer.status}`)
    const said = readBody(wire.helloAnswer, answer)
    const policy = readPolicy(this.#link.peerId, said)
    this.#last = { policy, storeId: said.storeId, time: said.time, challenge: said.challenge, at }
    return this.#last
  }
}
