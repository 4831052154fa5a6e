/** Addresses inside of a message. They are shown whole and open only when asked; nothing but http and https is one. */

export type TextPart = { text: string } | { text: string; href: string }

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u2018\u2019\u201c\u201d]+/gi
const CLOSING = /[.,;:!?)\]}]$/

/** A line cut into plain parts and addresses; joined, the parts are the line. */
export function linkParts(line: string): TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (const match of line.matchAll(ADDRESS)) {
    const address = trimmed(match[0])
    const href = hrefOf(address)
    if (href === undefined) continue
    if (match.index > from) parts.push({ text: line.slice(from, match.index) })
    parts.push({ text: address, href })
    from = match.index + address.length
  }
  if (from < line.length) parts.push({ text: line.slice(from) })
  return parts
}

/** What the browser would open, with its host in ASCII; undefined for what is no address of the web. */
function hrefOf(address: string): string | undefined {
  const url = URL.parse(address)
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : undefined
}

/** Punctuation of the sentence around it is not the address's; a bracket is when it was opened inside. */
function trimmed(address: string): string {
  let end = address
  while (CLOSING.test(end)) {
    if (end.endsWith(')') && count(end, '(') >= count(end, ')')) break
    end = end.slice(0, -1)
  }
  return end
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
