/**
 * The messages of one conversation in memory: pages from the store at either end, what arrives, and how far each came.
 * At most `MAX_LOADED` are kept; what is cut off at one end is read from the store again when somebody goes there.
 */
import type { HistoryPage } from './actions.ts'
import { type ChatMessage, noTimeline, type Timeline } from './state.ts'

/** Messages of one conversation in memory. Fewer make long scrolling read more often, more cost memory only. */
export const MAX_LOADED = 2000
/** Conversations whose messages stay in memory. */
export const MAX_TIMELINES = 12

/** A page of the store: at the newest end, beside what is there, or in its place. */
export function withPage(timeline: Timeline, { messages, where, older, newer }: HistoryPage): Timeline {
  const base = { ...timeline, loading: false }
  if (where === 'around') return { ...base, messages, older, newer }
  if (where === 'newest') return { ...base, ...newest(timeline, messages, older), below: 0 }
  const known = new Set(timeline.messages.map(({ messageId }) => messageId))
  const fresh = messages.filter(({ messageId }) => !known.has(messageId))
  if (where === 'older') {
    const all = [...fresh, ...timeline.messages]
    const kept = all.slice(0, MAX_LOADED)
    return { ...base, messages: kept, older, newer: timeline.newer || kept.length < all.length }
  }
  const all = [...timeline.messages, ...fresh]
  const kept = all.slice(-MAX_LOADED)
  return { ...base, messages: kept, newer, older: timeline.older || kept.length < all.length }
}

/** The newest page replaces what it covers; older ones stay when they reach up to it, and so does what is being sent. */
function newest(
  timeline: Timeline,
  messages: readonly ChatMessage[],
  older: boolean,
): Pick<Timeline, 'messages' | 'older' | 'newer'> {
  const local = timeline.messages.filter(isLocal)
  const first = messages[0]?.messageId
  const joins = timeline.messages.findIndex(({ messageId }) => messageId === first)
  const before = joins > 0 ? timeline.messages.slice(0, joins) : []
  return {
    messages: [...before.filter((message) => !isLocal(message)), ...messages, ...local].slice(-MAX_LOADED),
    older: before.length > 0 ? timeline.older : older,
    newer: false,
  }
}

/** Whether the node does not know it yet. */
export function isLocal({ state }: ChatMessage): boolean {
  return state === 'sending' || state === 'unsent'
}

/**
 * A message that was just written or received. What is being sent stays below it.
 * @returns undefined when it does not belong at the end, so that the page has to be read again
 */
export function withArrived(
  timeline: Timeline,
  message: ChatMessage,
  place: { after?: string; seen: boolean },
): Timeline | undefined {
  const { messages } = timeline
  if (messages.some(({ messageId }) => messageId === message.messageId)) {
    return withChanged(timeline, message.messageId, (known) => ({ ...known, sentAt: message.sentAt }))
  }
  const below = place.seen || message.direction === 'out' ? timeline.below : timeline.below + 1
  // It will be there when the newest page is read.
  if (timeline.newer) return { ...timeline, below }
  const last = messages.findLast((each) => !isLocal(each))
  if (place.after !== undefined && place.after !== last?.messageId) return undefined
  const unreadFrom = timeline.unreadFrom ?? (place.seen || message.direction === 'out' ? undefined : message.messageId)
  const local = messages.filter(isLocal)
  const settled = local.length === 0 ? messages : messages.filter((each) => !isLocal(each))
  const all = [...settled, message, ...local]
  const kept = all.slice(-MAX_LOADED)
  return { ...timeline, messages: kept, older: timeline.older || kept.length < all.length, unreadFrom, below }
}

/** The timeline with one message changed; the same when it is not there. */
export function withChanged(
  timeline: Timeline,
  messageId: string,
  change: (message: ChatMessage) => ChatMessage | undefined,
): Timeline {
  const index = timeline.messages.findLastIndex((each) => each.messageId === messageId)
  if (index === -1) return timeline
  const changed = change(timeline.messages[index]!)
  return { ...timeline, messages: timeline.messages.toSpliced(index, 1, ...(changed === undefined ? [] : [changed])) }
}

/** All timelines with one put last; those that were not opened for longest are dropped. */
export function withTimeline(
  timelines: ReadonlyMap<string, Timeline>,
  id: string,
  timeline: Timeline,
): ReadonlyMap<string, Timeline> {
  const all = new Map(timelines)
  // A conversation keeps its place in the order while it is only written into.
  all.set(id, timeline)
  while (all.size > MAX_TIMELINES) all.delete(all.keys().next().value!)
  return all
}

/** All timelines with one moved to the end of the order, made when it is missing. */
export function openedTimeline(timelines: ReadonlyMap<string, Timeline>, id: string): ReadonlyMap<string, Timeline> {
  const all = new Map(timelines)
  const timeline = all.get(id) ?? noTimeline
  all.delete(id)
  return withTimeline(all, id, timeline)
}
