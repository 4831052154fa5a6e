/** The conversations, one a line: who is open, who is there, what is new. */
import { symbolsOf } from './chat-settings.ts'
import type { Line } from './message-block.ts'
import { type ChatState, type Conversation, nameOf } from './state.ts'
import { fit, showable, textWidth } from './text-width.ts'

/** At most `rows` lines of at most `columns`, the open conversation among them. */
export function listLines(state: ChatState, columns: number, rows: number): Line[] {
  const { conversations, current } = state
  if (conversations.length === 0) return [[{ text: fit(' nobody yet', columns), dim: true }]]
  const at = Math.max(
    0,
    conversations.findIndex(({ id }) => id === current),
  )
  const first = Math.min(Math.max(0, at - rows + 1), Math.max(0, conversations.length - rows))
  return conversations.slice(first, first + rows).map((each) => conversationLine(state, each, columns))
}

function conversationLine(state: ChatState, conversation: Conversation, columns: number): Line {
  const { on, off, cut } = symbolsOf(state.settings)
  const { id, unread, online, keysChanged, state: contact, draft } = conversation
  const isOpen = id === state.current
  const hasDraft = !isOpen && (state.drafts.get(id) ?? draft ?? '') !== ''
  const sign = keysChanged === true || contact === 'failed' ? '!' : online ? on : off
  const count = unread > 0 ? ` ${unread > 999 ? '999+' : unread}` : hasDraft ? ' ~' : ''
  const room = Math.max(1, columns - textWidth(sign) - 2 - textWidth(count))
  const name = fit(showable(nameOf(conversation)), room, cut)
  const text = `${isOpen ? '>' : ' '}${sign} ${name}${count}`
  return [
    {
      text: fit(text, columns, cut),
      bold: unread > 0,
      inverse: isOpen,
      ...(keysChanged === true ? { tone: 'red' as const } : unread > 0 ? { tone: 'yellow' as const } : {}),
    },
  ]
}
