/** Of a text that may have many lines: all of it in one, and the part around what was searched in it. */
import { sanitiseLines } from '../../sanitise.ts'

/** Safe to be shown, its lines behind each other. */
export function inOneLine(text: string): string {
  return sanitiseLines(text).join(' ')
}

export interface Excerpt {
  before: string
  match: string
  after: string
}

const AROUND = 60

/** @param text one line; when it does not hold the query as it stands, its beginning is shown */
export function excerpt(text: string, query: string): Excerpt {
  const at = text.toLowerCase().indexOf(query.toLowerCase())
  if (query === '' || at === -1) return { before: text.slice(0, 2 * AROUND), match: '', after: '' }
  // from the beginning of a word, when one is near
  const near = Math.max(0, at - AROUND)
  const space = text.slice(near, at).indexOf(' ')
  const from = near === 0 || space === -1 ? near : near + space + 1
  const end = at + query.length
  return {
    before: `${from > 0 ? '… ' : ''}${text.slice(from, at)}`.toWellFormed(),
    match: text.slice(at, end),
    after: `${text.slice(end, end + AROUND)}${end + AROUND < text.length ? ' …' : ''}`.toWellFormed(),
  }
}
