/** The one function that moves the terminal chat: state and action in, the next state and what is to be done for it out. */
import { type Action, type Effect, say, step, type Step, still, andThen } from './actions.ts'
import { composerOf, insert, typedText } from './composer.ts'
import { geometryOf } from './geometry.ts'
import { pressed, typed } from './key-actions.ts'
import { sendComposed } from './sending.ts'
import { fromNode } from './reduce-node.ts'
import { nearEnds } from './scroll.ts'
import { runCommand } from './slash-commands.ts'
import { openConversation, seen } from './open-conversation.ts'
import { type ChatState, currentTimeline, type Timeline } from './state.ts'
import { withTimeline } from './timeline.ts'

/** The next state. Whatever was done, what is now before the person's eyes counts as read, and what is missing is read in. */
export function reduce(state: ChatState, action: Action): Step {
  return andThen(andThen(act(state, action), seen), fill)
}

function act(state: ChatState, action: Action): Step {
  switch (action.type) {
    case 'chord':
      return pressed(said(state), action.chord, action.text)
    case 'typed':
      return typed(said(state), action.text)
    case 'pasted':
      return still({ ...said(state), composer: insert(state.composer, typedText(action.text)), recalled: undefined })
    case 'focus':
      return still({ ...state, focused: action.focused })
    case 'resized':
      return still({ ...state, rows: action.rows, columns: action.columns })
    case 'view':
      return still({ ...state, view: action.view, selected: undefined, notice: undefined })
    case 'settings':
      return still({ ...state, settings: action.settings })
    case 'notice':
      return say(state, action.notice.text, action.notice.tone)
    case 'line':
      return sendComposed({ ...said(state), composer: composerOf(typedText(action.line)) })
    case 'command':
      return runCommand(said(state), action.line)
    case 'open':
      return openConversation(said(state), action.id)
    default:
      return fromNode(state, action)
  }
}

/** What was said last has been read once something else is done. */
function said(state: ChatState): ChatState {
  return state.notice === undefined ? state : { ...state, notice: undefined }
}

/** Reads in what is nearly in sight and not in memory. */
function fill(state: ChatState): Step {
  const { current: id } = state
  const timeline = currentTimeline(state)
  if (id === undefined || timeline.loading || timeline.messages.length === 0 || state.node.link !== 'connected')
    return still(state)
  const { pane } = geometryOf(state)
  const { top, bottom } = nearEnds(state, pane)
  const [first, last] = [timeline.messages[0]!, timeline.messages.at(-1)!]
  const effect: Effect | undefined =
    top && timeline.older
      ? { do: 'load', id, where: 'older', beside: first.messageId }
      : bottom && timeline.newer
        ? { do: 'load', id, where: 'newer', beside: last.messageId }
        : undefined
  if (effect === undefined) return still(state)
  const loading: Timeline = { ...timeline, loading: true }
  return step({ ...state, timelines: withTimeline(state.timelines, id, loading) }, effect)
}
