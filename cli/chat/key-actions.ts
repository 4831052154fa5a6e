/** What the keys of the table do. */
import { say, type Step, step, still, andThen } from './actions.ts'
import { completed } from './completion.ts'
import * as edit from './composer.ts'
import { geometryOf } from './geometry.ts'
import { type KeyMode, type KeyName, keyOf } from './keys.ts'
import { linkIn } from './links.ts'
import { leaveChat, neighbour, nextUnread, toFirstUnread } from './open-conversation.ts'
import { anchorShowing, scrolled, visibleLines } from './scroll.ts'
import { sendComposed } from './sending.ts'
import { runCommand } from './slash-commands.ts'
import { type ChatState, currentTimeline, type View } from './state.ts'

/**
 * A key that is no text.
 * @param text of a character that came behind an escape: with Alt, or typed right after the Escape key, which terminals
 *   write alike
 */
export function pressed(state: ChatState, chord: string, text?: string): Step {
  const picked = chosen(state, chord)
  if (picked !== undefined) return picked
  const name = keyOf(state.settings.keys, chord, modesOf(state))
  if (name !== undefined) return ACTIONS[name](state)
  return text === undefined ? still(state) : andThen(ACTIONS.escape(state), (next) => typed(next, text))
}

/** Text that was typed; on an empty line single characters may be keys. */
export function typed(state: ChatState, raw: string): Step {
  const text = edit.typedText(raw)
  if (state.composer.text === '' && edit.typedText(text).length === 1) {
    const picked = chosen(state, text)
    if (picked !== undefined) return picked
    const name = keyOf(state.settings.keys, text, modesOf(state))
    if (name !== undefined) return ACTIONS[name](state)
  }
  return composed(state, (composer) => edit.insert(composer, text))
}

function modesOf({ view, selected, composer }: ChatState): KeyMode[] {
  const isEmpty = composer.text === ''
  const first: KeyMode[] = []
  if (isEmpty && selected !== undefined) first.push('selecting')
  if (isEmpty && view.kind === 'page') first.push('page')
  if (isEmpty && view.kind === 'choices') first.push('choices')
  return [...first, 'anywhere', 'writing']
}

/** A key of what is chosen: it stands for a command, run or put into the line to be completed. */
function chosen(state: ChatState, chord: string): Step | undefined {
  const { view, composer } = state
  if (view.kind !== 'choices' || composer.text !== '') return undefined
  const command = view.choices[view.selected]?.commands[chord]
  if (command === undefined) return undefined
  if (command.endsWith(' ')) return still({ ...state, composer: edit.composerOf(command) })
  return runCommand(state, command)
}

function composed(state: ChatState, change: (composer: edit.Composer) => edit.Composer): Step {
  return still({ ...state, composer: change(state.composer), recalled: undefined })
}

const move =
  (change: (composer: edit.Composer) => edit.Composer) =>
  (state: ChatState): Step =>
    still({ ...state, composer: change(state.composer) })
const erase =
  (by: (composer: edit.Composer) => edit.Composer) =>
  (state: ChatState): Step =>
    composed(state, (composer) => edit.erase(composer, by))
const command =
  (line: string) =>
  (state: ChatState): Step =>
    runCommand(state, line)

const ACTIONS: Readonly<Record<KeyName, (state: ChatState) => Step>> = {
  'next-unread': nextUnread,
  'next-conversation': (state) => neighbour(state, 1),
  'previous-conversation': (state) => neighbour(state, -1),
  'toggle-list': (state) => still({ ...state, listOpen: !state.listOpen }),
  'scroll-up': (state) => scroll(state, 1),
  'scroll-down': (state) => scroll(state, -1),
  'first-unread': toFirstUnread,
  newest: toNewest,
  'select-up': (state) => select(state, -1),
  'select-down': (state) => select(state, 1),
  requests: command('/requests'),
  search: (state) => still({ ...state, composer: edit.composerOf('/search ') }),
  escape: (state) =>
    still({ ...state, view: { kind: 'messages' }, selected: undefined, link: undefined, listOpen: false }),
  leave: (state) => (state.composer.text === '' ? leaveChat(state) : still({ ...state, composer: edit.emptyComposer })),
  quit: leaveChat,

  help: (state) =>
    state.composer.text === '' ? runCommand(state, '/help') : composed(state, (c) => edit.insert(c, '?')),
  send: sendComposed,
  'new-line': (state) => composed(state, (composer) => edit.insert(composer, '\n')),
  complete: completed,
  up: (state) => recall(state, -1),
  down: (state) => recall(state, 1),
  left: move(edit.left),
  right: move(edit.right),
  'word-left': move(edit.wordLeft),
  'word-right': move(edit.wordRight),
  'line-start': move(edit.lineStart),
  'line-end': (state) => (state.composer.text === '' ? toNewest(state) : move(edit.lineEnd)(state)),
  'erase-left': erase(edit.left),
  'erase-right': erase(edit.right),
  'erase-word': erase(edit.wordLeft),
  'erase-to-start': erase(edit.lineStart),
  'erase-to-end': erase(edit.lineEnd),

  copy: (state) =>
    withSelected(state, ({ text }) => andThen(step(state, { do: 'copy', text }), (next) => say(next, 'copied'))),
  'open-link': openLink,
  trace: command('/trace'),
  retry: command('/retry'),
  unfold: (state) =>
    withSelected(state, ({ messageId }) => {
      const unfolded = new Set(state.unfolded)
      if (!unfolded.delete(messageId)) unfolded.add(messageId)
      return still({ ...state, unfolded })
    }),

  'page-up': (state) => turn(state, -1),
  'page-down': (state) => turn(state, 1),
  'choose-up': (state) => choose(state, -1),
  'choose-down': (state) => choose(state, 1),
}

function scroll(state: ChatState, up: 1 | -1): Step {
  const { pane } = geometryOf(state)
  const by = Math.max(1, pane.rows - 2)
  if (state.view.kind === 'page') return turn(state, -up * by)
  if (state.view.kind === 'choices') return choose(state, -up * by)
  const anchor = scrolled(state, pane, up * by)
  return anchor === undefined ? toNewest(state) : still({ ...state, scroll: anchor })
}

function toNewest(state: ChatState): Step {
  const { current: id } = state
  const timeline = currentTimeline(state)
  const bottom: ChatState = { ...state, scroll: undefined, selected: undefined, view: { kind: 'messages' } }
  if (id === undefined) return still(bottom)
  const timelines = new Map(state.timelines).set(id, { ...timeline, below: 0 })
  if (!timeline.newer) return still({ ...bottom, timelines })
  return step({ ...bottom, timelines }, { do: 'load', id, where: 'newest' })
}

function turn(state: ChatState, by: number): Step {
  const { view } = state
  if (view.kind !== 'page') return still(state)
  const most = Math.max(0, view.lines.length - geometryOf(state).pane.rows)
  return still({ ...state, view: { ...view, top: Math.min(most, Math.max(0, view.top + by)) } })
}

function choose(state: ChatState, by: number): Step {
  const { view } = state
  if (view.kind !== 'choices') return still(state)
  const selected = Math.min(view.choices.length - 1, Math.max(0, view.selected + by))
  return still({ ...state, view: { ...view, selected } satisfies View })
}

function select(state: ChatState, by: -1 | 1): Step {
  const { pane } = geometryOf(state)
  const { messages } = currentTimeline(state)
  const inSight = visibleLines(state, pane).map(({ messageId }) => messageId)
  if (inSight.length === 0) return say(state, 'nothing here to select')
  const at = messages.findIndex(({ messageId }) => messageId === state.selected)
  if (at === -1) return still({ ...state, selected: inSight.at(-1), view: { kind: 'messages' } })
  const next = messages[at + by]
  if (next === undefined) return still(by > 0 ? { ...state, selected: undefined } : state)
  const selected: ChatState = { ...state, selected: next.messageId, link: undefined }
  if (inSight.includes(next.messageId)) return still(selected)
  if (by < 0) return still({ ...selected, scroll: anchorShowing(selected, pane, next.messageId) })
  return still({ ...selected, scroll: scrolled(selected, pane, -pane.rows) })
}

function withSelected(state: ChatState, use: (message: { messageId: string; text: string }) => Step): Step {
  const message = currentTimeline(state).messages.find(({ messageId }) => messageId === state.selected)
  return message === undefined ? say(state, 'no message is selected') : use(message)
}

/** The first press shows the whole link, the second hands it to the system. */
function openLink(state: ChatState): Step {
  return withSelected(state, ({ text }) => {
    const url = linkIn(text)
    if (url === undefined) return say(state, 'there is no link in it')
    if (state.link === url) return step({ ...state, link: undefined }, { do: 'browse', url })
    return still({ ...state, link: url })
  })
}

/** Up and Down: within what is written, and beyond its edge through what was sent. */
function recall(state: ChatState, by: -1 | 1): Step {
  const within = edit.lineMove(state.composer, by)
  if (within !== undefined) return still({ ...state, composer: within })
  const { sent } = state
  const at = (state.recalled ?? sent.length) + by
  if (at < 0 || at > sent.length || (state.recalled === undefined && by > 0)) return still(state)
  // What was being written is not thrown away for what was sent before.
  if (state.recalled === undefined && state.composer.text !== '') return still(state)
  if (at === sent.length) return still({ ...state, recalled: undefined, composer: edit.emptyComposer })
  return still({ ...state, recalled: at, composer: edit.composerOf(sent[at]!) })
}
