/** What comes from the node: who there is, pages of history, messages, and how far those that were sent have come. */
import { type Action, type Effect, say, type Step, step, still } from './actions.ts'
import { isWatched, openConversation, sorted, withUnreadLine } from './open-conversation.ts'
import { geometryOf } from './geometry.ts'
import { anchorShowing } from './scroll.ts'
import { type ChatMessage, type ChatState, currentTimeline, findConversation, nameOf, type Timeline } from './state.ts'
import { isLocal, withArrived, withChanged, withPage, withTimeline } from './timeline.ts'

type FromNode = Exclude<
  Action,
  {
    type:
      | 'chord'
      | 'typed'
      | 'pasted'
      | 'focus'
      | 'resized'
      | 'view'
      | 'notice'
      | 'command'
      | 'line'
      | 'open'
      | 'settings'
  }
>

export function fromNode(state: ChatState, action: FromNode): Step {
  switch (action.type) {
    case 'connected':
      return connected(state, action)
    case 'disconnected':
      return disconnected(state)
    case 'refreshed':
      return refreshed(state, action)
    case 'page':
      return paged(state, action)
    case 'unread':
      return still({
        ...state,
        conversations: state.conversations.map((each) =>
          each.id === action.id ? { ...each, unread: action.unread } : each,
        ),
      })
    case 'page-failed':
      return still(changedTimeline(state, action.id, (timeline) => ({ ...timeline, loading: false })))
    case 'arrived':
      return arrived(state, action)
    case 'delivery':
      return still(
        changedMessage(state, action.messageId, (message) => ({
          ...message,
          state: action.state,
          ...(action.reason === undefined ? {} : { reason: action.reason }),
        })),
      )
    case 'accepted':
      return accepted(state, action)
    case 'refused': {
      const { local, reason } = action
      const refused = changedMessage(state, local, (message) => ({ ...message, state: 'unsent', reason }))
      return say(refused, `not sent: ${reason}; /retry sends it again`, 'error')
    }
    default:
      return forgotten(state)
  }
}

function connected(state: ChatState, { node }: Extract<Action, { type: 'connected' }>): Step {
  const joined: ChatState = { ...state, node: { ...state.node, ...node, link: 'connected' } }
  const reload: Effect[] = state.current === undefined ? [] : [{ do: 'load', id: state.current, where: 'newest' }]
  return step({ ...joined, notice: undefined }, { do: 'refresh' }, ...reload, ...waitingToBeSent(state))
}

/** A message that the node may not have got is sent again, under the name it had. */
function waitingToBeSent({ timelines }: ChatState): Effect[] {
  return [...timelines].flatMap(([id, { messages }]) =>
    messages
      .filter(({ state }) => state === 'sending')
      .map(({ messageId: local, text }) => ({ do: 'send' as const, id, local, text })),
  )
}

function disconnected(state: ChatState): Step {
  const timelines = new Map([...state.timelines].map(([id, timeline]) => [id, { ...timeline, loading: false }]))
  return still({ ...state, timelines, node: { ...state.node, link: 'gone' } })
}

function refreshed(state: ChatState, { conversations, node }: Extract<Action, { type: 'refreshed' }>): Step {
  const fresh = new Map(conversations.map((each) => [each.id, each]))
  const isFirst = state.conversations.length === 0
  const kept = state.conversations.flatMap(({ id }) => fresh.get(id) ?? [])
  const known = new Set(kept.map(({ id }) => id))
  const added = conversations.filter(({ id }) => !known.has(id))
  const all: ChatState = {
    ...state,
    conversations: isFirst ? sorted({ conversations }) : [...kept, ...added],
    node: { ...state.node, ...node },
  }
  const isOpen = state.current !== undefined && fresh.has(state.current)
  const current = isOpen ? fresh.get(state.current) : undefined
  const marked = current === undefined ? { ...all, current: undefined } : withUnreadLine(all, current)
  const only = isFirst && marked.current === undefined ? marked.conversations[0] : undefined
  if (only !== undefined) return openConversation(marked, only.id)
  if (node.requests <= state.node.requests || state.notice !== undefined) return still(marked)
  return say(marked, 'somebody asks to be your friend: /requests')
}

function paged(state: ChatState, { id, page, at }: Extract<Action, { type: 'page' }>): Step {
  const next = changedTimeline(state, id, (timeline) => withPage(timeline, page))
  const conversation = findConversation(next, id)
  const marked = conversation === undefined ? next : withUnreadLine(next, conversation)
  if (at === undefined || state.current !== id) return still(marked)
  if (!page.messages.some(({ messageId }) => messageId === at)) return say(marked, 'that message is not there any more')
  return still({ ...marked, selected: at, scroll: anchorShowing(marked, geometryOf(marked).pane, at) })
}

function arrived(state: ChatState, { id, message, after }: Extract<Action, { type: 'arrived' }>): Step {
  const isSeen = state.current === id && isWatched(state)
  const timeline = state.timelines.get(id)
  const effects: Effect[] = []
  let next: ChatState = {
    ...state,
    conversations: state.conversations.map((each) =>
      each.id === id
        ? { ...each, lastAt: message.sentAt, unread: each.unread + (message.direction === 'in' ? 1 : 0) }
        : each,
    ),
  }
  if (timeline !== undefined) {
    const own = message.direction === 'out' ? takeSending(timeline.messages, message) : undefined
    const base = own === undefined ? timeline : { ...timeline, messages: own }
    const place = { ...(after === undefined ? {} : { after }), seen: isSeen }
    const changed = withArrived(base, message, place)
    if (changed === undefined) effects.push({ do: 'load', id, where: 'newest' })
    else next = { ...next, timelines: withTimeline(next.timelines, id, changed) }
  }
  const conversation = findConversation(next, id)
  if (conversation === undefined) return step(next, { do: 'refresh' }, ...effects)
  if (message.direction === 'in' && !isSeen && state.settings.notify !== 'off') {
    effects.push({ do: 'alert', who: nameOf(conversation) })
  }
  return step(next, ...effects)
}

/** The event of a message may come before the answer to sending it: then it takes the place of what is being sent. */
function takeSending(messages: readonly ChatMessage[], { text }: ChatMessage): readonly ChatMessage[] | undefined {
  const index = messages.findIndex((each) => each.state === 'sending' && each.text === text)
  return index === -1 ? undefined : messages.toSpliced(index, 1)
}

function accepted(state: ChatState, action: Extract<Action, { type: 'accepted' }>): Step {
  const { id, local, messageId, state: reached, sentAt } = action
  return still(
    changedTimeline(state, id, (timeline) => {
      const isThere = timeline.messages.some((each) => each.messageId === messageId)
      return withChanged(timeline, local, (message) =>
        isThere ? undefined : { ...message, messageId, state: reached, sentAt, reason: undefined },
      )
    }),
  )
}

/** The log has dropped what happened meanwhile: everything is read anew. */
function forgotten(state: ChatState): Step {
  const kept = new Map([...state.timelines].filter(([, { messages }]) => messages.some(isLocal)))
  if (state.current !== undefined) kept.set(state.current, currentTimeline(state))
  const reload: Effect[] = [...kept.keys()].map((id) => ({ do: 'load', id, where: 'newest' }))
  return step({ ...state, timelines: kept }, { do: 'refresh' }, ...reload)
}

function changedTimeline(state: ChatState, id: string, change: (timeline: Timeline) => Timeline): ChatState {
  const timeline = state.timelines.get(id)
  if (timeline === undefined) return state
  return { ...state, timelines: withTimeline(state.timelines, id, change(timeline)) }
}

function changedMessage(state: ChatState, messageId: string, change: (message: ChatMessage) => ChatMessage): ChatState {
  for (const [id, timeline] of state.timelines) {
    const changed = withChanged(timeline, messageId, change)
    if (changed !== timeline) return { ...state, timelines: withTimeline(state.timelines, id, changed) }
  }
  return state
}
