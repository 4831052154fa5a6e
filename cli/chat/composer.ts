/**
 * The text that is being written: pure editing between graphemes, over several lines. The cursor is an index into the
 * text, in UTF-16 units, always at the edge of a grapheme.
 */
import { graphemes, showable, textWidth } from './text-width.ts'

export interface Composer {
  readonly text: string
  readonly cursor: number
}

export const emptyComposer: Composer = { text: '', cursor: 0 }

/** A pasted text may be long; what is over this is left out before anything looks at it. */
export const MAX_COMPOSED_UNITS = 200_000

/** Control characters but tab and line feed, and those that turn text round. */
// oxlint-disable-next-line no-control-regex -- they are what is taken out
const UNTYPABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text that a terminal handed over, as a person means it: line ends are line feeds, nothing controls anything. */
export function typedText(raw: string): string {
  return raw.slice(0, MAX_COMPOSED_UNITS).toWellFormed().replace(/\r\n?/g, '\n').replace(UNTYPABLE, '')
}

/** A step by words goes no further, in UTF-16 units. */
const WORD_REACH = 500

export function composerOf(text: string): Composer {
  return { text, cursor: text.length }
}

export function insert({ text, cursor }: Composer, typed: string): Composer {
  const room = Math.max(0, MAX_COMPOSED_UNITS - text.length)
  const piece = typed.slice(0, room).toWellFormed()
  return { text: text.slice(0, cursor) + piece + text.slice(cursor), cursor: cursor + piece.length }
}

export function left({ text, cursor }: Composer): Composer {
  return { text, cursor: cursor - (graphemes(text.slice(0, cursor)).at(-1)?.length ?? 0) }
}

export function right({ text, cursor }: Composer): Composer {
  return { text, cursor: cursor + (graphemes(text.slice(cursor, cursor + 64))[0]?.length ?? 0) }
}

export function wordLeft({ text, cursor }: Composer): Composer {
  const reach = text.slice(Math.max(0, cursor - WORD_REACH), cursor)
  const rest = reach.replace(/[^\p{L}\p{N}]+$/u, '').replace(/[\p{L}\p{N}\p{M}]+$/u, '')
  return { text, cursor: cursor - reach.length + rest.length }
}

export function wordRight({ text, cursor }: Composer): Composer {
  const match = /^[^\p{L}\p{N}]*[\p{L}\p{N}\p{M}]*/u.exec(text.slice(cursor, cursor + WORD_REACH))
  return { text, cursor: cursor + (match?.[0].length ?? 0) }
}

export function lineStart({ text, cursor }: Composer): Composer {
  return { text, cursor: cursor === 0 ? 0 : text.lastIndexOf('\n', cursor - 1) + 1 }
}

export function lineEnd({ text, cursor }: Composer): Composer {
  const end = text.indexOf('\n', cursor)
  return { text, cursor: end === -1 ? text.length : end }
}

/** Takes out what lies between the cursor and where a move would bring it. */
export function erase(composer: Composer, move: (composer: Composer) => Composer): Composer {
  const [from, to] = [composer.cursor, move(composer).cursor].toSorted((a, b) => a - b) as [number, number]
  return { text: composer.text.slice(0, from) + composer.text.slice(to), cursor: from }
}

/** The line above or below, same place; undefined when there is none. */
export function lineMove(composer: Composer, by: -1 | 1): Composer | undefined {
  const { text, cursor } = composer
  const start = lineStart(composer).cursor
  const column = graphemes(text.slice(start, cursor)).length
  const target = by < 0 ? start - 1 : lineEnd(composer).cursor + 1
  if (target < 0 || target > text.length) return undefined
  const to = lineStart({ text, cursor: target })
  const line = text.slice(to.cursor, lineEnd(to).cursor)
  return { text, cursor: to.cursor + graphemes(line).slice(0, column).join('').length }
}

/** The lines that are drawn, and where the cursor stands among them. */
export interface ComposedLines {
  lines: string[]
  row: number
  column: number
}

const laidOut = new WeakMap<Composer, { columns: number; composed: ComposedLines }>()

/** @param columns of a line; 2 or more */
export function layOut(composer: Composer, columns: number): ComposedLines {
  const known = laidOut.get(composer)
  if (known?.columns === columns) return known.composed
  const composed = layOutAnew(composer, columns)
  laidOut.set(composer, { columns, composed })
  return composed
}

interface Shown {
  shown: string
  wide: number
}
/** A text repeats its characters; a few thousand of them are enough for any. */
const MAX_KNOWN_GRAPHEMES = 4096
/** Scripts join a few letters; what is wider is none of theirs. */
const MAX_GRAPHEME_COLUMNS = 8
const knownGraphemes = new Map<string, Shown>()

function shownGrapheme(grapheme: string): Shown {
  const known = knownGraphemes.get(grapheme)
  if (known !== undefined) return known
  const whole = showable(grapheme)
  const shown = textWidth(whole) > MAX_GRAPHEME_COLUMNS ? '\ufffd' : whole
  const made = { shown, wide: textWidth(shown) }
  if (knownGraphemes.size >= MAX_KNOWN_GRAPHEMES) knownGraphemes.clear()
  knownGraphemes.set(grapheme, made)
  return made
}

function layOutAnew({ text, cursor }: Composer, columns: number): ComposedLines {
  const lines: string[] = []
  const at = { row: 0, column: 0 }
  let offset = 0
  for (const logical of text.split('\n')) {
    let line = ''
    let used = 0
    for (const grapheme of graphemes(logical)) {
      if (offset === cursor) Object.assign(at, { row: lines.length, column: used })
      const { shown, wide } = shownGrapheme(grapheme)
      if (used + wide > columns) {
        lines.push(line)
        ;[line, used] = ['', 0]
        if (offset === cursor) Object.assign(at, { row: lines.length, column: 0 })
      }
      line += shown
      used += wide
      offset += grapheme.length
    }
    if (offset === cursor) {
      const isFull = used >= columns
      Object.assign(at, isFull ? { row: lines.length + 1, column: 0 } : { row: lines.length, column: used })
      if (isFull) {
        lines.push(line)
        line = ''
      }
    }
    lines.push(line)
    offset += 1
  }
  return { lines, ...at }
}
