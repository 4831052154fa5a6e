/**
 * Lines for people: columns, and text that wraps under its own margin. Lines are broken here rather than by the
 * terminal, so that no part of a peer's text can begin in the first column, where our own lines begin.
 */

/** What stands before every further line of a text. */
export const CONTINUATION = '│ '

/**
 * Columns that a text takes at most; wide is assumed of whatever may be wide, so that a line breaks early rather than
 * late.
 */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

function widthOf(character: string): number {
  const code = character.codePointAt(0)!
  if (code < 0x300) return 1
  if (/\p{M}/u.test(character)) return 0
  const narrow = code < 0x1100 || (code >= 0x1160 && code < 0x2300) || (code >= 0x2400 && code < 0x25fd)
  return narrow || code === 0x2713 || code === 0x2717 ? 1 : 2
}

/** Pads with spaces to a width. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

function takeWidth(text: string, width: number): string {
  let taken = ''
  let used = 0
  for (const character of text) {
    used += widthOf(character)
    if (used > width) break
    taken += character
  }
  return taken
}

/**
 * A block of lines: the first after `head`, every other one under it after `│ `.
 * @param lines safe for a terminal
 * @param columns of the terminal; undefined when there is none, then nothing is wrapped
 */
export function block(head: string, lines: readonly string[], columns: number | undefined): string[] {
  const indent = ' '.repeat(Math.min(displayWidth(head), 24))
  const room = columns === undefined ? undefined : Math.max(16, columns - indent.length - CONTINUATION.length - 1)
  const firstRoom = columns === undefined ? undefined : Math.max(16, columns - displayWidth(head) - 1)
  const wrapped = lines.flatMap((line, index) => wrap(line, index === 0 ? firstRoom : room, room))
  return wrapped.map((line, index) => (index === 0 ? `${head}${line}` : `${indent}${CONTINUATION}${line}`))
}

function wrap(line: string, firstWidth: number | undefined, width: number | undefined): string[] {
  if (firstWidth === undefined || width === undefined) return [line]
  const pieces: string[] = []
  let rest = line
  let room = firstWidth
  while (displayWidth(rest) > room) {
    let piece = takeWidth(rest, room)
    const space = piece.lastIndexOf(' ')
    if (space > room / 2) piece = piece.slice(0, space + 1)
    pieces.push(piece.trimEnd())
    rest = rest.slice(piece.length)
    room = width
  }
  return [...pieces, rest]
}

/** Rows in columns, two spaces between, the last column as it is. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : padEnd(cell, widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}
