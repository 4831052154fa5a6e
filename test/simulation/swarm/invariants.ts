/**
 * What must hold in every world of the swarm. The names are those of the formal model (`test/model/delivery.qnt`) where it
 * has them; a failing seed is told by one of them.
 *
 *   noLoss             what `send` reported is in the friend's history at rest and told delivered; what was not, expired or failed
 *   noDuplicate        no history shows a message twice, and no log tells of one twice
 *   causalOrder        what its author knew when a message was written stands before it, at both friends
 *   truthfulStates     states go forward; a receipt is one that a relay gave for what lies on its disk, each counts once;
 *                      `custody` needs as many as there are relays, `delivered` that the friend's history has it
 *   bounded            rows, timers and links stay below a bound, and at rest nothing waits anywhere
 *   confidential       no planted word in a relay's rows, on a link, on gossip or in the DHT
 *   keyOnce            no message key and no tag is used for two messages
 *   mailboxNotRefilled what a relay was told to forget does not come again: an acknowledged copy, a released mailbox
 *   generationsAgree   everybody writes to a mailbox that the friend reads
 *   rollbackNoticed    who was put back and hears from a friend who opened more than it ever sent stops sealing for that friend
 *                      in the same batch, for good, and says so; nobody else does
 *   healed             who was put back or lost sessions has one again with each friend in the end, in which both are heard; nothing waits,
 *                      what is gone is shown as a gap, and who was verified is
 *   noBug              no node reports a bug of its own, and no call fails without a reason
 */
export const INVARIANTS = [
  'noLoss',
  'noDuplicate',
  'causalOrder',
  'truthfulStates',
  'bounded',
  'confidential',
  'keyOnce',
  'mailboxNotRefilled',
  'generationsAgree',
  'rollbackNoticed',
  'healed',
  'noBug',
] as const
export type Invariant = (typeof INVARIANTS)[number]

/** An invariant does not hold. */
export class Violation extends Error {
  readonly invariant: Invariant

  constructor(invariant: Invariant, what: string) {
    super(`${invariant}: ${what}`)
    this.name = 'Violation'
    this.invariant = invariant
  }
}

/** @throws Violation when it does not hold */
export function holds(condition: boolean, invariant: Invariant, what: () => string): asserts condition {
  if (!condition) throw new Violation(invariant, what())
}
