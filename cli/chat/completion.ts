/** Tab: commands by their beginning, then the names of those whom a command is for. */
import { say, type Step, still } from './actions.ts'
import { composerOf } from './composer.ts'
import { SLASH_COMMANDS, SLASH_NAMES, type SlashName } from './slash-commands.ts'
import { type ChatState, nameOf } from './state.ts'

/** Candidates that are named at once. */
const MOST_SHOWN = 12

/** The line with its last word completed as far as it is clear, or the candidates. */
export function completed(state: ChatState): Step {
  const { text, cursor } = state.composer
  if (!text.startsWith('/') || text.startsWith('//') || cursor !== text.length) return still(state)
  const space = text.indexOf(' ')
  const [head, word] = space === -1 ? ['/', text.slice(1)] : [text.slice(0, space + 1), text.slice(space + 1)]
  const candidates = space === -1 ? commandNames(word) : peopleFor(state, text.slice(1, space), word)
  if (candidates.length === 0) return say(state, 'nothing begins like that')
  const common = candidates.reduce(commonStart)
  const ending = candidates.length === 1 && (space === -1 ? takesMore(candidates[0]!) : false) ? ' ' : ''
  const next: ChatState = { ...state, composer: composerOf(head + common + ending) }
  if (candidates.length === 1) return still(next)
  const more = candidates.length > MOST_SHOWN ? ` and ${candidates.length - MOST_SHOWN} more` : ''
  return say(next, candidates.slice(0, MOST_SHOWN).join('  ') + more)
}

function commandNames(word: string): string[] {
  return SLASH_NAMES.filter((name) => name.startsWith(word.toLowerCase()))
}

function takesMore(name: string): boolean {
  return SLASH_COMMANDS[name as SlashName].takes !== ''
}

function peopleFor(state: ChatState, command: string, word: string): string[] {
  if (!Object.hasOwn(SLASH_COMMANDS, command) || !SLASH_COMMANDS[command as SlashName].takes.includes('WHO')) return []
  const wanted = word.toLowerCase()
  return state.conversations.map(nameOf).filter((name) => name.toLowerCase().startsWith(wanted))
}

function commonStart(a: string, b: string): string {
  let length = 0
  while (length < a.length && a.charAt(length).toLowerCase() === b.charAt(length).toLowerCase()) length += 1
  return a.slice(0, length)
}
