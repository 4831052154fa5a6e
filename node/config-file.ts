/**
 * The syntax of the config file: TOML of flat keys (CLI.md), read with the line of each entry and changed one entry at a
 * time, so that everything else, comments included, stays as the person wrote it. What the keys mean is config.ts's.
 */
import { parse, stringify, TomlError } from 'smol-toml'
import { ConfigError } from './errors.ts'
import { MAX_CONFIG_BYTES } from './limits.ts'

/** Of one key: a list of addresses, with comments between them. */
const MAX_STATEMENT_LINES = 200
/** Signs in a value that look like the beginning of a comment. */
const MAX_COMMENT_TRIES = 100

export interface Entry {
  key: string
  value: unknown
  /** First and last line, counted from 1. */
  line: number
  lastLine: number
}

/**
 * The entries of a config file in order.
 * @param path stands in the texts of errors
 * @throws ConfigError `CONFIG` when it is not TOML; the text says file:line
 */
export function readEntries(text: string, path: string): Entry[] {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) {
    throw new ConfigError('CONFIG', `${path}: expected at most ${MAX_CONFIG_BYTES} bytes`)
  }
  parseWhole(text, path)
  const lines = text.split('\n')
  const entries: Entry[] = []
  for (let first = 0; first < lines.length; first++) {
    if (/^\s*(#|$)/.test(lines[first]!)) continue
    const [last, table] = statementAt(lines, first)
    for (const [key, value] of Object.entries(table)) entries.push({ key, value, line: first + 1, lastLine: last + 1 })
    first = last
  }
  return entries
}

/**
 * The text with `key` set to `value`, or without it when that is undefined. Comments stay, but for those inside of a
 * list that is replaced.
 * @throws ConfigError `CONFIG` when `text` is not TOML
 */
export function replaceEntry(text: string, key: string, value: unknown): string {
  const entry = readEntries(text, 'config.toml').find((each) => each.key === key)
  const lines = text.split('\n')
  const statement = value === undefined ? [] : [stringify({ [key]: value }).trim()]
  if (entry !== undefined) {
    const old = lines.slice(entry.line - 1, entry.lastLine).join('\n')
    if (statement.length > 0) statement[0] += commentOf(old)
    lines.splice(entry.line - 1, entry.lastLine - entry.line + 1, ...statement)
    return lines.join('\n')
  }
  if (statement.length === 0) return text
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`
  return `${before}${statement[0]}\n`
}

function parseWhole(text: string, path: string): void {
  try {
    parse(text, { unsafeKeyBehaviour: 'throw' })
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    // Only the first line of its message, and not the error itself: they show the file's text.
    const [reason] = cause.message.split('\n')
    throw new ConfigError('CONFIG', `${path}:${cause.line}: ${reason!.charAt(0).toLowerCase()}${reason!.slice(1)}`)
  }
}

/** The statement that begins on line `first`: the fewest lines that parse. Each is tried, so their number has a bound. */
function statementAt(lines: string[], first: number): [last: number, table: Record<string, unknown>] {
  for (let last = first; last < Math.min(lines.length, first + MAX_STATEMENT_LINES); last++) {
    const table = tryParse(lines.slice(first, last + 1).join('\n'))
    if (table !== undefined) return [last, table]
  }
  throw new ConfigError(
    'CONFIG',
    `line ${first + 1}: expected a key and a value in at most ${MAX_STATEMENT_LINES} lines`,
  )
}

function tryParse(text: string): Record<string, unknown> | undefined {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof TomlError) return undefined
    throw error
  }
}

/** The comment behind a statement, with a space in front. */
function commentOf(statement: string): string {
  let at = statement.indexOf('#')
  for (let tries = 0; at >= 0 && tries < MAX_COMMENT_TRIES; tries++, at = statement.indexOf('#', at + 1)) {
    if (tryParse(statement.slice(0, at)) !== undefined) return ` ${statement.slice(at).trimEnd()}`
  }
  return ''
}
