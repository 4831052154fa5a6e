/** The line under the messages: the node, the relays, who is new elsewhere, where one has scrolled to. */
import { symbolsOf } from './chat-settings.ts'
import { chordText } from './keys.ts'
import type { Line } from './message-block.ts'
import { type ChatMessage, type ChatState, currentTimeline, nameOf } from './state.ts'
import { fit, showable } from './text-width.ts'

/** People with news that are named; the others are counted. */
const MOST_NAMED = 3

export function statusLine(state: ChatState): Line {
  const { columns, node } = state
  const { cut } = symbolsOf(state.settings)
  const parts = [...placeParts(state), ...nodeParts(state), ...newsParts(state)]
  const bad = node.link === 'gone' || node.problems.length > 0
  return [{ text: fit(` ${parts.join('  ')}`, columns, cut), inverse: true, ...(bad ? { tone: 'red' as const } : {}) }]
}

function nodeParts({ node }: ChatState): string[] {
  if (node.link === 'connecting') return ['connecting to the node']
  if (node.link === 'gone') return ['the node has gone; `kith up` starts it, trying again']
  const relays = node.relays === 0 ? 'no relay' : `relays ${node.relaysConnected}/${node.relays}`
  const peers = node.peers === 0 ? 'no peers' : `peers ${node.peers}`
  return [
    ...node.problems.slice(0, 1).map((problem) => `PROBLEM ${showable(problem)} (/status)`),
    relays,
    peers,
    ...(node.requests === 0 ? [] : [`requests ${node.requests} (/requests)`]),
    ...(node.ours ? ['your node runs while this is open'] : []),
  ]
}

function placeParts(state: ChatState): string[] {
  const timeline = currentTimeline(state)
  const { down } = symbolsOf(state.settings)
  if (state.selected !== undefined) {
    const message = timeline.messages.find(({ messageId }) => messageId === state.selected)
    if (message !== undefined) return [stateWords(message)]
  }
  if (state.scroll === undefined && !timeline.newer) return []
  const below = timeline.below > 0 ? `${timeline.below} new ${down}` : `scrolled ${down}`
  return [`${below} ${chordText(state.settings.keys.newest[0] ?? '')}`]
}

function newsParts({ conversations, current }: ChatState): string[] {
  const news = conversations.filter(({ id, unread }) => unread > 0 && id !== current)
  if (news.length === 0) return []
  const named = news.slice(0, MOST_NAMED).map((each) => `${showable(nameOf(each))} ${each.unread}`)
  return [`new: ${named.join(', ')}${news.length > MOST_NAMED ? ` and ${news.length - MOST_NAMED} more` : ''}`]
}

const WORDS: Readonly<Record<ChatMessage['state'], string>> = {
  sending: 'on its way to the node',
  unsent: 'not sent',
  queued: 'queued: kept by your node',
  sent: 'sent: handed to the network, no relay has signed for it yet',
  custody: 'custody: kept by their relays',
  delivered: 'delivered: their node has it',
  read: 'read',
  expired: 'expired: never fetched',
  failed: 'failed',
}

/** How far a message came, in words. */
export function stateWords({ direction, state, via, reason }: ChatMessage): string {
  if (direction === 'in') return via === undefined ? 'received' : `received by ${showable(via)}`
  return `${WORDS[state]}${reason === undefined ? '' : ` (${showable(reason)})`}`
}
