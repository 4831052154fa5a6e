/**
 * Reading the event log for somebody: where they begin, which events they want, and what the log has dropped of what they
 * missed. Rows follow one another without gaps as they are written, so a gap is what was dropped.
 */
import { MAX_EVENT_PAGE_UNITS } from '../limits.ts'
import type { NodeEvent, NodeService } from './service.ts'

/** Rows that are looked through at once. */
const LOG_PAGE = 500

export interface EventPage {
  events: NodeEvent[]
  /** After which the next page begins. */
  cursor: number
  /** Events that are gone from the log, in front of these. */
  lagged?: { from: number; to: number }
}

/** Whether somebody is told of an event. */
export type Wants = (event: NodeEvent) => boolean

/** @param kinds undefined for all */
export function wantsKinds(kinds: readonly string[] | undefined): Wants {
  if (kinds === undefined) return () => true
  const wanted = new Set(kinds)
  return ({ event }) => wanted.has(event)
}

/**
 * The cursor after which somebody reads: what they say, else where their consumer is, else the end.
 * A consumer that is new is made.
 * @throws UsageError `TOO_MANY`
 */
export async function beginOf(
  service: Pick<NodeService, 'openConsumer' | 'lastCursor'>,
  { since, consumer }: { since?: number; consumer?: string },
): Promise<number> {
  const cursor = consumer === undefined ? service.lastCursor() : await service.openConsumer(consumer, since)
  return since ?? cursor
}

/** At most `limit` events, ending in front of a gap behind the first. */
export async function readEventPage(
  service: Pick<NodeService, 'eventsSince'>,
  { since, limit, wants }: { since: number; limit: number; wants: Wants },
): Promise<EventPage> {
  const events: NodeEvent[] = []
  let lagged: EventPage['lagged']
  let cursor = since
  let units = 0
  for (;;) {
    const rows = await service.eventsSince(cursor, LOG_PAGE)
    for (const row of rows) {
      if (row.cursor > cursor + 1) {
        if (events.length > 0 || lagged) return { events, cursor, ...(lagged && { lagged }) }
        lagged = { from: cursor + 1, to: row.cursor - 1 }
      }
      cursor = row.cursor
      if (!wants(row)) continue
      events.push(row)
      units += String(row.detail.text ?? '').length
      if (events.length >= limit || units >= MAX_EVENT_PAGE_UNITS) return { events, cursor, ...(lagged && { lagged }) }
    }
    if (rows.length < LOG_PAGE) return { events, cursor, ...(lagged && { lagged }) }
  }
}
