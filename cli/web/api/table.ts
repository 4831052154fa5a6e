/**
 * What the page asks of a node: types of the one method table, and of the small table that a node serves before it is
 * unlocked. Types alone: nothing of the node's code comes into the page.
 */
import type { MethodName, MethodParams, MethodResult } from '../../../node/api/methods.ts'
import type { EventView } from '../../../node/api/views.ts'

export type { EventView }
export type HistoryEntry = MethodResult<'history.list'>['messages'][number]
export type DeliveryState = HistoryEntry['state']
export type Request = MethodResult<'request.list'>[number]
export type Invite = MethodResult<'invite.create'>
export type Status = MethodResult<'node.status'>
export type Trace = MethodResult<'message.trace'>
export type TraceStep = Trace['steps'][number]

export type Conversation = MethodResult<'conversation.list'>['conversations'][number]
/** What stands last in a conversation. */
export type LastMessage = NonNullable<Conversation['last']>

export type FoundMessage = MethodResult<'history.search'>['messages'][number]
export type Setting = MethodResult<'settings.list'>[number]

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

export type PageMethod = MethodName | keyof SetupMethods
export type PageParams<M extends PageMethod> = M extends MethodName
  ? MethodParams<M>
  : M extends keyof SetupMethods
    ? SetupMethods[M]['params']
    : never
export type PageResult<M extends PageMethod> = M extends MethodName
  ? MethodResult<M>
  : M extends keyof SetupMethods
    ? SetupMethods[M]['result']
    : never
