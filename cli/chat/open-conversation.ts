/** Going from one conversation to another: drafts are kept, the unread line is drawn, what is needed is read. */
import { type Effect, say, type Step, step, andThen } from './actions.ts'
import { composerOf, emptyComposer } from './composer.ts'
import { anchorShowing } from './scroll.ts'
import { geometryOf } from './geometry.ts'
import { type ChatState, type Conversation, currentConversation, currentTimeline, findConversation } from './state.ts'
import { openedTimeline, withTimeline } from './timeline.ts'

/** Opens a conversation at its newest message; at `messageId` when it is given and in memory. */
export function openConversation(state: ChatState, id: string): Step {
  const conversation = findConversation(state, id)
  if (conversation === undefined) return say(state, 'that conversation is not there any more', 'error')
  const left = leave(state)
  const base: ChatState = {
    ...left.state,
    view: { kind: 'messages' },
    listOpen: false,
    selected: undefined,
    link: undefined,
    notice: undefined,
  }
  if (state.current === id) return { state: { ...base, composer: state.composer }, effects: [] }
  const timelines = openedTimeline(base.timelines, id)
  const draft = base.drafts.get(id) ?? conversation.draft ?? ''
  const opened: ChatState = {
    ...base,
    current: id,
    timelines,
    composer: composerOf(draft),
    recalled: undefined,
    scroll: undefined,
  }
  const first: Step = { state: withUnreadLine(opened, conversation), effects: left.effects }
  return andThen(first, (next) => andThen(step(next, { do: 'load', id, where: 'newest' }), seen))
}

/** What is written stays as the draft of who was open; their unread line has been seen. */
function leave(state: ChatState): Step {
  const { current } = state
  if (current === undefined) return step({ ...state, composer: emptyComposer })
  const text = state.composer.text.startsWith('/') ? '' : state.composer.text
  const before = state.drafts.get(current) ?? findConversation(state, current)?.draft ?? ''
  const drafts = new Map(state.drafts).set(current, text)
  const timeline = state.timelines.get(current)
  const isRead = (findConversation(state, current)?.unread ?? 0) === 0
  const timelines =
    timeline === undefined
      ? state.timelines
      : withTimeline(state.timelines, current, { ...timeline, ...(isRead ? { unreadFrom: undefined } : {}) })
  const effects: Effect[] = text === before ? [] : [{ do: 'draft', id: current, text }]
  return { state: { ...state, drafts, timelines }, effects }
}

/** The end of the chat; what is written stays as a draft. */
export function leaveChat(state: ChatState): Step {
  return andThen(leave(state), (left) => step(left, { do: 'quit' }))
}

/** Draws the unread line where reading ended, as far as it is in memory. */
export function withUnreadLine(state: ChatState, { id, unread, firstUnread }: Conversation): ChatState {
  const timeline = state.timelines.get(id)
  if (timeline === undefined || unread === 0 || timeline.unreadFrom !== undefined) return state
  const unreadFrom =
    firstUnread ?? timeline.messages.filter(({ direction }) => direction === 'in').at(-unread)?.messageId
  if (unreadFrom === undefined) return state
  return { ...state, timelines: withTimeline(state.timelines, id, { ...timeline, unreadFrom }) }
}

/** The next conversation with something new: first those to whom one can answer, then the oldest news. */
export function nextUnread(state: ChatState): Step {
  const waiting = state.conversations.filter(({ id, unread }) => unread > 0 && id !== state.current)
  const next = waiting.toSorted((a, b) => rank(a) - rank(b) || (a.lastAt ?? '').localeCompare(b.lastAt ?? ''))[0]
  if (next === undefined) return say(state, 'nothing new anywhere')
  return andThen(openConversation(state, next.id), (opened) => step({ ...opened, conversations: sorted(opened) }))
}

function rank({ state }: Conversation): number {
  return state === 'friend' ? 0 : 1
}

/** The conversation above or below the one that is open; their order does not change by it. */
export function neighbour(state: ChatState, by: -1 | 1): Step {
  const { conversations, current } = state
  if (conversations.length === 0) return step(state)
  const index = conversations.findIndex(({ id }) => id === current)
  const next = index === -1 ? 0 : (index + by + conversations.length) % conversations.length
  return openConversation(state, conversations[next]!.id)
}

/** Something new first, then the newest; it is sorted only when nobody's finger is on the list. */
export function sorted({ conversations }: Pick<ChatState, 'conversations'>): Conversation[] {
  return conversations.toSorted(
    (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || (b.lastAt ?? '').localeCompare(a.lastAt ?? ''),
  )
}

/** Whether the newest message of the open conversation is before the person's eyes. */
export function isWatched(state: ChatState): boolean {
  if (state.current === undefined || !state.focused || state.scroll !== undefined) return false
  return state.view.kind === 'messages' && !state.listOpen && !currentTimeline(state).newer
}

/** Says to the node what was really seen. */
export function seen(state: ChatState): Step {
  const conversation = currentConversation(state)
  if (conversation === undefined || conversation.unread === 0 || !isWatched(state)) return step(state)
  const { id } = conversation
  const last = currentTimeline(state).messages.findLast(({ direction }) => direction === 'in')
  if (last === undefined) return step(state)
  const conversations = state.conversations.map((each) => (each.id === id ? { ...each, unread: 0 } : each))
  return step({ ...state, conversations }, { do: 'seen', id, upTo: last.messageId })
}

/** To the unread line. */
export function toFirstUnread(state: ChatState): Step {
  const { unreadFrom, messages } = currentTimeline(state)
  if (unreadFrom === undefined) return say(state, 'nothing new here')
  if (!messages.some(({ messageId }) => messageId === unreadFrom)) return say(state, 'it is further up')
  return step({ ...state, scroll: anchorShowing(state, geometryOf(state).pane, unreadFrom) })
}
