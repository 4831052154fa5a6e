/**
 * What the terminal chat knows: one immutable value. `reduce.ts` makes the next one of an action, `frame.ts` draws it,
 * `plain-chat.ts` reads it out. Texts of peers stand here as they came; whoever shows them calls `showable`.
 */
import type { ContactState, DeliveryState, TRUST_STATES } from '../../node/api/service.ts'
import { type Composer, emptyComposer } from './composer.ts'
import type { ChatSettings } from './chat-settings.ts'

/** A message as it stands in a conversation. */
export interface ChatMessage {
  /** The node's ID; before it has given one, `sending-N`. */
  readonly messageId: string
  readonly direction: 'in' | 'out'
  readonly type: string
  readonly text: string
  /** ISO 8601, UTC. */
  readonly sentAt: string
  /** `sending` until the node has it, `unsent` when the node refused it. */
  readonly state: DeliveryState | 'sending' | 'unsent'
  readonly reason?: string
  readonly via?: string
  readonly missing?: number
}

/** Somebody one talks with; `id` is theirs. */
export interface Conversation {
  readonly id: string
  readonly petname: string
  readonly name: string
  readonly state: ContactState
  readonly reason?: string
  readonly verified: boolean
  readonly trust: (typeof TRUST_STATES)[number]
  readonly keysChanged?: true
  readonly online: boolean
  readonly unread: number
  /** The oldest message that was not read. */
  readonly firstUnread?: string
  readonly draft?: string
  /** ISO 8601 of the newest message. */
  readonly lastAt?: string
}

/** The part of a conversation's history that is in memory, oldest first. */
export interface Timeline {
  readonly messages: readonly ChatMessage[]
  /** The store holds older ones. */
  readonly older: boolean
  /** The store holds newer ones. */
  readonly newer: boolean
  /** A page is on its way. */
  readonly loading: boolean
  /** The unread line stands in front of this message. */
  readonly unreadFrom?: string
  /** Arrived below the part that is shown. */
  readonly below: number
}

/** Where the last visible line is: this many lines of this message are hidden under the edge. */
export interface ScrollAnchor {
  readonly messageId: string
  readonly hidden: number
}

/** One thing that can be chosen, and the slash commands that its keys stand for. */
export interface Choice {
  readonly label: string
  readonly detail: string
  /** Command by key: `{ enter: '/open bob' }`; one that ends in a space is put into the composer to be completed. */
  readonly commands: Readonly<Record<string, string>>
}

/** What stands in the place of the messages. */
export type View =
  | { readonly kind: 'messages' }
  | {
      readonly kind: 'page'
      readonly title: string
      readonly lines: readonly string[]
      /** The first line in sight. */
      readonly top: number
      /** Whom `/confirm` is about here. */
      readonly subject?: string
    }
  | {
      readonly kind: 'choices'
      readonly title: string
      readonly choices: readonly Choice[]
      readonly selected: number
      /** What can be done with the keys of a choice, for the hint line. */
      readonly keys: string
    }

export interface Notice {
  readonly tone: 'info' | 'error'
  readonly text: string
}

/** How the node is. */
export interface NodeState {
  readonly link: 'connecting' | 'connected' | 'gone'
  readonly id: string
  readonly name: string
  /** The node ends with this chat. */
  readonly ours: boolean
  readonly peers: number
  readonly relays: number
  readonly relaysConnected: number
  readonly requests: number
  /** What stays wrong until somebody does something. */
  readonly problems: readonly string[]
}

export interface ChatState {
  readonly node: NodeState
  /** In the order in which they are shown. */
  readonly conversations: readonly Conversation[]
  /** ID of who is open. */
  readonly current?: string
  /** The last that was opened is the last here. */
  readonly timelines: ReadonlyMap<string, Timeline>
  readonly drafts: ReadonlyMap<string, string>
  readonly composer: Composer
  /** What was sent, oldest first, for Up and Down. */
  readonly sent: readonly string[]
  /** Position in `sent` while it is gone through. */
  readonly recalled?: number
  readonly view: View
  /** Undefined: at the newest message. */
  readonly scroll?: ScrollAnchor
  /** The message that keys act on. */
  readonly selected?: string
  /** Long messages that are shown whole. */
  readonly unfolded: ReadonlySet<string>
  /** Narrow terminals: the conversations are shown instead of the messages. */
  readonly listOpen: boolean
  /** A link that waits for a second key before it is opened. */
  readonly link?: string
  readonly notice?: Notice
  /** The terminal has the person's eyes, as far as it says. */
  readonly focused: boolean
  readonly rows: number
  readonly columns: number
  readonly settings: ChatSettings
  /** Numbers the messages that are being sent. */
  readonly nextLocal: number
}

/** Before anything is known of the node. */
export function initialState(settings: ChatSettings, size: { rows: number; columns: number }): ChatState {
  return {
    node: {
      link: 'connecting',
      id: '',
      name: '',
      ours: false,
      peers: 0,
      relays: 0,
      relaysConnected: 0,
      requests: 0,
      problems: [],
    },
    conversations: [],
    timelines: new Map(),
    drafts: new Map(),
    composer: emptyComposer,
    sent: [],
    view: { kind: 'messages' },
    unfolded: new Set(),
    listOpen: false,
    focused: true,
    ...size,
    settings,
    nextLocal: 1,
  }
}

export const noTimeline: Timeline = { messages: [], older: true, newer: false, loading: false, below: 0 }

/** Who is open. */
export function currentConversation(state: ChatState): Conversation | undefined {
  return state.current === undefined ? undefined : findConversation(state, state.current)
}

export function findConversation(state: ChatState, id: string): Conversation | undefined {
  return state.conversations.find((each) => each.id === id)
}

/** What is in memory of who is open. */
export function currentTimeline(state: ChatState): Timeline {
  return (state.current === undefined ? undefined : state.timelines.get(state.current)) ?? noTimeline
}

/** What a person is called here; never empty. */
export function nameOf({ petname, name, id }: Pick<Conversation, 'petname' | 'name' | 'id'>): string {
  if (petname.trim() !== '') return petname
  return name.trim() === '' ? id.slice(0, 16) : name
}
