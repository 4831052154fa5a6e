/**
 * Which lines of a conversation are in sight. The place is kept by message, not by line number, so that what arrives, or
 * another width, moves nothing under the reader's eyes; only what is near it is laid out.
 */
import { blockAt, type Line } from './message-block.ts'
import { type ChatState, currentTimeline, type ScrollAnchor, type Timeline } from './state.ts'

/** Columns and rows for messages. */
export interface Pane {
  columns: number
  rows: number
}

export interface VisibleLine {
  line: Line
  messageId: string
}

interface Place {
  index: number
  hidden: number
}

function placeOf(timeline: Timeline, anchor: ScrollAnchor | undefined): Place {
  const index =
    anchor === undefined ? -1 : timeline.messages.findLastIndex((each) => each.messageId === anchor.messageId)
  return index === -1 ? { index: timeline.messages.length - 1, hidden: 0 } : { index, hidden: anchor!.hidden }
}

/** The lines in sight, top down; fewer than the pane has when there are no more. */
export function visibleLines(state: ChatState, pane: Pane): VisibleLine[] {
  const timeline = currentTimeline(state)
  const place = placeOf(timeline, state.scroll)
  const lines: VisibleLine[] = []
  for (let { index, hidden } = place; index >= 0 && lines.length < pane.rows; index -= 1, hidden = 0) {
    const block = blockAt(state, timeline, index, pane.columns)
    const { messageId } = timeline.messages[index]!
    for (let line = block.length - 1 - Math.min(hidden, block.length - 1); line >= 0; line -= 1) {
      if (lines.length === pane.rows) break
      lines.push({ line: block[line]!, messageId })
    }
  }
  return lines.toReversed()
}

/**
 * The anchor some lines further up (or, negative, down).
 * @returns undefined at the newest message
 */
export function scrolled(state: ChatState, pane: Pane, up: number): ScrollAnchor | undefined {
  const timeline = currentTimeline(state)
  let { index, hidden } = placeOf(timeline, state.scroll)
  if (index < 0) return undefined
  const height = (at: number): number => blockAt(state, timeline, at, pane.columns).length
  hidden += up
  while (index > 0 && hidden >= height(index)) {
    hidden -= height(index)
    index -= 1
  }
  while (hidden < 0 && index < timeline.messages.length - 1) {
    index += 1
    hidden += height(index)
  }
  return settled(state, pane, { index, hidden })
}

/** The anchor that has a message at the top of the pane, as far as there is enough below it. */
export function anchorShowing(state: ChatState, pane: Pane, messageId: string): ScrollAnchor | undefined {
  const timeline = currentTimeline(state)
  const start = timeline.messages.findIndex((each) => each.messageId === messageId)
  if (start === -1) return state.scroll
  let room = pane.rows
  for (let index = start; index < timeline.messages.length; index += 1) {
    const height = blockAt(state, timeline, index, pane.columns).length
    if (height >= room) return settled(state, pane, { index, hidden: height - room })
    room -= height
  }
  return undefined
}

/** Not further up than the oldest line at the top of the pane, not further down than the newest. */
function settled(state: ChatState, pane: Pane, { index, hidden }: Place): ScrollAnchor | undefined {
  const timeline = currentTimeline(state)
  const { messages } = timeline
  const height = (at: number): number => blockAt(state, timeline, at, pane.columns).length
  let above = height(index) - hidden
  for (let at = index - 1; at >= 0 && above < pane.rows; at -= 1) above += height(at)
  let place = { index, hidden }
  // The top has been reached: down again by what is missing.
  for (let missing = pane.rows - above; missing > 0; ) {
    if (place.hidden >= missing) {
      place = { ...place, hidden: place.hidden - missing }
      break
    }
    missing -= place.hidden
    if (place.index === messages.length - 1) return undefined
    place = { index: place.index + 1, hidden: height(place.index + 1) }
  }
  if (place.index >= messages.length - 1 && place.hidden <= 0) return undefined
  return { messageId: messages[place.index]!.messageId, hidden: Math.max(0, place.hidden) }
}

/** Whether the oldest loaded message is near the top of the pane, and whether the newest is near its end. */
export function nearEnds(state: ChatState, pane: Pane): { top: boolean; bottom: boolean } {
  const timeline = currentTimeline(state)
  const { index } = placeOf(timeline, state.scroll)
  return { top: index - pane.rows < pane.rows, bottom: timeline.messages.length - index < pane.rows }
}
