/** What one batch of a friend's envelopes has gathered before it is written: state of its own, so that a failure leaves none. */
import type { Mailboxes } from '../mailbox/generations.ts'
import type { SessionState } from '../session/session-state.ts'
import { BEHIND, type Channel, type Lane } from './channel.ts'
import { Transaction } from './journal.ts'

/** A session as it is after what one batch opened in it. */
interface LaneProgress {
  session: SessionState
  highestTag: number
  /** One of BEHIND. */
  behind: number
}

export interface InboxBatch {
  tx: Transaction
  lanes: Map<Lane, LaneProgress>
  mailboxes: Mailboxes
  seen: Set<string>
  messages: Set<string>
  due: Uint8Array[]
  /** Message IDs that the friend acknowledged: two envelopes may name the same, and one may name it twice. */
  acknowledged: Set<string>
  /** Tags that stand in no window, of what the friend wrote and did not open. */
  untagged: Uint8Array[]
}

export function newInboxBatch({ mailboxes }: Channel): InboxBatch {
  return {
    tx: new Transaction(),
    lanes: new Map(),
    mailboxes,
    seen: new Set(),
    messages: new Set(),
    due: [],
    acknowledged: new Set(),
    untagged: [],
  }
}

/** A lane as the batch has left it. */
export function progressOf({ lanes }: InboxBatch, lane: Lane): LaneProgress {
  return lanes.get(lane) ?? { session: lane.session, highestTag: lane.window.highest, behind: lane.behind }
}

/** The friend remembers more of this session than is here. */
export function markBehind(batch: InboxBatch, lane: Lane): void {
  const progress = progressOf(batch, lane)
  if (progress.behind !== BEHIND.device) batch.lanes.set(lane, { ...progress, behind: BEHIND.friend })
}
