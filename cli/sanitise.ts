/**
 * Text from a peer on its way to a terminal. Names, notes and messages may hold anything; what is shown can neither
 * move the cursor, colour, retitle or link, nor change the order of what stands beside it, nor begin a line of its own.
 * Data for programs (`--json`) keeps the exact text: there the same characters are escaped, not replaced.
 */

/** Control characters, shown as their pictures: `␛` for escape. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

/**
 * Invisible and ordering characters, left out: zero width, bidi marks, embeddings, overrides and isolates, fillers,
 * tags, annotation, deprecated format characters, variation selectors beyond those of emoji.
 */
const INVISIBLE = new RegExp(
  [
    '[\\u00ad\\u034f\\u061c\\u070f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u200e\\u200f\\u202a-\\u202e]',
    '[\\u2028\\u2029\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff0-\\ufffb]',
    '[\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]',
  ].join('|'),
  'gu',
)

/** Joiners have a meaning inside of emoji and of scripts that shape their letters; elsewhere they only hide. */
const SHAPED = '\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Devanagari}\\p{Script=Bengali}\\p{Script=Tamil}'
const MORE_SHAPED = '\\p{Script=Telugu}\\p{Script=Kannada}\\p{Script=Malayalam}\\p{Script=Sinhala}\\p{Script=Khmer}'
const EMOJI = '\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f'
const JOINER = new RegExp(
  `(?<![${EMOJI}${SHAPED}${MORE_SHAPED}])[\\u200c\\u200d]|[\\u200c\\u200d](?![${EMOJI}${SHAPED}${MORE_SHAPED}])`,
  'gu',
)

/** The choice between text and emoji is made of what has one. */
const VARIATION = /(?<!\p{Emoji})[\ufe0e\ufe0f]/gu

/** More marks on one letter than any language writes paint over the lines around. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu

const LINE_BREAK = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/

/** Text that takes one line whatever it holds: a name, a note in a table, an error. */
export function sanitiseLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/\t/g, ' ')
    .replace(CONTROL, picture)
    .replace(INVISIBLE, '')
    .replace(JOINER, '')
    .replace(VARIATION, '')
    .replace(STACKED_MARKS, '$1')
}

/** The lines of a text of several, each of which is safe; who prints them marks all but the first. */
export function sanitiseLines(text: string): string[] {
  return text.split(LINE_BREAK).map(sanitiseLine)
}

/** JSON that a terminal can show, in one line unless indented: what it might obey is written as `\u…`, the value stays the same. */
export function terminalSafeJson(value: unknown, indent = 0): string {
  return escapeJson(JSON.stringify(value, null, indent))
}

/** JSON that somebody else wrote, with what a terminal might obey as `\u…`; the value stays the same. */
export function escapeJson(json: string): string {
  return json.replace(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => escapeUnit(character.charCodeAt(i))).join(''),
  )
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}

function picture(control: string): string {
  const code = control.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '\u2421' : '\ufffd'
}
