/**
 * What the page asks of a node: types of the one method table, and of the small table that a node serves before it is
 * unlocked. Types alone: nothing of the node's code comes into the page.
 */
import type { MethodName, MethodParams, MethodResult } from '../../../node/api/methods.ts'
import type { EventView } from '../../../node/api/views.ts'

export type { EventView }
export type HistoryEntry = MethodResult<'history.list'>['messages'][number]
export type DeliveryState = HistoryEntry['state']
export type Contact = MethodResult<'friend.list'>[number]
export type Request = MethodResult<'request.list'>[number]
export type Invite = MethodResult<'invite.create'>
export type Status = MethodResult<'node.status'>
export type Trace = MethodResult<'message.trace'>
export type TraceStep = Trace['steps'][number]

/** What stands last in a conversation. */
export type LastMessage = Pick<HistoryEntry, 'messageId' | 'direction' | 'from' | 'type' | 'text' | 'sentAt' | 'state'>

export interface Conversation {
  conversation: string
  id: string
  petname: string
  name: string
  state: Contact['state']
  verified: boolean
  trust: Contact['trust']
  keysChanged?: boolean
  online: boolean
  unread: number
  firstUnread?: string
  draft?: string
  last?: LastMessage
}

export type FoundMessage = HistoryEntry & { id: string }

export interface Setting {
  key: string
  value: string
  origin: string
  description: string
  restart: boolean
}

interface AddedMethods {
  'conversation.list': { params: Record<string, never>; result: { conversations: Conversation[] } }
  'conversation.read': { params: { who: string; upTo?: string }; result: { unread: number } }
  'history.list': {
    params: { who: string; limit?: number; before?: string; after?: string; search?: string; markRead?: boolean }
    result: MethodResult<'history.list'>
  }
  'history.search': { params: { query: string; who?: string; limit?: number }; result: { messages: FoundMessage[] } }
  'draft.set': { params: { who: string; text: string }; result: object }
  'friend.verify': {
    params: { who: string; confirm?: boolean; number?: string }
    result: MethodResult<'friend.verify'> & { code?: string }
  }
  'friend.rename': { params: { who: string; petname: string }; result: object }
  'message.send': {
    params: { who: string; text: string; idempotencyKey?: string }
    result: MethodResult<'message.send'>
  }
  'settings.list': { params: Record<string, never>; result: Setting[] }
  'settings.set': { params: { key: string; value: string | null }; result: Setting }
}

/** What a home is before its node serves: `new` has no identity, `locked` waits for the passphrase. */
export interface SetupState {
  state: 'new' | 'locked' | 'starting' | 'ready'
  name?: string
}

interface SetupMethods {
  'setup.state': { params: Record<string, never>; result: SetupState }
  'setup.create': {
    params: { name: string; passphrase: string; relays?: string[] }
    result: { id: string; words: string }
  }
  'setup.unlock': { params: { passphrase: string }; result: object }
  'setup.confirm': { params: Record<string, never>; result: object }
}

type Special = AddedMethods & SetupMethods
export type PageMethod = MethodName | keyof Special
export type PageParams<M extends PageMethod> = M extends keyof Special
  ? Special[M]['params']
  : M extends MethodName
    ? MethodParams<M>
    : never
export type PageResult<M extends PageMethod> = M extends keyof Special
  ? Special[M]['result']
  : M extends MethodName
    ? MethodResult<M>
    : never
