/** What the API answers, as the chat keeps it. */
import type { MethodResult } from '../../node/api/methods.ts'
import type { EventView } from '../../node/api/views.ts'
import type { DeliveryState } from '../../node/api/service.ts'
import type { Action, NodeFacts } from './actions.ts'
import type { ChatMessage, Conversation } from './state.ts'

export function conversationRow(
  row: MethodResult<'conversation.list'>['conversations'][number],
  reasons: ReadonlyMap<string, string>,
): Conversation {
  const { id, petname, name, state, verified, trust, online, unread, keysChanged, firstUnread, draft, last } = row
  const reason = reasons.get(id)
  return {
    id,
    petname,
    name,
    state,
    verified,
    trust,
    online,
    unread,
    ...(reason === undefined ? {} : { reason }),
    ...(keysChanged === undefined ? {} : { keysChanged }),
    ...(firstUnread === undefined ? {} : { firstUnread }),
    ...(draft === undefined ? {} : { draft }),
    ...(last === undefined ? {} : { lastAt: last.sentAt }),
  }
}

export function messageRow(row: MethodResult<'history.list'>['messages'][number]): ChatMessage {
  const { messageId, direction, type, text, sentAt, state, reason, via, missing } = row
  return {
    messageId,
    direction,
    type,
    text,
    sentAt,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(via === undefined ? {} : { via }),
    ...(missing === undefined ? {} : { missing }),
  }
}

export function nodeFacts(status: MethodResult<'node.status'>): NodeFacts {
  return {
    peers: status.peers,
    relays: status.relays.length,
    relaysConnected: status.relays.filter(({ connected }) => connected).length,
    requests: status.requests,
    problems: status.problems.map(({ message }) => message),
  }
}

/** What an event of the node says; undefined for what only says that something else has to be asked for. */
export function actionOf({ event, at, detail }: EventView): Action | undefined {
  const field = (key: string): string => String(detail[key] ?? '')
  if (event === 'message') {
    const direction = detail.direction === 'out' ? 'out' : 'in'
    const message: ChatMessage = {
      messageId: field('messageId'),
      direction,
      type: field('type'),
      text: field('text'),
      sentAt: typeof detail.sentAt === 'string' ? detail.sentAt : at,
      state: direction === 'out' ? 'queued' : 'delivered',
      ...(detail.via === undefined ? {} : { via: field('via') }),
    }
    const id = direction === 'out' ? field('to') : field('from')
    return { type: 'arrived', id, message, ...(detail.after === undefined ? {} : { after: field('after') }) }
  }
  if (event === 'state') {
    const reason = detail.reason === undefined ? {} : { reason: field('reason') }
    return { type: 'delivery', messageId: field('messageId'), state: field('state') as DeliveryState, ...reason }
  }
  if (event === 'read') return { type: 'unread', id: field('id'), unread: Number(detail.unread) || 0 }
  return undefined
}
