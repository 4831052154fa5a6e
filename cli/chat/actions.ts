/** What can happen to the terminal chat, and what it wants done: both are data. */
import type { DeliveryState } from '../../node/api/service.ts'
import type { ChatSettings } from './chat-settings.ts'
import type { ChatMessage, ChatState, Conversation, Notice, NodeState, View } from './state.ts'

/** What comes from the node, from the terminal and from the person. */
export type Action =
  | { type: 'connected'; node: Pick<NodeState, 'id' | 'name' | 'ours'> }
  | { type: 'disconnected' }
  | { type: 'refreshed'; conversations: readonly Conversation[]; node: NodeFacts }
  | { type: 'page'; id: string; page: HistoryPage; at?: string }
  | { type: 'page-failed'; id: string }
  | { type: 'unread'; id: string; unread: number }
  | { type: 'arrived'; id: string; message: ChatMessage; after?: string }
  | { type: 'delivery'; messageId: string; state: DeliveryState; reason?: string }
  | { type: 'accepted'; id: string; local: string; messageId: string; state: DeliveryState; sentAt: string }
  | { type: 'refused'; id: string; local: string; reason: string }
  | { type: 'forgotten' }
  | { type: 'open'; id: string }
  | { type: 'view'; view: View }
  | { type: 'notice'; notice: Notice }
  | { type: 'settings'; settings: ChatSettings }
  | { type: 'command'; line: string }
  | { type: 'line'; line: string }
  | { type: 'chord'; chord: string; text?: string }
  | { type: 'typed'; text: string }
  | { type: 'pasted'; text: string }
  | { type: 'focus'; focused: boolean }
  | { type: 'resized'; rows: number; columns: number }

/** Which part of a history: its end, what stands beside a message, or a message with what is around it. */
export type PageEnd = 'newest' | 'older' | 'newer' | 'around'

/** Messages of the store; `older` and `newer`: whether there may be more on that side. */
export interface HistoryPage {
  readonly messages: readonly ChatMessage[]
  readonly where: PageEnd
  readonly older: boolean
  readonly newer: boolean
}

export type NodeFacts = Pick<NodeState, 'peers' | 'relays' | 'relaysConnected' | 'requests' | 'problems'>

/** A question or an order to the node whose answer is a notice or a page. */
export type NodeCall =
  | { call: 'add'; target: string; petname?: string }
  | { call: 'invite' }
  | { call: 'requests' }
  | { call: 'accept'; who: string; petname?: string }
  | { call: 'decline' | 'block' | 'unfriend' | 'trust'; who: string }
  | { call: 'verify'; who: string; confirm: boolean; number?: string }
  | { call: 'rename'; who: string; petname: string }
  | { call: 'trace'; messageId: string }
  | { call: 'search'; query: string }
  | { call: 'settings' }
  | { call: 'set'; key: string; value: string | null }
  | { call: 'status' }

export type Effect =
  | { do: 'refresh' }
  | { do: 'load'; id: string; where: PageEnd; beside?: string }
  | { do: 'send'; id: string; local: string; text: string }
  | { do: 'seen'; id: string; upTo: string }
  | { do: 'draft'; id: string; text: string }
  | { do: 'call'; call: NodeCall }
  | { do: 'alert'; who: string }
  | { do: 'copy'; text: string }
  | { do: 'browse'; url: string }
  | { do: 'quit' }

/** The next state and what is to be done for it. */
export interface Step {
  state: ChatState
  effects: readonly Effect[]
}

/** A step without effects. */
export function still(state: ChatState): Step {
  return { state, effects: [] }
}

/** A step with effects. */
export function step(state: ChatState, ...effects: readonly Effect[]): Step {
  return { state, effects }
}

/** One step after another. */
export function andThen(first: Step, next: (state: ChatState) => Step): Step {
  const { state, effects } = next(first.state)
  return { state, effects: [...first.effects, ...effects] }
}

/** A step that only says something. */
export function say(state: ChatState, text: string, tone: Notice['tone'] = 'info'): Step {
  return still({ ...state, notice: { tone, text } })
}
