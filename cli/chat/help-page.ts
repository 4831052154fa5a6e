/** The sheet that `?` and `/help` show, made of the table of keys and the table of commands. */
import { chordText, KEY_NAMES, KEYS, type KeyMode } from './keys.ts'
import type { ChatState, View } from './state.ts'

const TITLES: Readonly<Record<KeyMode, string>> = {
  anywhere: 'Everywhere',
  writing: 'While you write',
  selecting: 'On a selected message',
  page: 'On a page',
  choices: 'Where something can be chosen',
}
const FIRST_COLUMN = 24

/** All keys as they are bound, and all commands. @param commands what to write and what it does */
export function helpPage({ settings: { keys } }: Pick<ChatState, 'settings'>, commands: readonly string[]): View {
  const modes = Object.keys(TITLES) as KeyMode[]
  const keyLines = modes.flatMap((mode) => [
    TITLES[mode],
    ...KEY_NAMES.filter((name) => KEYS[name].mode === mode).map((name) =>
      helpRow(keys[name].map(chordText).join(', '), `${KEYS[name].summary}  (${name})`),
    ),
    '',
  ])
  return { kind: 'page', title: 'Keys and commands', top: 0, lines: ['Commands', ...commands, '', ...keyLines] }
}

/** A line of two columns. */
export function helpRow(left: string, right: string): string {
  return `  ${left.padEnd(FIRST_COLUMN)} ${right}`
}
