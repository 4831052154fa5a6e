/**
 * What the chat tells people to do next. A hint names keys and commands of the tables and nothing else, so that a changed
 * key is told as it is and no hint can name what does not exist; tests do what each of them says.
 */
import { chordText, type KeyName } from './keys.ts'
import type { SlashName } from './slash-commands.ts'
import { type ChatState, currentConversation, currentTimeline } from './state.ts'

export type HintPart = { text: string } | { key: KeyName } | { command: SlashName; argument?: string }

const key = (name: KeyName): HintPart => ({ key: name })
const command = (name: SlashName, argument?: string): HintPart => ({
  command: name,
  ...(argument === undefined ? {} : { argument }),
})
const text = (words: string): HintPart => ({ text: words })

export const HINTS = {
  alone: [command('invite'), text(' makes a link for a friend, '), command('add', 'LINK'), text(' takes one')],
  nobody: [key('next-conversation'), text(' opens a conversation, '), command('open', 'WHO'), text(' too')],
  news: [key('next-unread'), text(' next news · '), key('help'), text(' keys')],
  scrolled: [key('newest'), text(' newest · '), key('scroll-up'), text(' older')],
  quiet: [key('help'), text(' keys · '), command('help'), text(' commands · '), key('complete'), text(' completes')],
  selecting: [
    key('copy'),
    text(' copy · '),
    key('open-link'),
    text(' link · '),
    key('trace'),
    text(' way · '),
    key('unfold'),
    text(' whole · '),
    key('escape'),
    text(' back'),
  ],
  link: [key('open-link'), text(' opens it · '), key('escape'), text(' does not')],
  page: [key('page-up'), text(' '), key('page-down'), text(' · '), key('escape'), text(' back')],
  choices: [key('choose-up'), text(' '), key('choose-down'), text(' · '), key('escape'), text(' back')],
  changed: [text('keys changed: '), command('verify'), text(' compares, '), command('trust'), text(' accepts')],
  unsent: [command('retry'), text(' sends again what could not be sent')],
} as const satisfies Record<string, readonly HintPart[]>

export type HintName = keyof typeof HINTS

/** The hint that fits what is on the screen. */
export function hintOf(state: ChatState): HintName {
  const { view, selected, link } = state
  if (link !== undefined) return 'link'
  if (view.kind === 'page') return 'page'
  if (view.kind === 'choices') return 'choices'
  if (selected !== undefined) return 'selecting'
  if (state.conversations.length === 0) return 'alone'
  const conversation = currentConversation(state)
  if (conversation === undefined) return 'nobody'
  if (conversation.keysChanged === true) return 'changed'
  if (currentTimeline(state).messages.some((message) => message.state === 'unsent')) return 'unsent'
  if (state.scroll !== undefined) return 'scrolled'
  return state.conversations.some(({ id, unread }) => unread > 0 && id !== state.current) ? 'news' : 'quiet'
}

/** A hint in words, with the keys as they are bound. */
export function hintText({ settings: { keys } }: Pick<ChatState, 'settings'>, name: HintName): string {
  const parts: readonly HintPart[] = HINTS[name]
  return parts
    .map((part) => {
      if ('text' in part) return part.text
      if ('key' in part) return chordText(keys[part.key][0] ?? '')
      return `/${part.command}${part.argument === undefined ? '' : ` ${part.argument}`}`
    })
    .join('')
}
