/** What the page knows, as signals: views read them, `session.ts`, `talk.ts` and `people.ts` write them. */
import { computed, signal } from '@preact/signals'
import type { Conversation, Request, SetupState, Status } from '../api/table.ts'
import { parseRoute, type Route } from './route.ts'
import type { ShownMessage, Thread } from './thread.ts'

/** How far the page has come with the node: `refused` when the node does not know this page. */
export type Phase = 'opening' | 'refused' | 'setup' | 'ready'

/** What lies above the page and wants an answer first. */
export type OpenDialog =
  | { kind: 'keys' }
  | { kind: 'verify'; id: string }
  | { kind: 'trace'; message: ShownMessage }
  | { kind: 'link'; href: string; shown: string }
  | { kind: 'rename'; id: string }
  | { kind: 'end'; id: string; how: 'remove' | 'block' }

export const phase = signal<Phase>('opening')
/** While the node is gone, calls fail; it is looked for all the time. */
export const isGone = signal(false)
export const setup = signal<SetupState | undefined>(undefined)
export const status = signal<Status | undefined>(undefined)
/** Undefined until the node has told it. */
export const conversations = signal<readonly Conversation[] | undefined>(undefined)
export const requests = signal<readonly Request[]>([])
export const route = signal<Route>(parseRoute(''))
export const thread = signal<Thread | undefined>(undefined)
/** A page of the thread is on its way. */
export const isPaging = signal(false)
export const dialog = signal<OpenDialog | undefined>(undefined)
/** A sentence about what has just happened, or has not. */
export const notice = signal<{ text: string; isProblem: boolean } | undefined>(undefined)
/** What is read aloud: new messages of the open conversation, and nothing of its history. */
export const announced = signal<readonly { key: string; text: string }[]>([])

export const openId = computed(() => (route.value.view === 'conversation' ? route.value.id : undefined))
export const openConversation = computed(() => conversations.value?.find(({ id }) => id === openId.value))
export const unreadTotal = computed(() => (conversations.value ?? []).reduce((sum, { unread }) => sum + unread, 0))

/** The name that this person gave, or the one that the friend claims, or the beginning of the ID. */
export function nameOf({ petname, name, id }: { petname: string; name: string; id: string }): string {
  if (petname !== '') return petname
  return name === '' ? id.slice(0, 16) : name
}

const MAX_ANNOUNCED = 5

export function announce(key: string, text: string): void {
  announced.value = [...announced.value, { key, text }].slice(-MAX_ANNOUNCED)
}
