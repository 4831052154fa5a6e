/**
 * Columns of text in the full-screen chat. What is shown is first made of characters that every terminal counts alike
 * (`showable`): a terminal that draws a cluster wider than we think would push the rest of its line aside. Widths are
 * those of string-width; text is cut and wrapped between graphemes only.
 */
import stringWidth from 'string-width'
import { sanitiseLine } from '../sanitise.ts'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
// oxlint-disable-next-line no-control-regex -- everything but printable ASCII
const BEYOND_ASCII = /[^\u0020-\u007e]/

/** Joins, presentation and skin tones: what makes one picture of several characters, on some terminals. */
const CLUSTERING = /\u200c|\u200d|\ufe0e|\ufe0f|\u20e3|\p{Emoji_Modifier}/gu
/** The two halves of a flag; terminals draw two letters or one flag, of two, three or four columns. */
const FLAG_HALF = /[\u{1f1e6}-\u{1f1ff}]/gu
const FIRST_FLAG_HALF = 0x1f1e6
/** What no terminal agrees on: ligatures of whole sentences, and bars of several columns. */
const OVERLONG = /[\ufdfa-\ufdfd\u2e3a\u2e3b\u{12000}-\u{1254f}]/gu

/** One line of any text, as it can be shown: safe (`sanitiseLine`), and as wide everywhere as `textWidth` says. */
export function showable(text: string): string {
  const safe = sanitiseLine(text)
  if (!BEYOND_ASCII.test(safe)) return safe
  return safe
    .replace(CLUSTERING, '')
    .replace(FLAG_HALF, (half) => String.fromCharCode(0x41 + half.codePointAt(0)! - FIRST_FLAG_HALF))
    .replace(OVERLONG, '\ufffd')
}

/** What a person reads as single characters. */
export function graphemes(text: string): string[] {
  if (!BEYOND_ASCII.test(text)) return text.split('')
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** What is not parted at the end of a line: graphemes, and the characters of those that no two columns hold. */
function parts(text: string): string[] {
  if (!BEYOND_ASCII.test(text)) return text.split('')
  return graphemes(text).flatMap((grapheme) =>
    grapheme.length > 1 && textWidth(grapheme) > 2 ? Array.from(grapheme) : [grapheme],
  )
}

/** Columns of a line that went through `showable`. */
export function textWidth(text: string): number {
  return stringWidth(text)
}

/** The start of a line that fits into some columns, with a sign at its end when something is missing. */
export function truncate(text: string, columns: number, sign = '…'): string {
  if (textWidth(text) <= columns) return text
  const room = columns - textWidth(sign)
  if (room < 0) return ''
  let taken = ''
  let used = 0
  for (const grapheme of parts(text)) {
    used += textWidth(grapheme)
    if (used > room) break
    taken += grapheme
  }
  return taken + sign
}

/** A line of exactly so many columns. */
export function fit(text: string, columns: number, sign = '…'): string {
  const cut = truncate(text, columns, sign)
  return cut + ' '.repeat(Math.max(0, columns - textWidth(cut)))
}

/** A line in pieces of at most so many columns, broken at spaces where there are some. @param columns 2 or more */
export function wrapText(line: string, columns: number): string[] {
  if (textWidth(line) <= columns) return [line]
  const pieces: string[] = []
  let piece = ''
  let used = 0
  // where the piece can be broken, and its width up to there
  let space = { at: -1, used: 0 }
  for (const grapheme of parts(line)) {
    const wide = textWidth(grapheme)
    if (used + wide > columns) {
      if (grapheme === ' ') {
        pieces.push(piece)
        ;[piece, used, space] = ['', 0, { at: -1, used: 0 }]
        continue
      }
      const cut = space.used > columns / 3 ? space : { at: piece.length, used }
      pieces.push(piece.slice(0, cut.at).trimEnd())
      ;[piece, used, space] = [piece.slice(cut.at), used - cut.used, { at: -1, used: 0 }]
    }
    piece += grapheme
    used += wide
    if (grapheme === ' ') space = { at: piece.length, used }
  }
  return [...pieces, piece]
}
