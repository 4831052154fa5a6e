/**
 * One connection of the API over any duplex stream: JSON-RPC 2.0, one text a line. Requests start in the order in which
 * they came and are answered when done; an answer or an event is always a whole line. Reading stops while too much is
 * worked on or the other side does not read: what a connection can hold is bounded.
 */
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../errors.ts'
import { MAX_API_PENDING, MAX_API_REQUEST_BYTES, MAX_API_SUBSCRIPTIONS } from '../limits.ts'
import { EVERYTHING } from './caller.ts'
import type { Dispatcher } from './dispatcher.ts'
import { wantsKinds } from './event-page.ts'
import { LineSplitter } from './line-splitter.ts'
import { RPC_ERROR, toRpcError } from './rpc-error.ts'
import { Subscription } from './subscription.ts'
import { renderEvent } from './views.ts'

export interface ConnectionInit {
  stream: Duplex
  dispatcher: Dispatcher
}

/** Without a request for this long a caller has nothing on its mind. */
const QUIET_MS = 300

/** Serves requests until the stream ends. */
export class ApiConnection {
  readonly #init: ConnectionInit
  readonly #stream: Duplex
  readonly #splitter = new LineSplitter(MAX_API_REQUEST_BYTES)
  readonly #subscriptions = new Map<number, Subscription>()
  #nextSubscription = 1
  #lines: string[] = []
  #pending = 0
  #inputEnded = false
  #closed = false
  #lastWork = performance.now()
  #whenIdle: (() => void)[] = []

  constructor(init: ConnectionInit) {
    this.#init = init
    this.#stream = init.stream
    this.#stream.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#stream.on('drain', () => this.#work())
    this.#stream.on('end', () => {
      this.#inputEnded = true
      this.#endWhenDone()
    })
    // A reset by the other side is an end like any other.
    this.#stream.on('error', () => this.#close())
    this.#stream.on('close', () => this.#close())
  }

  /**
   * Resolves when no request is worked on and none came for a moment: a caller may be between two. Subscriptions do not
   * count.
   */
  async idle(): Promise<void> {
    while (!this.#closed) {
      const changed = new Promise<void>((resolve) => this.#whenIdle.push(resolve))
      if (this.#pending > 0 || this.#lines.length > 0) {
        await changed
      } else {
        const rest = this.#lastWork + QUIET_MS - performance.now()
        if (rest <= 0) return
        await Promise.race([changed, sleep(rest, undefined, { ref: false })])
      }
    }
  }

  /** Ends the connection after what was written has left. */
  end(): void {
    this.#stream.end(() => this.#stream.destroy())
    this.#close()
  }

  #read(chunk: Buffer): void {
    try {
      this.#lines.push(...this.#splitter.push(chunk))
    } catch (error) {
      this.#write({ jsonrpc: '2.0', id: null, error: { ...toRpcError(error), code: RPC_ERROR.invalidRequest } })
      this.end()
      return
    }
    this.#work()
  }

  #work(): void {
    while (!this.#closed && this.#pending < MAX_API_PENDING && !this.#stream.writableNeedDrain) {
      const line = this.#lines.shift()
      if (line === undefined) break
      this.#pending += 1
      void this.#serve(line)
    }
    if (this.#lines.length > 0) this.#stream.pause()
    else if (!this.#closed) this.#stream.resume()
    if (this.#pending === 0 && this.#lines.length === 0) this.#tellIdle()
  }

  async #serve(line: string): Promise<void> {
    const unstarted: Subscription[] = []
    const answer = await this.#init.dispatcher.answer(line, {
      // Only this user reaches the socket.
      caller: EVERYTHING,
      subscribe: (since, kinds) => this.#subscribe(since, kinds, unstarted),
      unsubscribe: (subscription) => {
        this.#subscriptions.get(subscription)?.end()
        return this.#subscriptions.delete(subscription)
      },
    })
    this.#pending -= 1
    this.#lastWork = performance.now()
    if (answer !== undefined) this.#write(answer)
    // Events of a new subscription come after the answer that names it.
    for (const subscription of unstarted) subscription.start()
    this.#work()
    this.#endWhenDone()
  }

  #subscribe(since: number, kinds: readonly string[] | undefined, unstarted: Subscription[]): number {
    if (this.#subscriptions.size >= MAX_API_SUBSCRIPTIONS) {
      throw new UsageError('TOO_MANY', `a connection has at most ${MAX_API_SUBSCRIPTIONS} subscriptions`)
    }
    const number = this.#nextSubscription++
    const notify = (method: string, params: Record<string, unknown>): Promise<void> => {
      this.#write({ jsonrpc: '2.0', method, params: { subscription: number, ...params } })
      return this.#drained()
    }
    const subscription = new Subscription({
      service: this.#init.dispatcher.service,
      since,
      wants: wantsKinds(kinds),
      tell: (row) => notify('event', renderEvent(row)),
      lagged: (from, to) => notify('events.lagged', { from, to }),
      onFailure: (error) => {
        this.#init.dispatcher.onBug(error)
        this.end()
      },
    })
    this.#subscriptions.set(number, subscription)
    unstarted.push(subscription)
    return number
  }

  #write(message: object): void {
    if (!this.#closed && this.#stream.writable) this.#stream.write(`${JSON.stringify(message)}\n`)
  }

  #drained(): Promise<void> {
    if (this.#closed || !this.#stream.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done)
        this.#stream.off('close', done)
        resolve()
      }
      this.#stream.on('drain', done)
      this.#stream.on('close', done)
    })
  }

  #endWhenDone(): void {
    // A script may send its requests, close its half and read the answers.
    const waiting = this.#pending > 0 || this.#lines.length > 0 || this.#subscriptions.size > 0
    if (this.#inputEnded && !waiting && !this.#closed) this.end()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#lines = []
    for (const subscription of this.#subscriptions.values()) subscription.end()
    this.#subscriptions.clear()
    this.#tellIdle()
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
