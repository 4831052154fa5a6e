/** The open conversation: its pages, what is written in it, what was seen of it. */
import { call } from '../api/client.ts'
import type { DeliveryState, EventView, FoundMessage } from '../api/table.ts'
import { sanitiseLine } from '../../sanitise.ts'
import { messageOf, type ToldMessage, withDraft, withLastState, withMessage, withUnread } from './conversation-list.ts'
import { inOneLine } from './excerpt.ts'
import { failureText, tellFailure } from './failure.ts'
import { notify } from './notifications.ts'
import { announce, conversations, isPaging, nameOf, openConversation, status, thread } from './page.ts'
import {
  around,
  edges,
  emptyThread,
  isSending,
  PAGE_SIZE,
  type Thread,
  withArrived,
  withNewer,
  withNewest,
  withOlder,
  withoutUnsent,
  withRetry,
  withSending,
  withState,
  withTaken,
  withUnsent,
} from './thread.ts'

/** Own messages and states that came while a message waits for the node's answer: they may be of that one. */
let held: EventView[] = []

function change(id: string, make: (open: Thread) => Thread): void {
  if (thread.value?.id === id) thread.value = make(thread.value)
}

/** Shows a conversation, its newest page first. */
export async function openThread(id: string): Promise<void> {
  if (thread.value?.id === id) return
  held = []
  thread.value = { ...emptyThread(id), hasOlder: true, firstUnread: openConversation.value?.firstUnread }
  await loadNewest()
}

/** Shows a message that was found, with what stands around it. */
export async function openFound(found: FoundMessage): Promise<void> {
  const { id, messageId } = found
  held = []
  const [before, after] = await Promise.all([
    call('history.list', { who: id, limit: PAGE_SIZE, before: messageId, markRead: false }),
    call('history.list', { who: id, limit: PAGE_SIZE, after: messageId, markRead: false }),
  ])
  thread.value = around(found, before, after)
}

/** Asks for the newest page again: after a return of the node, or by the way back down. */
export async function loadNewest(): Promise<void> {
  const id = thread.value?.id
  if (id === undefined) return
  await paging(async () => {
    const page = await call('history.list', { who: id, limit: PAGE_SIZE, markRead: false })
    change(id, (open) => withNewest(open, page))
  })
}

/** Only pages are fetched one at a time; what is shown never has a hole. */
export async function loadOlder(): Promise<void> {
  const open = thread.value
  const before = open && edges(open).first
  if (open === undefined || before === undefined || !open.hasOlder || isPaging.value) return
  await paging(async () => {
    const page = await call('history.list', { who: open.id, limit: PAGE_SIZE, before, markRead: false })
    change(open.id, (now) => (edges(now).first === before ? withOlder(now, page) : now))
  })
}

export async function loadNewer(): Promise<void> {
  const open = thread.value
  const after = open && edges(open).last
  if (open === undefined || after === undefined || !open.hasNewer || isPaging.value) return
  await paging(async () => {
    const page = await call('history.list', { who: open.id, limit: PAGE_SIZE, after, markRead: false })
    change(open.id, (now) => (edges(now).last === after ? withNewer(now, page) : now))
  })
}

async function paging(work: () => Promise<void>): Promise<void> {
  isPaging.value = true
  try {
    await work()
  } catch (error) {
    tellFailure(error)
  } finally {
    isPaging.value = false
  }
}

/** Writes a message: it is shown at once, as one that the node has not taken yet. */
export async function send(text: string): Promise<void> {
  const open = thread.value
  if (open === undefined) return
  if (open.hasNewer) await loadNewest()
  const key = crypto.randomUUID()
  const sending = { key, text, from: status.value?.id ?? '', sentAt: new Date().toISOString() }
  change(open.id, (now) => withSending(now, sending))
  await deliver(open.id, key, text)
}

/** Tries a message again that the node did not take; its key keeps it from being sent twice. */
export async function sendAgain(key: string): Promise<void> {
  const open = thread.value
  const message = open?.messages.find((shown) => shown.key === key)
  if (open === undefined || message?.state !== 'unsent') return
  change(open.id, (now) => withRetry(now, key))
  await deliver(open.id, key, message.text)
}

export function discard(key: string): void {
  const open = thread.value
  if (open !== undefined) change(open.id, (now) => withoutUnsent(now, key))
}

async function deliver(id: string, key: string, text: string): Promise<void> {
  try {
    const taken = await call('message.send', { who: id, text, idempotencyKey: key })
    change(id, (now) => withTaken(now, key, taken))
  } catch (error) {
    if (thread.value?.id === id) change(id, (now) => withUnsent(now, key, failureText(error)))
    else tellFailure(error)
  }
  release()
}

function release(): void {
  if (thread.value !== undefined && isSending(thread.value)) return
  const late = held
  held = []
  for (const event of late) takeTalk(event)
}

/** What an event says of messages. @returns false when the list of conversations has to be asked for again */
export function takeTalk(event: EventView): boolean {
  const told = messageOf(event)
  const isOwn = event.event === 'state' || told?.message.direction === 'out'
  if (isOwn && thread.value !== undefined && isSending(thread.value)) {
    held.push(event)
    return true
  }
  if (told !== undefined) return takeMessage(told)
  const messageId = String(event.detail.messageId ?? '')
  const state = event.detail.state as DeliveryState
  const reason = event.detail.reason === undefined ? undefined : String(event.detail.reason)
  if (thread.value !== undefined) thread.value = withState(thread.value, messageId, state, reason)
  conversations.value = conversations.value && withLastState(conversations.value, messageId, state)
  return true
}

function takeMessage(told: ToldMessage): boolean {
  const { friend, message } = told
  const row = conversations.value?.find(({ id }) => id === friend)
  conversations.value = conversations.value && withMessage(conversations.value, told)
  change(friend, (now) => withArrived(now, { ...message, key: message.messageId }))
  if (message.direction === 'in') {
    const name = row === undefined ? 'a friend' : sanitiseLine(nameOf(row))
    const isOpen = thread.value?.id === friend
    announce(message.messageId, isOpen ? `${name}: ${inOneLine(message.text)}` : `New message from ${name}`)
    notify(friend)
  }
  return row !== undefined
}

/** Somebody looks at the end of the open conversation: what stands there is read. */
export async function markSeen(): Promise<void> {
  const open = thread.value
  const row = openConversation.value
  const upTo = open && edges(open).last
  if (open === undefined || row === undefined || row.unread === 0 || open.hasNewer || upTo === undefined) return
  conversations.value = conversations.value && withUnread(conversations.value, open.id, 0)
  try {
    await call('conversation.read', { who: open.id, upTo })
  } catch (error) {
    conversations.value = conversations.value && withUnread(conversations.value, open.id, row.unread)
    tellFailure(error)
  }
}

/** Keeps what somebody has begun to write, encrypted at the node; empty removes it. */
export async function saveDraft(id: string, text: string): Promise<void> {
  const saved = conversations.value?.find((row) => row.id === id)?.draft ?? ''
  if (saved === text) return
  conversations.value = conversations.value && withDraft(conversations.value, id, text)
  // a draft that could not be kept stays in the composer, and is tried again with the next letter
  await call('draft.set', { who: id, text }).catch(() => undefined)
}
