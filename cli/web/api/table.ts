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

export type Conversation = MethodResult<'conversation.list'>['conversations'][number]
/** What stands last in a conversation. */
export type LastMessage = NonNullable<Conversation['last']>

export type FoundMessage = HistoryEntry & { id: string }

export interface Setting {
  key: string
  value: string
  origin: string
  description: string
  restart: boolean
}

interface AddedMethods {
  'history.search': { params: { query: string; who?: string; limit?: number }; result: { messages: FoundMessage[] } }
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
