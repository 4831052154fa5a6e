/** How the screen is divided: the conversations, the messages, the lines under them. */
import { type ComposedLines, layOut } from './composer.ts'
import type { Pane } from './scroll.ts'
import type { ChatState } from './state.ts'

/** Below this many columns the conversations fold away. */
export const FOLD_COLUMNS = 60
const LEAST_LIST = 18
const MOST_LIST = 32
const MOST_COMPOSER_ROWS = 8
/** Title, status line, notice line. */
const FIXED_ROWS = 3
/** In front of what is written. */
export const PROMPT = '> '

export interface Geometry {
  /** 0: folded away. */
  listColumns: number
  pane: Pane
  composerRows: number
  /** What is written, in lines, of which `composerTop` is the first in sight. */
  composed: ComposedLines
  composerTop: number
}

export function geometryOf(state: ChatState): Geometry {
  const { rows, columns, composer } = state
  const composed = layOut(composer, Math.max(2, columns - PROMPT.length - 1))
  const most = Math.max(1, Math.min(MOST_COMPOSER_ROWS, Math.floor(rows / 3)))
  const composerRows = Math.min(composed.lines.length, most)
  const composerTop = Math.min(Math.max(0, composed.row - composerRows + 1), composed.lines.length - composerRows)
  const isWide = columns >= FOLD_COLUMNS
  const listColumns = isWide ? Math.min(MOST_LIST, Math.max(LEAST_LIST, Math.floor(columns / 4))) : 0
  const pane = {
    columns: Math.max(2, isWide ? columns - listColumns - 2 : columns),
    rows: Math.max(1, rows - FIXED_ROWS - composerRows),
  }
  return { listColumns, pane, composerRows, composed, composerTop }
}
