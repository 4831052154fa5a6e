/** Enter: what is written is a message to whoever is open, or a command. */
import { MAX_TEXT_BYTES } from '../../node/limits.ts'
import { say, type Step, step, andThen } from './actions.ts'
import { emptyComposer } from './composer.ts'
import { readLine, runCommand } from './slash-commands.ts'
import { type ChatMessage, type ChatState, currentConversation, currentTimeline } from './state.ts'
import { withTimeline } from './timeline.ts'

/** What was sent, for Up; in memory alone. */
const MAX_SENT = 100

export function sendComposed(state: ChatState): Step {
  const { text } = state.composer
  if (text.trim() === '') return step(state)
  const read = readLine(text)
  const cleared: ChatState = { ...state, composer: emptyComposer, sent: remembered(state, text), recalled: undefined }
  if ('command' in read) return kept(state, runCommand(cleared, text))
  const conversation = currentConversation(state)
  if (conversation === undefined) return say(state, 'nobody is open: /open WHO, or /invite for a first friend', 'error')
  if (conversation.state !== 'friend' && conversation.state !== 'accepted')
    return say(state, 'you are not friends yet; what you wrote stays here', 'error')
  const bytes = Buffer.byteLength(read.text)
  if (bytes > MAX_TEXT_BYTES) return say(state, `too long: ${bytes} bytes of at most ${MAX_TEXT_BYTES}`, 'error')
  const hadDraft = (state.drafts.get(conversation.id) ?? conversation.draft ?? '') !== ''
  return andThen(sent(cleared, conversation.id, read.text), (next) =>
    hadDraft ? step(next, { do: 'draft', id: conversation.id, text: '' }) : step(next),
  )
}

function remembered({ sent: before }: ChatState, text: string): string[] {
  return [...before.filter((each) => each !== text), text].slice(-MAX_SENT)
}

/** A command that could not be understood stays in the line. */
function kept(before: ChatState, after: Step): Step {
  if (after.state.notice?.tone !== 'error') return after
  return { ...after, state: { ...after.state, composer: before.composer } }
}

function sent(state: ChatState, id: string, text: string): Step {
  const local = `sending-${state.nextLocal}`
  const message: ChatMessage = {
    messageId: local,
    direction: 'out',
    type: 'text',
    text,
    sentAt: '',
    state: 'sending',
  }
  const timeline = currentTimeline(state)
  const drafts = new Map(state.drafts).set(id, '')
  const shown = { ...timeline, messages: [...timeline.messages, message], unreadFrom: undefined, below: 0 }
  const next: ChatState = {
    ...state,
    drafts,
    nextLocal: state.nextLocal + 1,
    scroll: undefined,
    selected: undefined,
    view: { kind: 'messages' },
    timelines: withTimeline(state.timelines, id, shown),
  }
  const load = timeline.newer ? [{ do: 'load' as const, id, where: 'newest' as const }] : []
  return step(next, { do: 'send', id, local, text }, ...load)
}
