/** The part of a text around what was searched in it. */

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
  const from = Math.max(0, at - AROUND)
  const end = at + query.length
  return {
    before: `${from > 0 ? '… ' : ''}${text.slice(from, at)}`.toWellFormed(),
    match: text.slice(at, end),
    after: `${text.slice(end, end + AROUND)}${end + AROUND < text.length ? ' …' : ''}`.toWellFormed(),
  }
}
