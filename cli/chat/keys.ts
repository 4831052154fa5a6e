/**
 * The one table of keys: what each does, where it works and which chord it has. Help, hints and the configuration
 * (`keys = ["next-unread=alt+n"]`) are made of it; `key-actions.ts` does what it says.
 */
import { ConfigError } from '../../node/errors.ts'

/** Where a key works: always, while nothing is selected, on a selected message, on a page, on something to choose from. */
export type KeyMode = 'anywhere' | 'writing' | 'selecting' | 'page' | 'choices'

interface KeyRow {
  readonly mode: KeyMode
  readonly chords: readonly string[]
  readonly summary: string
}

export const KEYS = {
  'next-unread': { mode: 'anywhere', chords: ['alt+a'], summary: 'the next conversation with something new' },
  'next-conversation': { mode: 'anywhere', chords: ['ctrl+n', 'alt+right'], summary: 'the conversation below' },
  'previous-conversation': { mode: 'anywhere', chords: ['ctrl+p', 'alt+left'], summary: 'the conversation above' },
  'toggle-list': { mode: 'anywhere', chords: ['alt+l'], summary: 'conversations or messages, on a narrow terminal' },
  'scroll-up': { mode: 'anywhere', chords: ['pageup'], summary: 'older messages' },
  'scroll-down': { mode: 'anywhere', chords: ['pagedown'], summary: 'newer messages' },
  'first-unread': { mode: 'anywhere', chords: ['alt+u'], summary: 'the first new message' },
  newest: { mode: 'anywhere', chords: ['ctrl+end', 'alt+e'], summary: 'the newest message' },
  'select-up': { mode: 'anywhere', chords: ['alt+up', 'alt+k'], summary: 'select a message, and the one above' },
  'select-down': { mode: 'anywhere', chords: ['alt+down', 'alt+j'], summary: 'select the message below' },
  requests: { mode: 'anywhere', chords: ['alt+r'], summary: 'who asks to be your friend' },
  search: { mode: 'anywhere', chords: ['ctrl+f'], summary: 'search' },
  escape: { mode: 'anywhere', chords: ['escape'], summary: 'back to the messages' },
  leave: { mode: 'anywhere', chords: ['ctrl+c'], summary: 'empty the line; on an empty line leave' },
  quit: { mode: 'anywhere', chords: ['ctrl+q'], summary: 'leave' },

  help: { mode: 'writing', chords: ['?'], summary: 'these keys, on an empty line' },
  send: { mode: 'writing', chords: ['enter'], summary: 'send' },
  'new-line': { mode: 'writing', chords: ['ctrl+j', 'alt+enter', 'shift+enter'], summary: 'a new line' },
  complete: { mode: 'writing', chords: ['tab'], summary: 'complete a command or a name' },
  up: { mode: 'writing', chords: ['up'], summary: 'the line above; on the first line what was sent before' },
  down: { mode: 'writing', chords: ['down'], summary: 'the line below; on the last line what was sent after' },
  left: { mode: 'writing', chords: ['left', 'ctrl+b'], summary: 'a character left' },
  right: { mode: 'writing', chords: ['right'], summary: 'a character right' },
  'word-left': { mode: 'writing', chords: ['ctrl+left', 'alt+b'], summary: 'a word left' },
  'word-right': { mode: 'writing', chords: ['ctrl+right', 'alt+f'], summary: 'a word right' },
  'line-start': { mode: 'writing', chords: ['home', 'ctrl+a'], summary: 'start of the line' },
  'line-end': { mode: 'writing', chords: ['end', 'ctrl+e'], summary: 'end of the line; on an empty one the newest' },
  'erase-left': { mode: 'writing', chords: ['backspace'], summary: 'erase the character on the left' },
  'erase-right': { mode: 'writing', chords: ['delete', 'ctrl+d'], summary: 'erase the character on the right' },
  'erase-word': { mode: 'writing', chords: ['ctrl+w', 'alt+backspace'], summary: 'erase the word on the left' },
  'erase-to-start': { mode: 'writing', chords: ['ctrl+u'], summary: 'erase to the start of the line' },
  'erase-to-end': { mode: 'writing', chords: ['ctrl+k'], summary: 'erase to the end of the line' },

  copy: { mode: 'selecting', chords: ['y'], summary: 'copy the message' },
  'open-link': { mode: 'selecting', chords: ['o'], summary: 'show its link whole; once more opens it' },
  trace: { mode: 'selecting', chords: ['t'], summary: 'the way it took' },
  retry: { mode: 'selecting', chords: ['r'], summary: 'send what could not be sent again' },
  unfold: { mode: 'selecting', chords: ['e', 'enter'], summary: 'show a long message whole, or folded' },

  'page-up': { mode: 'page', chords: ['up'], summary: 'a line up' },
  'page-down': { mode: 'page', chords: ['down'], summary: 'a line down' },

  'choose-up': { mode: 'choices', chords: ['up'], summary: 'the one above' },
  'choose-down': { mode: 'choices', chords: ['down'], summary: 'the one below' },
} as const satisfies Record<string, KeyRow>

export type KeyName = keyof typeof KEYS
export const KEY_NAMES = Object.keys(KEYS) as KeyName[]

/** The chords of each key. */
export type KeyMap = Readonly<Record<KeyName, readonly string[]>>

const CHORD =
  /^(ctrl\+|alt\+|shift\+){0,3}([!-~]|enter|escape|tab|space|backspace|delete|up|down|left|right|home|end|pageup|pagedown)$/

/**
 * The table with what a person has changed: `name=chord`, several chords by several entries.
 * @throws ConfigError `CONFIG` for a name or a chord that does not exist
 */
export function keyMapOf(changes: readonly string[]): KeyMap {
  const changed = new Map<KeyName, string[]>()
  for (const change of changes) {
    const at = change.indexOf('=')
    const [name, chord] = [change.slice(0, at), change.slice(at + 1).toLowerCase()]
    if (!Object.hasOwn(KEYS, name)) {
      const hint = `\`kith chat\`, then ? shows the names of all keys`
      throw new ConfigError('CONFIG', `keys: no key is called ${JSON.stringify(name)}`, { hint })
    }
    if (!CHORD.test(chord)) {
      const hint = 'such as alt+n, ctrl+up or f'
      throw new ConfigError('CONFIG', `keys: ${JSON.stringify(chord)} is no key`, { hint })
    }
    changed.set(name as KeyName, [...(changed.get(name as KeyName) ?? []), chord])
  }
  const chords = (name: KeyName): readonly string[] => changed.get(name) ?? KEYS[name].chords
  return Object.fromEntries(KEY_NAMES.map((name) => [name, chords(name)])) as Record<KeyName, readonly string[]>
}

/** What a chord means in one of these modes, the first that has a meaning. */
export function keyOf(map: KeyMap, chord: string, modes: readonly KeyMode[]): KeyName | undefined {
  for (const mode of modes) {
    const found = KEY_NAMES.find((name) => KEYS[name].mode === mode && map[name].includes(chord))
    if (found !== undefined) return found
  }
  return undefined
}

/** A chord as people write it: `Alt+A`. */
export function chordText(chord: string): string {
  return chord
    .split(/\+(?=.)/)
    .map((part) => (part.length === 1 && chord.length === 1 ? part : part.charAt(0).toUpperCase() + part.slice(1)))
    .join('+')
}

/** What Ink says of a key press. */
export interface KeyPress {
  ctrl: boolean
  meta: boolean
  shift: boolean
  upArrow: boolean
  downArrow: boolean
  leftArrow: boolean
  rightArrow: boolean
  pageUp: boolean
  pageDown: boolean
  home: boolean
  end: boolean
  return: boolean
  escape: boolean
  tab: boolean
  backspace: boolean
  delete: boolean
}

const NAMED: readonly [keyof KeyPress, string][] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
]

/** The chord of a key press; undefined when it is text. */
export function chordOf(input: string, key: KeyPress): string | undefined {
  if (input === '\n') return 'ctrl+j'
  const name = NAMED.find(([flag]) => key[flag])?.[1]
  const modifiers = `${key.ctrl ? 'ctrl+' : ''}${key.meta && name !== 'escape' ? 'alt+' : ''}`
  if (name !== undefined) return `${modifiers}${key.shift ? 'shift+' : ''}${name}`
  if (modifiers === '' || input === '') return undefined
  return `${modifiers}${input === ' ' ? 'space' : input.toLowerCase()}`
}
