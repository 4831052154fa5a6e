/** What the states of a message are called, and what they mean. */
import type { ShownState } from './thread.ts'

export const STATE_WORDS: Record<ShownState, string> = {
  sending: 'Sending',
  unsent: 'Not sent',
  queued: 'Queued',
  sent: 'Sent',
  custody: 'At the relays',
  delivered: 'Delivered',
  read: 'Read',
  expired: 'Expired',
  failed: 'Failed',
}

export const STATE_MEANINGS: Record<ShownState, string> = {
  sending: 'Your node has not taken it yet.',
  unsent: 'Your node did not take it.',
  queued: 'It is safe on your disk and waits for a way out.',
  sent: 'One relay has signed that it keeps it.',
  custody: 'As many relays as it needs have signed that they keep it.',
  delivered: 'Your friend’s device has it, and said so.',
  read: 'Your friend has read it.',
  expired: 'Nobody fetched it in time.',
  failed: 'It cannot reach your friend any more.',
}

/** How the mark beside a message is drawn. */
export type Mark = 'clock' | 'ring' | 'check' | 'double' | 'filled' | 'cross'

export function markOf(state: ShownState): Mark {
  if (state === 'sending') return 'clock'
  if (state === 'queued') return 'ring'
  if (state === 'sent' || state === 'custody') return 'check'
  if (state === 'delivered') return 'double'
  return state === 'read' ? 'filled' : 'cross'
}
