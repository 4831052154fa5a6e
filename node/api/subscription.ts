/**
 * Tells one subscriber every event after a cursor, in order, each once. Live events wait in a bounded queue; when the
 * subscriber is slower than that, the queue is dropped and the events are read from the log again, so that nothing is
 * lost and nothing grows. What the log itself has dropped is told as `events.lagged`, wherever it is noticed.
 */
import { MAX_API_QUEUE } from '../limits.ts'
import type { Wants } from './event-page.ts'
import type { NodeEvent, NodeService } from './service.ts'

/** Rows read from the log at once. */
const LOG_PAGE = 100

export interface SubscriptionInit {
  service: Pick<NodeService, 'eventsSince' | 'onEvent'>
  /** Cursor after which events are wanted. */
  since: number
  /** @default every event */
  wants?: Wants
  /** Resolves when the subscriber can take more. */
  tell(event: NodeEvent): Promise<void>
  /** Events `from` to `to` are gone from the log. */
  lagged(from: number, to: number): Promise<void>
  /** The log could not be read; the subscription has ended. */
  onFailure(error: unknown): void
}

/** A running subscription; `start` begins to tell. */
export class Subscription {
  readonly #init: SubscriptionInit
  readonly #unlisten: () => void
  #cursor: number
  #queue: NodeEvent[] = []
  /** The log holds events that the queue does not. */
  #behind = true
  #ended = false
  #wake: () => void = () => undefined

  constructor(init: SubscriptionInit) {
    this.#init = init
    this.#cursor = init.since
    this.#unlisten = init.service.onEvent((event) => this.#take(event))
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      this.end()
      this.#init.onFailure(error)
    })
  }

  end(): void {
    this.#ended = true
    this.#queue = []
    this.#unlisten()
    this.#wake()
  }

  #take(event: NodeEvent): void {
    if (this.#behind) return
    if (this.#queue.length >= MAX_API_QUEUE) {
      this.#behind = true
      this.#queue = []
    } else {
      this.#queue.push(event)
    }
    this.#wake()
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      if (this.#behind) await this.#readLog()
      const next = this.#queue.shift()
      if (next !== undefined) await this.#tell(next)
      else if (!this.#behind) await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async #readLog(): Promise<void> {
    // From here on the queue takes what is written while the log is read; doubles are left out by cursor.
    this.#behind = false
    for (;;) {
      const page = await this.#init.service.eventsSince(this.#cursor, LOG_PAGE)
      if (page.length === 0) return
      for (const event of page) {
        if (this.#ended) return
        await this.#tell(event)
      }
    }
  }

  async #tell(event: NodeEvent): Promise<void> {
    const { wants } = this.#init
    const expected = this.#cursor + 1
    if (event.cursor < expected) return
    this.#cursor = event.cursor
    if (event.cursor > expected) await this.#init.lagged(expected, event.cursor - 1)
    if (!this.#ended && (wants === undefined || wants(event))) await this.#init.tell(event)
  }
}
