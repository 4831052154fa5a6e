/*
 * What a mailbox server keeps of a claim, its room, and how a command ends with a status.
 */
import { Refused } from './bytes.ts'
import { KIND } from './mailbox.ts'
import type { MailItem, Status } from './mailbox-maps.ts'

/** Seconds of an hour. */
export const HOUR = 3600
/** Seconds of a day. */
export const DAY = 86_400
/** Sizes of a copy. */
export const COPY_BYTES = new Set([4136, 8232, 16424, 65576])
/** 2^20. */
export const MIB = 2 ** 20
/** What a claim of a kind may hold at first, and its life. */
export const FIRST: Record<number, { copies: number; bytes: number; days: number }> = {
  [KIND.friend]: { copies: 128, bytes: MIB, days: 90 },
  [KIND.reach]: { copies: 16, bytes: 132_096, days: 90 },
  [KIND.invite]: { copies: 16, bytes: 132_096, days: 90 },
  [KIND.box]: { copies: 64, bytes: 528_384, days: 90 },
  [KIND.group]: { copies: 128, bytes: MIB, days: 90 },
  [KIND.pack]: { copies: 8, bytes: 262_144, days: 400 },
}
/** Kinds that take REQUEST, and that only R may read. */
export const BY_REQUEST = new Set<number>([KIND.invite, KIND.box])

/** A claimed mailbox. */
export interface Claim {
  kind: number
  writer: Uint8Array
  reader: Uint8Array
  until: number
  held: Map<string, { item: MailItem; expires: number }>
  proofs: Map<string, Uint8Array>
  slots: Map<string, number>
  released?: Uint8Array
  position: number
}

/** Ends a command with a status. */
export class Answered extends Refused {
  readonly status: Status
  readonly body: Uint8Array | undefined
  constructor(status: Status, body?: Uint8Array) {
    super(status)
    this.status = status
    this.body = body
  }
}

/** Ends a command with a status unless the condition holds. */
export function orElse(status: Status, condition: boolean): asserts condition {
  if (!condition) throw new Answered(status)
}

/** Rounded up to the hour. */
export const upToHour = (time: number): number => Math.ceil(time / HOUR) * HOUR

/** Copies of a size that still fit a claim. */
export function roomFor(claim: Claim, size: number): number {
  const { copies, bytes } = FIRST[claim.kind] ?? { copies: 0, bytes: 0 }
  const used = [...claim.held.values()].reduce((sum, { item }) => sum + item.copy.length, 0)
  return Math.min(copies - claim.held.size, Math.floor((bytes - used) / size))
}
