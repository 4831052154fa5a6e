/**
 * Events as server-sent events: the identifier of each is its cursor, so that a browser or a program goes on after the last
 * one that it saw. A reader that is slow is waited for; what it misses meanwhile is read from the log.
 */
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { UsageError } from '../../errors.ts'
import { MAX_HTTP_STREAMS, MAX_HTTP_STREAMS_PER_CALLER } from '../../limits.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { isEventOf } from '../limited-service.ts'
import type { KnownToken, NodeEvent } from '../service.ts'
import { Subscription } from '../subscription.ts'
import { renderEvent } from '../views.ts'

/** A comment goes out this often, so that each side notices when the other is gone. */
const HEARTBEAT_MS = 15_000
/** What a browser waits before it connects again. */
const RETRY_MS = 1000

export interface StreamRequest {
  /** Cursor after which events are wanted. */
  since: number
  /** Names of events; without it all. */
  kinds?: ReadonlySet<string>
}

interface OpenStream {
  tokenId: string
  /** The answer ends as it should. */
  end(): void
  /** The connection is cut. */
  cut(): void
}

export class EventStreams {
  readonly #dispatcher: Dispatcher
  readonly #open = new Set<OpenStream>()
  readonly #unlisten: () => void

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
    this.#unlisten = dispatcher.service.onTokenEnd((tokenId) => {
      for (const stream of this.#open) if (stream.tokenId === tokenId) stream.cut()
    })
  }

  /** @throws UsageError `TOO_MANY` */
  answer(c: Context<{ Bindings: HttpBindings }>, caller: KnownToken, request: StreamRequest): Response {
    const own = [...this.#open].filter(({ tokenId }) => tokenId === caller.tokenId)
    if (this.#open.size >= MAX_HTTP_STREAMS || own.length >= MAX_HTTP_STREAMS_PER_CALLER) {
      throw new UsageError('TOO_MANY', `a caller has at most ${MAX_HTTP_STREAMS_PER_CALLER} streams of events`)
    }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const stream: OpenStream = { tokenId: caller.tokenId, end, cut: () => c.env.outgoing.destroy() }
    this.#open.add(stream)
    c.env.outgoing.once('close', end)
    return streamSSE(c, async (sse) => {
      // Nothing is written on top of what the reader has not taken.
      let isWriting = false
      const write = async (text: string): Promise<void> => {
        isWriting = true
        await sse.write(text)
        isWriting = false
      }
      const subscription = new Subscription({
        service: this.#dispatcher.service,
        since: request.since,
        wants: (event) => isWanted(event, caller, request),
        tell: (row) => write(`id: ${row.cursor}\ndata: ${JSON.stringify(renderEvent(row))}\n\n`),
        lagged: (from, to) => write(`event: lagged\ndata: ${JSON.stringify({ from, to })}\n\n`),
        onFailure: (error) => {
          this.#dispatcher.onBug(error)
          end()
        },
      })
      const heartbeat = setInterval(() => {
        if (!isWriting) void write(':\n\n')
      }, HEARTBEAT_MS)
      try {
        await write(`retry: ${RETRY_MS}\nid: ${request.since}\n\n`)
        subscription.start()
        await ended
      } finally {
        clearInterval(heartbeat)
        subscription.end()
        this.#open.delete(stream)
      }
    })
  }

  /** Ends every stream. */
  close(): void {
    this.#unlisten()
    for (const stream of this.#open) stream.end()
  }
}

function isWanted(event: NodeEvent, { conversation }: KnownToken, { kinds }: StreamRequest): boolean {
  return (
    (kinds === undefined || kinds.has(event.event)) && (conversation === undefined || isEventOf(conversation, event))
  )
}
