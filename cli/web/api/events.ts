/**
 * The node's events, for as long as the page is open: `GET /events` read as a stream. When the node goes the reader
 * says so, tries again until it is back, and goes on behind the last event that it saw.
 */
import { fetchOrGone, noSession, PageError, pageHeaders } from './client.ts'
import { SseParser } from './sse-parser.ts'
import type { EventView } from './table.ts'

export interface EventFollower {
  /** The stream stands; `isFirst` tells the first time from a return. */
  onOpen(isFirst: boolean): void
  onEvent(event: EventView): void
  /** Events are gone from the log: what is shown may be old. */
  onLagged(): void
  onGone(): void
  /** The session is over: nothing comes any more. */
  onRefused(): void
}

const FIRST_PAUSE_MS = 400
const LONGEST_PAUSE_MS = 3000

/** Follows until `signal` is aborted or the session is over. */
export async function followEvents(follower: EventFollower, signal: AbortSignal): Promise<void> {
  let cursor = ''
  let isFirst = true
  let pause = FIRST_PAUSE_MS
  while (!signal.aborted) {
    try {
      await readOnce(cursor, signal, {
        opened: () => {
          follower.onOpen(isFirst)
          isFirst = false
          pause = FIRST_PAUSE_MS
        },
        told: (id, event, data) => {
          if (id !== '') cursor = id
          if (event === 'lagged') follower.onLagged()
          else if (event === 'message') follower.onEvent(JSON.parse(data) as EventView)
        },
      })
    } catch (error) {
      if (error instanceof PageError && error.code === 'NO_SESSION') return follower.onRefused()
    }
    if (signal.aborted) return
    follower.onGone()
    await sleep(pause, signal)
    pause = Math.min(pause * 1.6, LONGEST_PAUSE_MS)
  }
}

interface Reading {
  opened(): void
  told(id: string, event: string, data: string): void
}

async function readOnce(cursor: string, signal: AbortSignal, reading: Reading): Promise<void> {
  const headers: Record<string, string> = { ...pageHeaders(), accept: 'text/event-stream' }
  if (cursor !== '') headers['last-event-id'] = cursor
  const response = await fetchOrGone('/events', { headers, signal })
  if (response.status === 401 || response.status === 403) throw noSession()
  if (!response.ok || response.body === null) throw new PageError('NODE_GONE', `the node answered ${response.status}`)
  reading.opened()
  const parser = new SseParser()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    for (const { id, event, data } of parser.push(value)) reading.told(id, event, data)
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}
