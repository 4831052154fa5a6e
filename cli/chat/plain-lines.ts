/**
 * The chat read out line by line: what is new between two states, for terminals without a screen, pipes and screen
 * readers. Each line begins with a word or sign of ours; a message's further lines are marked.
 */
import { localTime } from '../local-time.ts'
import { symbolsOf } from './chat-settings.ts'
import { type ChatMessage, type ChatState, currentConversation, currentTimeline, nameOf, type View } from './state.ts'
import { showable } from './text-width.ts'
import { isLocal } from './timeline.ts'

/** Messages that are read out when a conversation is opened. */
const OPENING_MESSAGES = 10
const LINE_BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/

/** Reads out one chat. */
export class PlainLines {
  /** The last message that was read out, by conversation. */
  readonly #told = new Map<string, string>()
  readonly #unread = new Map<string, number>()
  #before: ChatState

  constructor(state: ChatState) {
    this.#before = state
  }

  /** The lines for what is new in a state. */
  next(state: ChatState): string[] {
    const before = this.#before
    this.#before = state
    return [
      ...linkLines(before, state),
      ...(state.notice !== undefined && state.notice !== before.notice ? [noticeLine(state)] : []),
      ...(state.current === before.current ? [] : titleLines(state)),
      ...this.#messageLines(state),
      ...this.#newsLines(state),
      ...(state.view === before.view ? [] : viewLines(state.view)),
    ]
  }

  #messageLines(state: ChatState): string[] {
    const { current } = state
    const known = currentTimeline(state).messages.filter((message) => !isLocal(message))
    const last = known.at(-1)
    if (current === undefined || last === undefined) return []
    const told = this.#told.get(current)
    this.#told.set(current, last.messageId)
    if (told === last.messageId) return []
    const at = known.findLastIndex(({ messageId }) => messageId === told)
    const fresh = at === -1 ? known.slice(-OPENING_MESSAGES) : known.slice(at + 1)
    return fresh.flatMap((message) => messageLines(state, message))
  }

  #newsLines(state: ChatState): string[] {
    return state.conversations.flatMap((conversation) => {
      const { id, unread } = conversation
      const before = this.#unread.get(id) ?? 0
      this.#unread.set(id, unread)
      if (unread <= before || id === state.current) return []
      const name = showable(nameOf(conversation))
      return [`* ${unread} new from ${name}: /open ${name}`]
    })
  }
}

function linkLines({ node: before }: ChatState, { node }: ChatState): string[] {
  if (before.link === node.link) return []
  if (node.link === 'gone') return ['! the node has gone; `kith up` starts it, trying again']
  return before.link === 'gone'
    ? ['* the node is back']
    : [`* connected as ${showable(node.name)}; /help shows all commands`]
}

function noticeLine({ notice }: ChatState): string {
  return `${notice!.tone === 'error' ? '!' : '*'} ${showable(notice!.text)}`
}

function titleLines(state: ChatState): string[] {
  const conversation = currentConversation(state)
  if (conversation === undefined) return []
  const facts = [
    conversation.keysChanged === true ? 'KEYS CHANGED' : conversation.verified ? 'verified' : 'not verified',
    conversation.online ? 'online' : 'not online',
  ]
  return [`--- ${showable(nameOf(conversation))} (${facts.join(', ')}) ---`]
}

function messageLines(state: ChatState, message: ChatMessage): string[] {
  const conversation = currentConversation(state)
  const who = message.direction === 'out' || conversation === undefined ? 'me' : showable(nameOf(conversation))
  const { marks } = symbolsOf(state.settings)
  const head = `${localTime(message.sentAt).slice(11)} ${who}: `
  if (message.type === 'notice') return [`${localTime(message.sentAt).slice(11)} ! ${showable(message.text)}`]
  if (message.type !== 'text') return [`${head}(this version cannot show it)`]
  const lines = message.text.split(LINE_BREAK).map(showable)
  const mark = message.direction === 'out' ? ` ${marks[message.state]} ${message.state}` : ''
  const shown = lines.map((line, index) => (index === 0 ? head : '      | ') + line)
  return [...shown.slice(0, -1), `${shown.at(-1)}${mark}`]
}

function viewLines(view: View): string[] {
  if (view.kind === 'messages') return []
  const title = `--- ${showable(view.title)} ---`
  if (view.kind === 'page') return [title, ...view.lines.map((line) => showable(line).trimEnd())]
  if (view.choices.length === 0) return [title, 'nothing']
  return [
    title,
    ...view.choices.flatMap(({ label, detail, commands }, index) => [
      `${index + 1}. ${showable(label)}`,
      `   ${showable(detail)}`,
      `   ${Object.values(commands)
        .map((command) => showable(command.trimEnd()))
        .filter((command, at, all) => all.indexOf(command) === at)
        .join('  ')}`,
    ]),
  ]
}
