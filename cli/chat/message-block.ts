/**
 * A message as lines of the pane: time, how far it came, who, and the text under its own margin, so that nothing a peer
 * writes can begin where our own lines begin. A long text is folded. Lines are kept as long as the message is the same.
 */
import { localTime } from '../local-time.ts'
import { symbolsOf } from './chat-settings.ts'
import { type ChatMessage, type ChatState, nameOf, type Timeline } from './state.ts'
import { fit, showable, textWidth, truncate, wrapText } from './text-width.ts'

export type Tone = 'green' | 'red' | 'yellow' | 'cyan' | 'blue' | 'magenta'

/** A part of a line that looks alike. */
export interface Span {
  readonly text: string
  readonly tone?: Tone
  readonly bold?: boolean
  readonly dim?: boolean
  readonly inverse?: boolean
}
export type Line = readonly Span[]

/** Lines of a message that is folded, and from how many on it is. */
const FOLDED_LINES = 16
const FOLD_FROM_LINES = 40
/** Whoever pastes a book is not laid out whole: more than any message of the protocol has. */
const MAX_TEXT_LINES = 5000
const WIDE_PANE = 50
const NAME_COLUMNS = 10
const LINE_BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/

interface Laid {
  key: string
  lines: readonly Line[]
}
const cache = new WeakMap<ChatMessage, Laid>()

/** The lines of the message at an index, with the day, the unread line and the gap in front of it where they belong. */
export function blockAt(state: ChatState, timeline: Timeline, index: number, columns: number): readonly Line[] {
  const message = timeline.messages[index]!
  const own = messageLines(state, message, columns)
  const front = frontLines(state, timeline, index, columns)
  return front.length === 0 ? own : [...front, ...own]
}

function frontLines(state: ChatState, timeline: Timeline, index: number, columns: number): Line[] {
  const message = timeline.messages[index]!
  const before = timeline.messages[index - 1]
  const lines: Line[] = []
  const day = dayOf(message)
  if (day !== undefined && (before === undefined ? !timeline.older : dayOf(before) !== day)) {
    lines.push([{ text: rule(state, weekday(message, day), columns), dim: true }])
  }
  if (timeline.unreadFrom === message.messageId) {
    lines.push([{ text: rule(state, 'new', columns), tone: 'yellow' }])
  }
  if (message.missing !== undefined) {
    const count = message.missing === 1 ? 'a message is missing here' : `at least ${message.missing} messages missing`
    lines.push([{ text: truncate(`(${count})`, columns), dim: true }])
  }
  return lines
}

/** What is being sent has no time yet: it belongs to the day of what stands before it. */
function dayOf({ sentAt }: ChatMessage): string | undefined {
  return sentAt === '' ? undefined : localTime(sentAt).slice(0, 10)
}

function clockOf({ sentAt }: ChatMessage): string {
  return sentAt === '' ? '     ' : localTime(sentAt).slice(11)
}

function weekday({ sentAt }: ChatMessage, day: string): string {
  return `${new Date(sentAt).toLocaleDateString('en', { weekday: 'short' })} ${day}`
}

function rule(state: ChatState, text: string, columns: number): string {
  const { rule: sign } = symbolsOf(state.settings)
  const head = `${sign.repeat(3)} ${text} `
  return truncate(head + sign.repeat(Math.max(3, columns - textWidth(head))), columns, '')
}

function messageLines(state: ChatState, message: ChatMessage, columns: number): readonly Line[] {
  const { settings, unfolded } = state
  const who = whoOf(state, message)
  const key = `${columns} ${settings.ascii} ${unfolded.has(message.messageId)} ${who}`
  const laid = cache.get(message)
  if (laid?.key === key) return laid.lines
  const lines = layOut(state, message, who, columns)
  cache.set(message, { key, lines })
  return lines
}

function whoOf(state: ChatState, { direction }: ChatMessage): string {
  if (direction === 'out') return 'me'
  const conversation = state.conversations.find(({ id }) => id === state.current)
  return conversation === undefined ? '?' : showable(nameOf(conversation))
}

function layOut(state: ChatState, message: ChatMessage, who: string, columns: number): readonly Line[] {
  const { bar, marks, cut } = symbolsOf(state.settings)
  if (message.type === 'notice') {
    return wrapText(showable(message.text), Math.max(2, columns - 8)).map((text, index) => [
      { text: `${index === 0 ? clockOf(message) : '     '} ! `, dim: true },
      { text, tone: 'red' },
    ])
  }
  const isWide = columns >= WIDE_PANE
  const mark = message.direction === 'out' ? marks[message.state] : ''
  const name = isWide ? `${fit(who, NAME_COLUMNS, cut)} ` : ''
  const head = `${clockOf(message)} ${fit(mark, 2)} `
  const indent = ' '.repeat(textWidth(head) + textWidth(name))
  const room = Math.max(2, columns - textWidth(indent) - 2)
  const words = isWide ? textLines(message) : [`${truncate(who, NAME_COLUMNS, cut)}: `, ...textLines(message)]
  const joined = isWide ? words : [words[0]! + (words[1] ?? ''), ...words.slice(2)]
  const wrapped = joined.flatMap((line) => wrapText(line, room))
  const tone: Tone = message.direction === 'out' ? 'cyan' : 'green'
  const fitting = folded(state, message, wrapped).map((text) => truncate(text, room, cut))
  return fitting.map((text, index) =>
    index === 0
      ? [{ text: head, ...markStyle(message) }, { text: name, tone }, { text: `${bar} `, dim: true }, { text }]
      : [{ text: `${indent}${bar} `, dim: true }, { text }],
  )
}

function textLines(message: ChatMessage): string[] {
  const reason = message.reason === undefined ? [] : [`(${message.state}: ${showable(message.reason)})`]
  if (message.type !== 'text') return ['(this version cannot show it)', ...reason]
  const lines = message.text.split(LINE_BREAK, MAX_TEXT_LINES).map(showable)
  return [...lines, ...reason]
}

function markStyle({ state }: ChatMessage): Partial<Span> {
  if (state === 'failed' || state === 'expired' || state === 'unsent') return { tone: 'red' }
  if (state === 'delivered' || state === 'read') return { tone: 'green' }
  return { dim: true }
}

function folded(state: ChatState, { messageId }: ChatMessage, lines: string[]): string[] {
  if (lines.length < FOLD_FROM_LINES || state.unfolded.has(messageId)) return lines
  return [...lines.slice(0, FOLDED_LINES), `(${lines.length - FOLDED_LINES} more lines)`]
}
