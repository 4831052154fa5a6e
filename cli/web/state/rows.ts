/** What stands between messages: days, the line above unread ones, gaps; and which messages belong together. Pure. */
import type { ShownMessage, Thread } from './thread.ts'
import { isSameDay } from './times.ts'

export interface MessageRow {
  message: ShownMessage
  /** A day begins above it. */
  startsDay: boolean
  /** The line `new messages` stands above it. */
  startsUnread: boolean
  /** It does not follow closely on another of the same author. */
  startsGroup: boolean
  /** The last of its group, or its state differs from the next one's: the state stands there in words. */
  showsState: boolean
}

/** What is written within this time is of one group. */
const GROUP_MS = 5 * 60_000

export function messageRows({ messages, firstUnread }: Thread): MessageRow[] {
  return messages.map((message, i) => {
    const before = messages[i - 1]
    const after = messages[i + 1]
    return {
      message,
      startsDay: before === undefined || !isSameDay(before.sentAt, message.sentAt),
      startsUnread: firstUnread !== undefined && message.messageId === firstUnread,
      startsGroup: before === undefined || !isClose(before, message) || message.messageId === firstUnread,
      showsState:
        message.direction === 'out' &&
        (after === undefined || !isClose(message, after) || after.state !== message.state),
    }
  })
}

function isClose(before: ShownMessage, message: ShownMessage): boolean {
  if (before.from !== message.from || before.direction !== message.direction || before.type !== message.type)
    return false
  const apart = Date.parse(message.sentAt) - Date.parse(before.sentAt)
  return apart >= 0 && apart < GROUP_MS && isSameDay(before.sentAt, message.sentAt) && (message.missing ?? 0) === 0
}
