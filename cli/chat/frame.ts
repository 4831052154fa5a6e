/**
 * The screen as data: exactly as many lines as the terminal has, each of at most its columns, and where the cursor is.
 * The views only print it.
 */
import { symbolsOf } from './chat-settings.ts'
import { geometryOf, type Geometry, PROMPT } from './geometry.ts'
import { hintOf, hintText } from './hints.ts'
import { listLines } from './list-pane.ts'
import type { Line, Span } from './message-block.ts'
import { visibleLines } from './scroll.ts'
import { statusLine } from './status-line.ts'
import { type ChatState, currentConversation, currentTimeline, nameOf } from './state.ts'
import { fit, showable, textWidth, truncate, wrapText } from './text-width.ts'

export interface Frame {
  lines: readonly Line[]
  cursor: { x: number; y: number }
}

/** Smaller than this there is no room to draw in. */
const LEAST_ROWS = 5
const LEAST_COLUMNS = 16

export function frameOf(state: ChatState): Frame {
  const { rows, columns } = state
  if (rows < LEAST_ROWS || columns < LEAST_COLUMNS) return tooSmall(state)
  const geometry = geometryOf(state)
  const body = bodyLines(state, geometry)
  const composer = composerLines(state, geometry)
  const lines = [titleLine(state), ...body, statusLine(state), noticeLine(state), ...composer]
  const { composed, composerTop, composerRows } = geometry
  const cursor = { x: PROMPT.length + composed.column, y: rows - composerRows + composed.row - composerTop }
  return { lines, cursor: { x: Math.min(columns - 1, cursor.x), y: cursor.y } }
}

function tooSmall({ rows, columns }: ChatState): Frame {
  const lines: Line[] = Array.from({ length: Math.max(1, rows) }, () => [])
  lines[0] = [{ text: truncate('too small', Math.max(0, columns), '') }]
  return { lines, cursor: { x: 0, y: 0 } }
}

function titleLine(state: ChatState): Line {
  const { columns, view } = state
  const { on, off, cut } = symbolsOf(state.settings)
  const conversation = currentConversation(state)
  if (view.kind !== 'messages') return [{ text: fit(` ${showable(view.title)}`, columns, cut), inverse: true }]
  if (conversation === undefined) return [{ text: fit(' kith', columns, cut), inverse: true }]
  const { name, petname, keysChanged, trust, verified, state: contact, reason } = conversation
  const facts = [
    name === petname || name === '' ? '' : `“${showable(name)}”`,
    contact === 'friend' ? '' : `${contact}${reason === undefined ? '' : `: ${showable(reason)}`}`,
    keysChanged === true
      ? 'KEYS CHANGED'
      : trust === 'changed'
        ? 'number changed'
        : verified
          ? 'verified'
          : 'not verified',
    conversation.online ? 'online' : '',
  ]
  const text = ` ${conversation.online ? on : off} ${showable(nameOf(conversation))}  ${facts.filter((fact) => fact !== '').join(', ')}`
  const tone = keysChanged === true ? { tone: 'red' as const } : {}
  return [{ text: fit(text, columns, cut), inverse: true, bold: true, ...tone }]
}

function bodyLines(state: ChatState, geometry: Geometry): Line[] {
  const { listColumns, pane } = geometry
  const isFolded = listColumns === 0
  if (isFolded && state.listOpen) return padded(listLines(state, state.columns, pane.rows), pane.rows)
  const main = padded(mainLines(state, geometry), pane.rows)
  if (isFolded) return main
  const list = padded(listLines(state, listColumns, pane.rows), pane.rows)
  const bar: Span = { text: `${symbolsOf(state.settings).bar} `, dim: true }
  return main.map((line, row) => [...filled(list[row]!, listColumns), bar, ...line])
}

function mainLines(state: ChatState, { pane }: Geometry): Line[] {
  const { view } = state
  if (view.kind === 'page') {
    const { cut } = symbolsOf(state.settings)
    return view.lines
      .slice(view.top, view.top + pane.rows)
      .map((line) => [{ text: truncate(showable(line), pane.columns, cut) }])
  }
  if (view.kind === 'choices') return choiceLines(state, view, pane)
  const lines = visibleLines(state, pane)
  if (lines.length === 0) return emptyLines(state, pane.columns)
  const shown = lines.map(({ line, messageId }) =>
    messageId === state.selected ? line.map((span) => ({ ...span, inverse: true })) : line,
  )
  // The newest message stands at the bottom, as people expect it of a chat.
  return [...Array.from({ length: pane.rows - shown.length }, (): Line => []), ...shown]
}

function choiceLines(
  state: ChatState,
  { choices, selected, keys }: Extract<ChatState['view'], { kind: 'choices' }>,
  { rows, columns }: Geometry['pane'],
): Line[] {
  const { cut } = symbolsOf(state.settings)
  if (choices.length === 0) return [[{ text: ' nothing', dim: true }]]
  const room = Math.max(1, Math.floor((rows - 2) / 2))
  const first = Math.min(Math.max(0, selected - room + 1), Math.max(0, choices.length - room))
  const lines = choices
    .slice(first, first + room)
    .flatMap(({ label, detail }, index): Line[] => [
      [{ text: fit(` ${showable(label)}`, columns, cut), inverse: first + index === selected }],
      [{ text: truncate(`   ${showable(detail)}`, columns, cut), dim: true }],
    ])
  return [...lines, [], [{ text: truncate(` ${keys}`, columns, cut), tone: 'yellow' }]]
}

function emptyLines(state: ChatState, columns: number): Line[] {
  if (state.node.link === 'connecting') return [[{ text: ' connecting' }]]
  const conversation = currentConversation(state)
  if (conversation !== undefined && currentTimeline(state).loading) return [[{ text: ' reading' }]]
  const text = conversation === undefined ? '' : `nothing has been written here yet`
  const hint = hintText(
    state,
    state.conversations.length === 0 ? 'alone' : conversation === undefined ? 'nobody' : 'quiet',
  )
  return [text, hint]
    .filter((line) => line !== '')
    .flatMap((line) => wrapText(line, columns - 1).map((piece): Line => [{ text: ` ${piece}` }]))
}

function noticeLine(state: ChatState): Line {
  const { columns, notice, link } = state
  const { cut } = symbolsOf(state.settings)
  if (link !== undefined) return [{ text: truncate(`${showable(link)} `, columns, cut), tone: 'yellow' }]
  if (notice !== undefined) {
    const tone = notice.tone === 'error' ? 'red' : 'yellow'
    return [{ text: truncate(showable(notice.text), columns, cut), tone }]
  }
  return [{ text: truncate(hintText(state, hintOf(state)), columns, cut), dim: true }]
}

function composerLines(state: ChatState, { composed, composerTop, composerRows }: Geometry): Line[] {
  return composed.lines.slice(composerTop, composerTop + composerRows).map((text, row) => {
    const isFirst = row + composerTop === 0
    return [{ text: isFirst ? PROMPT : '  ', tone: 'cyan' }, { text }]
  })
}

function padded(lines: readonly Line[], rows: number): Line[] {
  return Array.from({ length: rows }, (_, row) => lines[row] ?? [])
}

function filled(line: Line, columns: number): Line {
  const used = line.reduce((sum, { text }) => sum + textWidth(text), 0)
  return used >= columns ? line : [...line, { text: ' '.repeat(columns - used) }]
}
