/**
 * A running node over two kept connections of its API, one for calls and one for events, with the time at which each thing
 * was told here. Times of several nodes are taken by one clock, this process's.
 */
import { join } from 'node:path'
import { type ApiClient, connectToNode } from '../../node/api/client.ts'
import type { EventView } from '../../node/api/views.ts'
import type { KithNodes, KithProcess } from '../support/kith-process.ts'

export interface Arrival {
  at: number
  via: string
}

export class WatchedNode {
  readonly process: KithProcess
  readonly api: ApiClient
  /** Messages of friends, by ID. */
  readonly messages = new Map<string, Arrival>()
  /** Own messages that the friend acknowledged, by ID. */
  readonly delivered = new Map<string, number>()
  readonly #events: ApiClient
  readonly #waiting = new Set<() => void>()
  /** Asked with each event as it comes. */
  onEvent: (event: EventView, at: number) => void = () => undefined

  private constructor(process: KithProcess, api: ApiClient, events: ApiClient) {
    this.process = process
    this.api = api
    this.#events = events
  }

  static async connect(nodes: KithNodes, process: KithProcess): Promise<WatchedNode> {
    const env = { XDG_RUNTIME_DIR: join(nodes.directory, 'run') }
    const [api, events] = await Promise.all([connectToNode(process.home, env), connectToNode(process.home, env)])
    if (!api || !events) throw new Error(`no node runs on ${process.home}`)
    const watched = new WatchedNode(process, api, events)
    const sequence = events.events(undefined)
    // a call behind the subscription on the same connection: from its answer on nothing is missed
    const first = sequence.next()
    await events.call('rpc.hello', {})
    watched.#follow(first, sequence).catch(() => undefined) // the connection was closed: the group is over
    return watched
  }

  /** Waits until `condition` holds; it is asked again after each event. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  /** Sends a text; its ID, when the call began, and when it was answered. */
  async send(who: string, text: string): Promise<{ messageId: string; at: number; queuedAt: number }> {
    const at = performance.now()
    const { messageId } = await this.api.call('message.send', { who, text })
    return { messageId, at, queuedAt: performance.now() }
  }

  close(): void {
    this.api.close()
    this.#events.close()
  }

  async #follow(first: Promise<IteratorResult<unknown>>, sequence: AsyncIterator<unknown>): Promise<void> {
    for (let next = await first; next.done !== true; next = await sequence.next()) {
      const told = next.value as EventView | { lagged: unknown }
      if ('lagged' in told) throw new Error(`events of ${this.process.name} are missing`)
      this.#note(told, performance.now())
    }
  }

  #note(told: EventView, at: number): void {
    const { event, detail } = told
    const id = String(detail.messageId)
    if (event === 'message' && detail.direction === 'in') this.messages.set(id, { at, via: String(detail.via) })
    if (event === 'state' && detail.state === 'delivered') this.delivered.set(id, at)
    this.onEvent(told, at)
    for (const look of this.#waiting) look()
  }
}
