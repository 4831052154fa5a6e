/**
 * What delivery knows of one friend: the sessions that mail is sealed and opened in (each with its tags, here called a
 * lane), the mailboxes of both directions, the friend's relays, and the messages on their way. No name and no state of the
 * friendship.
 */
import { concat, equal, toHex, utf8 } from '../crypto/bytes.ts'
import {
  decodeMailboxes,
  encodeMailboxes,
  type Mailboxes,
  NO_MAILBOXES,
  openedSession,
} from '../mailbox/generations.ts'
import { tagKey, TagWindow } from '../mailbox/tags.ts'
import { MAX_SESSIONS_PER_FRIEND } from '../limits.ts'
import { type Store, TABLE, type Timer } from '../ports.ts'
import { decodeSession, encodeSession } from '../session/session-codec.ts'
import { compareSessions, type SessionState } from '../session/session-state.ts'
import { PAYLOAD_TYPE } from '../wire/payload.ts'
import { addresses, hash32, peerIdBytes, relays } from '../wire/records.ts'
import { bytesBetween, decode, encode, optional, struct, uint } from '../wire/schema.ts'
import type { Reach } from './direct-links.ts'
import type { Transaction } from './journal.ts'
import { Unreadable } from './unreadable.ts'
import { loadEntries, type OutboxEntry } from './outbox.ts'

/** The secrets of both directions, as the handshake gives them; 32 bytes each. */
export interface LaneSecrets {
  mailboxOut: Uint8Array
  mailboxIn: Uint8Array
  reachOut: Uint8Array
  reachIn: Uint8Array
}

/** One session with a friend. */
export interface Lane extends LaneSecrets {
  /** First 8 bytes of th1. */
  id: Uint8Array
  session: SessionState
  /** Next tag counter of the own direction; durable with every envelope, so that no tag is used twice. */
  tagCounter: number
  tagKeyOut: Uint8Array
  window: TagWindow
  /** One of BEHIND. But for `no` nothing is sealed, put or published in the lane; mail in it is still read. */
  behind: number
}

/**
 * Why nothing is sent in a session (PROTOCOL 8). It may be older than what was sent in it: `home` when the whole home was found
 * copied, put back or changed; `friend` when the friend has opened more than this state ever sent. It was made with a device
 * that is revoked by now, of the friend's or the own: `device`. The friend's keys changed, and the person has not said yet
 * that they are the friend's: `trust`.
 */
export const BEHIND = { no: 0, home: 1, friend: 2, device: 3, trust: 4 } as const

/** What a run knows of the direct way to one friend. */
interface DirectState {
  /** Name of the friend's node for `DirectLinks.connect`; undefined when it was not told. */
  server: string | undefined
  /** Numbers of entries that go there alone for now. */
  held: Map<number, Timer>
  /** Numbers of entries whose envelope that node has, with the envelope's place in the ratchet. */
  put: Map<number, string>
}

export interface Channel {
  friend: Uint8Array
  /** Hexadecimal ID: the key of the friend's queue. */
  key: string
  /** Where the friend reads mail. */
  relays: string[]
  /** Where the friend's own node is reached, as it was told. */
  reach: Reach
  direct: DirectState
  /** Seconds: the day on which something of the friend's last came; durable, unlike `lastHeard`. */
  heardAt: number
  /** In the order of PROTOCOL 7: highest rekey number first, then lowest th1. */
  lanes: Lane[]
  mailboxes: Mailboxes
  /** By number, oldest first. */
  entries: Map<number, OutboxEntry>
  nextNumber: number
  /** Message IDs that the friend waits to be told of. */
  receiptsDue: Uint8Array[]
  /** Milliseconds when something authentic last came, 0 before. */
  lastHeard: number
  /** What the friend wrote and no session opens. */
  unreadable: Unreadable
}

const channelRow = struct({
  relays: [1, relays],
  peerId: [2, optional(peerIdBytes)],
  addresses: [3, optional(addresses)],
  heardAt: [4, optional(uint())],
})
export const laneRow = struct({
  session: [1, bytesBetween(1, 1_000_000)],
  mailboxOut: [2, hash32],
  mailboxIn: [3, hash32],
  reachOut: [4, hash32],
  reachIn: [5, hash32],
  tagCounter: [6, uint()],
  /** One above the friend's highest tag counter that was seen. */
  nextTag: [7, uint()],
  /** One of BEHIND; absent for `no`. */
  behind: [8, optional(uint(4))],
})

const CHANNEL = utf8('c')
const MAILBOXES = utf8('b')
const LANE = utf8('l')
const AFTER_LANES = utf8('m')
const LANE_ID_BYTES = 8

export function newLane(session: SessionState, secrets: LaneSecrets, tagCounter = 0, highestTag = -1): Lane {
  return {
    ...secrets,
    id: session.th1.slice(0, LANE_ID_BYTES),
    session,
    tagCounter,
    tagKeyOut: tagKey(secrets.mailboxOut),
    window: new TagWindow(tagKey(secrets.mailboxIn), highestTag),
    behind: BEHIND.no,
  }
}

export function newChannel(friend: Uint8Array): Channel {
  return {
    friend,
    key: toHex(friend),
    relays: [],
    reach: {},
    heardAt: 0,
    direct: { server: undefined, held: new Map(), put: new Map() },
    lanes: [],
    mailboxes: NO_MAILBOXES,
    entries: new Map(),
    nextNumber: 1,
    receiptsDue: [],
    lastHeard: 0,
    unreadable: new Unreadable(),
  }
}

/** Highest rekey number first, then lowest th1 (PROTOCOL 7). */
export function laneOrder(a: Lane, b: Lane): number {
  return compareSessions(a.session, b.session)
}

/**
 * The lanes with one more, in their order, and those that end for it: first those below it that the friend was never known
 * to hold, then the last of the order.
 */
export function withLane(lanes: readonly Lane[], lane: Lane): { kept: Lane[]; ended: Lane[] } {
  const isInVain = ({ session }: Lane): boolean => session.confirmed === 0 && session.rekey < lane.session.rekey
  const others = lanes.toSorted((a, b) => Number(isInVain(a)) - Number(isInVain(b)) || laneOrder(a, b))
  const kept = [lane, ...others].slice(0, MAX_SESSIONS_PER_FRIEND)
  return { kept: kept.toSorted(laneOrder), ended: others.filter((one) => !kept.includes(one)) }
}

/** The lane to send in: of those that are not behind, the first that the friend is known to hold, else the first. */
export function sendingLane(channel: Channel): Lane | undefined {
  const lanes = channel.lanes.filter((lane) => lane.behind === BEHIND.no)
  return lanes.find((lane) => lane.session.confirmed === 1) ?? lanes[0]
}

/** The highest rekey number of a session that is known; 0 when none is. */
export function highestRekey({ lanes }: Channel): number {
  return Math.max(0, ...lanes.map(({ session }) => session.rekey))
}

/**
 * The highest rekey number of a session in which the friend has written, 0 when none is: there the friend has sealed again
 * whatever was written before.
 */
export function spokenRekey({ lanes }: Channel): number {
  return Math.max(0, ...lanes.filter(({ session }) => session.openedSerial > 0).map(({ session }) => session.rekey))
}

/** Whether there are sessions and every one is behind: nothing may leave for this friend. */
export function isBehind(channel: Channel): boolean {
  return channel.lanes.length > 0 && sendingLane(channel) === undefined
}

/** Why nothing may leave for this friend; undefined while something may. */
export function standstill(channel: Channel): Exclude<keyof typeof BEHIND, 'no'> | undefined {
  if (!isBehind(channel)) return undefined
  // a session that only waits for the person's word is as good as any after it
  const reasons = ['trust', 'friend', 'home', 'device'] as const
  return reasons.find((reason) => channel.lanes.some(({ behind }) => behind === BEHIND[reason]))
}

/** Where lanes stand after transactions that are not written yet. */
const staged = new WeakMap<Transaction, Map<Lane, number>>()

/**
 * Lanes that stand at one of `from`, as this transaction leaves them, stand at `to` after it; all of BEHIND.
 * @returns whether there was one
 */
export function setBehind(tx: Transaction, channel: Channel, from: readonly number[], to: number): boolean {
  const after = staged.get(tx) ?? new Map<Lane, number>()
  staged.set(tx, after)
  const moved = channel.lanes.filter((lane) => from.includes(after.get(lane) ?? lane.behind))
  for (const lane of moved) {
    after.set(lane, to)
    putLane(tx, channel.friend, lane, { ...lane, highestTag: lane.window.highest, behind: to })
    tx.afterCommit(() => {
      lane.behind = to
    })
  }
  return moved.length > 0
}

/** Where in the outbox a message lies. */
export function findEntry(channel: Channel, messageId: Uint8Array): OutboxEntry | undefined {
  return [...channel.entries.values()].find((entry) => equal(entry.messageId, messageId))
}

/** Messages of the person's that this friend has not acknowledged. */
export function countUnacknowledged(channel: Channel): number {
  return [...channel.entries.values()].filter((entry) => entry.type !== PAYLOAD_TYPE.receipt).length
}

/** Writes where a friend reads mail and is reached, and when they were heard. */
export function putChannel(
  tx: Transaction,
  friend: Uint8Array,
  places: Pick<Channel, 'relays' | 'reach' | 'heardAt'>,
): void {
  tx.put(
    TABLE.session,
    friend,
    CHANNEL,
    encode(channelRow, { relays: places.relays, ...places.reach, heardAt: places.heardAt }),
  )
}

export function putMailboxes(tx: Transaction, friend: Uint8Array, mailboxes: Mailboxes): void {
  tx.put(TABLE.session, friend, MAILBOXES, encodeMailboxes(mailboxes))
}

/** Messages of the friend's that opened in the sessions that are known. */
export function heardOf(lanes: readonly Lane[]): number {
  return lanes.reduce((sum, { session }) => sum + session.openedSerial, 0)
}

/** A lane's secrets as what a handshake brings to the mailboxes. */
export function handshakeOf({ session, id, mailboxIn, mailboxOut }: Lane) {
  return { rekey: session.rekey, session: id, mailboxIn, mailboxOut, held: session.confirmed === 1 }
}

/** What of a lane moves with each message. */
export type LaneProgress = Pick<Lane, 'session' | 'tagCounter' | 'behind'> & { highestTag: number }

/** Writes a lane as it will be after the transaction. */
export function putLane(tx: Transaction, friend: Uint8Array, lane: Lane, progress: LaneProgress): void {
  const value = encode(laneRow, {
    session: encodeSession(progress.session),
    mailboxOut: lane.mailboxOut,
    mailboxIn: lane.mailboxIn,
    reachOut: lane.reachOut,
    reachIn: lane.reachIn,
    tagCounter: progress.tagCounter,
    nextTag: progress.highestTag + 1,
    ...(progress.behind !== BEHIND.no && { behind: progress.behind }),
  })
  tx.put(TABLE.session, friend, concat(LANE, lane.id), value)
}

export function deleteChannel(tx: Transaction, channel: Channel): void {
  tx.delete(TABLE.session, channel.friend, CHANNEL)
  tx.delete(TABLE.session, channel.friend, MAILBOXES)
  for (const lane of channel.lanes) deleteLane(tx, channel.friend, lane)
}

export function deleteLane(tx: Transaction, friend: Uint8Array, lane: Lane): void {
  tx.delete(TABLE.session, friend, concat(LANE, lane.id))
}

/** Reads everything of a friend; a friend without a session gets an empty channel. */
export async function loadChannel(store: Store, friend: Uint8Array): Promise<Channel> {
  const channel = newChannel(friend)
  const row = await store.get({ table: TABLE.session, scope: friend, position: CHANNEL })
  if (row) {
    const { relays: theirs, heardAt = 0, ...reach } = decode(channelRow, row, 2000)
    channel.heardAt = heardAt
    channel.relays = theirs
    channel.reach = reach
  }
  const lanes = await store.list({ table: TABLE.session, scope: friend, from: LANE, to: AFTER_LANES })
  for (const { value } of lanes) {
    const { session, tagCounter, nextTag, behind = BEHIND.no, ...secrets } = decode(laneRow, value, 1_100_000)
    channel.lanes.push({ ...newLane(decodeSession(session), secrets, tagCounter, nextTag - 1), behind })
  }
  channel.lanes.sort(laneOrder)
  const mailboxes = await store.get({ table: TABLE.session, scope: friend, position: MAILBOXES })
  channel.mailboxes = mailboxes ? decodeMailboxes(mailboxes) : mailboxesOf(channel.lanes)
  for (const entry of await loadEntries(store, friend)) {
    channel.entries.set(entry.number, entry)
    channel.nextNumber = entry.number + 1
  }
  const due = await store.list({ table: TABLE.receiptDue, scope: friend, limit: 10_000 })
  channel.receiptsDue = due.map(({ value }) => value)
  return channel
}

/** A home that was written before mailboxes were replaced has those of its sessions. */
function mailboxesOf(lanes: readonly Lane[]): Mailboxes {
  const at = { now: 0, heard: 0 }
  return lanes.reduce((known, lane) => openedSession(known, handshakeOf(lane), at), NO_MAILBOXES)
}
