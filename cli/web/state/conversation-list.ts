/** The list of conversations, newest activity first, as events change it. Pure. */
import type { Conversation, DeliveryState, EventView, LastMessage } from '../api/table.ts'

type Rows = readonly Conversation[]

/** A message as its event tells it, and whose conversation it is of. */
export interface ToldMessage {
  /** Their ID. */
  friend: string
  message: LastMessage
}

/** @returns undefined when the event is no message */
export function messageOf({ event, at, detail }: EventView): ToldMessage | undefined {
  if (event !== 'message') return undefined
  const field = (key: string): string => String(detail[key] ?? '')
  const direction = detail.direction === 'out' ? 'out' : 'in'
  return {
    friend: direction === 'in' ? field('from') : field('to'),
    message: {
      messageId: field('messageId'),
      direction,
      from: field('from'),
      type: field('type'),
      text: field('text'),
      sentAt: typeof detail.sentAt === 'string' ? detail.sentAt : at,
      state: direction === 'in' ? 'delivered' : 'queued',
    },
  }
}

/** A new message moves its conversation to the top; a friend's counts as unread until somebody sees it. */
export function withMessage(rows: Rows, { friend, message: last }: ToldMessage): Rows {
  const row = rows.find(({ id }) => id === friend)
  if (row === undefined || row.last?.messageId === last.messageId) return rows
  const isNews = last.direction === 'in'
  const changed: Conversation = { ...row, last, unread: row.unread + (isNews ? 1 : 0) }
  if (isNews && row.unread === 0) changed.firstUnread = last.messageId
  return [changed, ...rows.filter((other) => other !== row)]
}

export function withLastState(rows: Rows, messageId: string, state: DeliveryState): Rows {
  return rows.map((row) => (row.last?.messageId === messageId ? { ...row, last: { ...row.last, state } } : row))
}

export function withUnread(rows: Rows, id: string, unread: number): Rows {
  return rows.map((row) => {
    if (row.id !== id) return row
    const { firstUnread, ...rest } = row
    return unread === 0 || firstUnread === undefined ? { ...rest, unread } : { ...rest, unread, firstUnread }
  })
}

export function withDraft(rows: Rows, id: string, draft: string): Rows {
  return rows.map((row) => (row.id === id ? { ...row, draft: draft === '' ? undefined : draft } : row))
}

/** The conversation after (or before) one in the list, round its end. */
export function neighbour(rows: Rows, id: string | undefined, step: 1 | -1): string | undefined {
  if (rows.length === 0) return undefined
  const at = rows.findIndex((row) => row.id === id)
  if (at === -1) return rows.at(step === 1 ? 0 : -1)!.id
  return rows[(at + step + rows.length) % rows.length]!.id
}

/** The next conversation with something unread behind one. */
export function nextUnread(rows: Rows, id: string | undefined): string | undefined {
  const at = rows.findIndex((row) => row.id === id)
  return [...rows.slice(at + 1), ...rows.slice(0, at + 1)].find((row) => row.unread > 0 && row.id !== id)?.id
}
