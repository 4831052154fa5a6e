/**
 * The part of one conversation that the page holds: a bounded window of its messages, own ones on their way among them.
 * Pure: every function makes a new thread out of an old one. What the node has said stands under its message ID once,
 * however often it was told.
 */
import type { DeliveryState, HistoryEntry } from '../api/table.ts'

/** What a message of the page's own is before the node has it: on its way to the node, or not taken. */
export type ShownState = DeliveryState | 'sending' | 'unsent'

export interface ShownMessage {
  /** Stays the same while a message goes from `sending` to its message ID. */
  key: string
  /** Absent until the node has taken it. */
  messageId?: string
  direction: 'in' | 'out'
  from: string
  type: string
  text: string
  /** ISO 8601. */
  sentAt: string
  state: ShownState
  reason?: string
  missing?: number
  via?: HistoryEntry['via']
}

export interface Thread {
  /** ID of the friend. */
  readonly id: string
  readonly messages: readonly ShownMessage[]
  /** Older, newer ones may lie at the node. */
  readonly hasOlder: boolean
  readonly hasNewer: boolean
  /** Above this message the line `new messages` stands; it stays there while the conversation is open. */
  readonly firstUnread?: string
  /** The message that somebody looked for: it comes into sight when the conversation opens. */
  readonly found?: string
}

/** So many messages stand in the page at most; the others are fetched again when somebody scrolls there. */
export const MAX_WINDOW = 240
/** How many are asked for at once. */
export const PAGE_SIZE = 60

export interface HistoryPage {
  messages: readonly HistoryEntry[]
  more: boolean
}

export function emptyThread(id: string): Thread {
  return { id, messages: [], hasOlder: false, hasNewer: false }
}

export function shownOf(entry: HistoryEntry): ShownMessage {
  const { messageId, direction, from, type, text, sentAt, state, reason, missing, via } = entry
  return { key: messageId, messageId, direction, from, type, text, sentAt, state, reason, missing, via }
}

/** The newest page of a conversation takes the place of what was there; own ones that the node has not stay at the end. */
export function withNewest(thread: Thread, page: HistoryPage): Thread {
  const messages = keepKeys(thread, page.messages.map(shownOf))
  return bounded(
    { ...thread, messages: [...messages, ...waiting(thread)], hasOlder: page.more, hasNewer: false },
    'old',
  )
}

/** A found message with what stands around it. */
export function around(entry: HistoryEntry & { id: string }, before: HistoryPage, after: HistoryPage): Thread {
  const messages = [...before.messages, entry, ...after.messages].map(shownOf)
  return { id: entry.id, messages, hasOlder: before.more, hasNewer: after.more, found: entry.messageId }
}

/** A page that lies in front of the window. */
export function withOlder(thread: Thread, page: HistoryPage): Thread {
  const known = knownIds(thread)
  const older = page.messages.filter(({ messageId }) => !known.has(messageId)).map(shownOf)
  return bounded({ ...thread, messages: [...older, ...thread.messages], hasOlder: page.more }, 'new')
}

/** A page that lies behind the window. */
export function withNewer(thread: Thread, page: HistoryPage): Thread {
  const known = knownIds(thread)
  const newer = page.messages.filter(({ messageId }) => !known.has(messageId)).map(shownOf)
  return bounded({ ...behind(thread, newer), hasNewer: page.more }, 'old')
}

/**
 * A message that has just come or was sent by another face. While newer ones lie at the node it is not shown: it comes
 * with its page.
 */
export function withArrived(thread: Thread, message: ShownMessage): Thread {
  if (thread.hasNewer || (message.messageId !== undefined && knownIds(thread).has(message.messageId))) return thread
  return bounded(behind(thread, [message]), 'old')
}

/** An own message that the node has not answered for yet. */
export function withSending(
  thread: Thread,
  sending: { key: string; text: string; from: string; sentAt: string },
): Thread {
  const message: ShownMessage = { ...sending, direction: 'out', type: 'text', state: 'sending' }
  return bounded({ ...thread, messages: [...thread.messages, message] }, 'old')
}

/** The node has taken an own message. */
export function withTaken(thread: Thread, key: string, taken: { messageId: string; state: DeliveryState }): Thread {
  const twin = thread.messages.find((shown) => shown.key !== key && shown.messageId === taken.messageId)
  const messages = thread.messages
    .filter((shown) => shown !== twin)
    .map((shown) => (shown.key === key ? { ...shown, ...taken, reason: undefined } : shown))
  return { ...thread, messages }
}

/** The node has not taken an own message, or did not say so. */
export function withUnsent(thread: Thread, key: string, reason: string): Thread {
  return changed(thread, (shown) => shown.key === key, { state: 'unsent', reason })
}

/** It is tried once more, under the same key. */
export function withRetry(thread: Thread, key: string): Thread {
  return changed(thread, (shown) => shown.key === key, { state: 'sending', reason: undefined })
}

/** An own message that the node never took is given up. */
export function withoutUnsent(thread: Thread, key: string): Thread {
  return { ...thread, messages: thread.messages.filter((shown) => shown.key !== key || shown.messageId !== undefined) }
}

export function withState(thread: Thread, messageId: string, state: DeliveryState, reason?: string): Thread {
  return changed(thread, (shown) => shown.messageId === messageId, { state, reason })
}

/** Whether an own message waits for the node's answer. */
export function isSending(thread: Thread): boolean {
  return thread.messages.some(({ state }) => state === 'sending')
}

/** The first and the last message that the node knows. */
export function edges(thread: Thread): { first?: string; last?: string } {
  return {
    first: thread.messages.find(({ messageId }) => messageId !== undefined)?.messageId,
    last: thread.messages.findLast(({ messageId }) => messageId !== undefined)?.messageId,
  }
}

function changed(thread: Thread, fits: (shown: ShownMessage) => boolean, change: Partial<ShownMessage>): Thread {
  if (!thread.messages.some(fits)) return thread
  return { ...thread, messages: thread.messages.map((shown) => (fits(shown) ? { ...shown, ...change } : shown)) }
}

/** Behind what the node has told, in front of own messages that it does not have. */
function behind(thread: Thread, messages: readonly ShownMessage[]): Thread {
  const pending = waiting(thread)
  return {
    ...thread,
    messages: [...thread.messages.filter((shown) => !pending.includes(shown)), ...messages, ...pending],
  }
}

function waiting(thread: Thread): ShownMessage[] {
  return thread.messages.filter(({ messageId }) => messageId === undefined)
}

function knownIds(thread: Thread): Set<string | undefined> {
  return new Set(thread.messages.map(({ messageId }) => messageId))
}

/** A message that was sent from here keeps its key when it comes again from the node. */
function keepKeys(thread: Thread, messages: ShownMessage[]): ShownMessage[] {
  const keys = new Map(thread.messages.map(({ messageId, key }) => [messageId, key]))
  return messages.map((message) => ({ ...message, key: keys.get(message.messageId) ?? message.key }))
}

/** Cuts the window at one end; own messages on their way stay. */
function bounded(thread: Thread, end: 'old' | 'new'): Thread {
  const over = thread.messages.length - MAX_WINDOW
  if (over <= 0) return thread
  if (end === 'old') return { ...thread, messages: thread.messages.slice(over), hasOlder: true }
  const pending = waiting(thread)
  const known = thread.messages.filter(({ messageId }) => messageId !== undefined)
  return { ...thread, messages: [...known.slice(0, MAX_WINDOW - pending.length), ...pending], hasNewer: true }
}
