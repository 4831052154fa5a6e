/** What a terminal sends, as actions. Keys that were pressed quickly may come as one text. */
import type { Action } from './actions.ts'
import { chordOf, type KeyPress } from './keys.ts'

/** @param input as Ink tells it: text, or the name of a key */
export function inputActions(input: string, key: KeyPress): Action[] {
  const chord = chordOf(input, key)
  if (chord !== undefined) {
    const isCharacter = key.meta && !key.ctrl && /^[!-~]$/.test(input)
    return [{ type: 'chord', chord, ...(isCharacter ? { text: input } : {}) }]
  }
  // oxlint-disable-next-line no-control-regex -- keys are told from text by it
  const pieces = input.match(/[\u0000-\u001f]|[^\u0000-\u001f]+/g) ?? []
  return pieces.map((piece, index): Action => {
    const code = piece.charCodeAt(0)
    if (code >= 0x20) return { type: 'typed', text: piece }
    // A terminal that does not mark what is pasted: only an Enter at its end was surely pressed.
    if (piece === '\r' && index === pieces.length - 1) return { type: 'chord', chord: 'enter' }
    if (piece === '\r' || piece === '\n') return { type: 'typed', text: '\n' }
    if (piece === '\t') return { type: 'chord', chord: 'tab' }
    return { type: 'chord', chord: `ctrl+${String.fromCharCode(code + 0x60)}` }
  })
}
