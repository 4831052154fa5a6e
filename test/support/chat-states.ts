/** States of the terminal chat for its tests: somebody to talk with, messages, and a hand that plays actions. */
import type { Action, Effect } from '../../cli/chat/actions.ts'
import { chatSettings } from '../../cli/chat/chat-settings.ts'
import { reduce } from '../../cli/chat/reduce.ts'
import { type ChatMessage, type ChatState, type Conversation, initialState } from '../../cli/chat/state.ts'

const START = Date.UTC(2026, 10, 21, 9, 0)

export function settingsOf(changes: { keys?: string[]; symbols?: 'auto' | 'unicode' | 'ascii' } = {}) {
  return chatSettings({ notify: 'bell', symbols: 'unicode', keys: [], ...changes }, {})
}

export function person(petname: string, changes: Partial<Conversation> = {}): Conversation {
  const base = { id: `kith1${petname}`, petname, name: petname, state: 'friend', verified: false } as const
  return { ...base, trust: 'unverified', online: false, unread: 0, ...changes }
}

/** A minute after the one before. */
export function message(number: number, changes: Partial<ChatMessage> = {}): ChatMessage {
  return {
    messageId: `m${number}`,
    direction: 'in',
    type: 'text',
    text: `text ${number}`,
    sentAt: new Date(START + number * 60_000).toISOString(),
    state: 'delivered',
    ...changes,
  }
}

export function messages(from: number, to: number): ChatMessage[] {
  return Array.from({ length: to - from + 1 }, (_, i) => message(from + i))
}

/** Plays a chat without a node: actions go in, the effects are kept. */
export class Player {
  state: ChatState
  readonly effects: Effect[] = []

  constructor(size = { rows: 24, columns: 80 }, settings = settingsOf()) {
    this.state = initialState(settings, size)
  }

  /** With somebody to talk with: the first is open, everything of theirs is read in. */
  static with(people: Conversation[], history: ChatMessage[] = [], older = false): Player {
    const player = new Player()
    player.play({ type: 'connected', node: { id: 'kith1me', name: 'me', ours: false } })
    player.meet(people)
    if (people.length > 0) player.page('newest', history, older)
    player.effects.length = 0
    return player
  }

  meet(conversations: Conversation[], requests = 0): void {
    const node = { peers: 1, relays: 1, relaysConnected: 1, requests, problems: [] }
    this.play({ type: 'refreshed', conversations, node })
  }

  page(where: 'newest' | 'older' | 'newer', history: ChatMessage[], more: boolean): void {
    const page = { messages: history, where, older: more, newer: more }
    this.play({ type: 'page', id: this.state.current!, page })
  }

  play(...actions: Action[]): void {
    for (const action of actions) {
      const { state, effects } = reduce(this.state, action)
      this.state = state
      this.effects.push(...effects)
    }
  }

  press(...chords: string[]): void {
    for (const chord of chords) this.play({ type: 'chord', chord })
  }

  type(text: string): void {
    this.play({ type: 'typed', text })
  }

  /** What was wanted of a kind, and forgets all. */
  take<K extends Effect['do']>(kind: K): Extract<Effect, { do: K }>[] {
    const found = this.effects.filter((effect): effect is Extract<Effect, { do: K }> => effect.do === kind)
    this.effects.length = 0
    return found
  }
}
