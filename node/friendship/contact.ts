/**
 * A contact: somebody who asked, was asked, is or was a friend, or is blocked (PROTOCOL 7). Plain data, replaced whole at
 * each durable step, with its form at rest.
 */
import { toHex } from '../crypto/bytes.ts'
import { UsageError } from '../errors.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { type Store, TABLE } from '../ports.ts'
import {
  decodeIncomingRequest,
  decodeOutgoingRequest,
  encodeIncomingRequest,
  encodeOutgoingRequest,
} from '../session/pending-request.ts'
import type { IncomingRequest, OutgoingRequest } from '../session/pending-request.ts'
import type { Transaction } from '../delivery/journal.ts'
import { MAX_INVITE_BYTES } from '../wire/invite.ts'
import { hash32, head, type Head, peerIdBytes, relays } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, list, optional, struct, text, uint } from '../wire/schema.ts'

/** By their number at rest. `failed` is none for the protocol: a request that was given up, until the person does something. */
export const CONTACT_STATE = ['none', 'outgoing', 'incoming', 'accepted', 'friend', 'blocked', 'failed'] as const
export type ContactStateName = (typeof CONTACT_STATE)[number]

/** A request of ours that is not answered yet. */
export interface Asked {
  /** The encoded invite; absent for a request by ID, which is left in the other's open box. */
  invite?: Uint8Array
  /** Secret of the mailbox in which the answer will lie, 32 bytes. */
  replySecret: Uint8Array
  /** Built once the friend's records were found; undefined before. */
  leg?: OutgoingRequest
  /** Legs that nobody opens for the first time any more, newest first: somebody who did may still answer. */
  earlier: OutgoingRequest[]
  /** Servers at which the leg lies. */
  sentTo: Uint8Array[]
  note: string
}

/** A request of theirs that waits for the person. */
export interface Asking {
  request: IncomingRequest
  /** Invite that it came through, 8 bytes; absent for the open box. */
  inviteId?: Uint8Array
  /** Milliseconds. */
  receivedAt: number
}

/** Our leg 2, until the friend's first message shows that it arrived. */
export interface Reply {
  leg: Uint8Array
  secret: Uint8Array
  relays: string[]
  /** Their own node, as a server; undefined when they did not tell. */
  direct?: string | undefined
  storedAt: Uint8Array[]
  /** Invite, 8 bytes, of which a use is to be counted when it arrived; absent when it was counted at once. */
  inviteId?: Uint8Array
}

/** Reach secrets of both directions, 32 bytes each: of a handshake through an invite, never of a rekey. */
export interface ReachSecrets {
  out: Uint8Array
  in: Uint8Array
}

/** A rekey as it stands, and what bounds the next. */
export interface Rekeying {
  /** Our leg 1. */
  leg?: OutgoingRequest
  /** Another session was made meanwhile: the leg is not left any more, but an answer to it still counts. */
  settled?: boolean
  /** Our leg 2, until the friend's first message shows that it arrived. */
  answer?: Uint8Array
  /** Seconds: when the youngest leg 1 was built, and how many were in a row. */
  started: number
  times: number
  /** Seconds: when a leg 1 of the friend's was answered last. */
  answered: number
}

/** What changed of a contact's keys since the person last accepted them. */
export interface KeyChange {
  /** The root key is another one: so is the safety number. */
  root: boolean
  /** A device speaks for them that did not before. */
  device: boolean
  /** They were verified before the root key changed; stays until they are again. */
  wasVerified: boolean
}

export interface Contact {
  /** 32 bytes. */
  id: Uint8Array
  state: ContactStateName
  /** What the person calls them; empty before anything is known. */
  petname: string
  /** What they call themselves. */
  name: string
  /** The safety number was compared, and is still the same. */
  verified: boolean
  keyChange?: KeyChange
  /** Identity record as it was last believed, and its head. */
  record?: Uint8Array
  pin?: Head
  /** The record was found by ID, and nobody confirmed that it is the newest. */
  isUnconfirmed?: true
  /** Highest rekey number of this friendship. */
  rekey: number
  /** Seconds: when both sides were sure last. */
  since?: number
  /** Why the request was given up: in state `failed` alone. */
  reason?: string
  asked?: Asked
  asking?: Asking
  reply?: Reply
  /** Newest first: of requests that crossed there are two, and both are used. */
  reach?: ReachSecrets[]
  rekeying?: Rekeying
}

/** As many as expire for being opened while the one-time keys of the oldest are kept. */
export const MAX_EARLIER_LEGS = Math.floor(limits.ONE_TIME_KEY_DAYS / limits.LEG1_DAYS)

const MAX_REASON_BYTES = 200
const MAX_REACH_SECRETS = 2
/** The name of a friend's node as a server: its addresses, joined. */
const MAX_REACH_BYTES = limits.MAX_ADDRESSES * (limits.MAX_ADDRESS_BYTES + 1) + 16

const askedShape = struct({
  invite: [1, optional(bytesBetween(1, MAX_INVITE_BYTES))],
  replySecret: [2, bytes(32)],
  leg: [3, optional(bytesBetween(1, 16384))],
  sentTo: [4, list(peerIdBytes, limits.MAX_RELAYS)],
  note: [5, text(limits.MAX_NOTE_BYTES)],
  earlier: [6, list(bytesBetween(1, 16384), MAX_EARLIER_LEGS)],
})
const askingShape = struct({
  request: [1, bytesBetween(1, 16384)],
  inviteId: [2, optional(bytes(8))],
  receivedAt: [3, uint()],
})
const replyShape = struct({
  leg: [1, bytes(limits.LEG_BYTES)],
  secret: [2, bytes(32)],
  relays: [3, relays],
  storedAt: [4, list(peerIdBytes, limits.MAX_RELAYS + 1)],
  direct: [5, optional(text(MAX_REACH_BYTES))],
  inviteId: [6, optional(bytes(8))],
})
const reachShape = struct({ out: [1, hash32], in: [2, hash32] })
const rekeyingShape = struct({
  leg: [1, optional(bytesBetween(1, 16384))],
  settled: [2, uint(1)],
  answer: [3, optional(bytes(limits.LEG_BYTES))],
  started: [4, uint()],
  times: [5, uint()],
  answered: [6, uint()],
})
const contactRow = struct({
  id: [1, hash32],
  state: [2, uint(CONTACT_STATE.length - 1)],
  petname: [3, text(limits.MAX_NAME_BYTES)],
  name: [4, text(limits.MAX_NAME_BYTES)],
  verified: [5, uint(1)],
  record: [6, optional(bytesBetween(1, limits.MAX_RECORD_BYTES))],
  pin: [7, optional(head)],
  rekey: [8, uint()],
  asked: [9, optional(askedShape)],
  asking: [10, optional(askingShape)],
  reply: [11, optional(replyShape)],
  since: [12, optional(uint())],
  reason: [13, optional(text(MAX_REASON_BYTES))],
  reach: [14, optional(list(reachShape, MAX_REACH_SECRETS))],
  rekeying: [15, optional(rekeyingShape)],
  /** Bits of KEY_CHANGE. */
  keyChange: [16, optional(uint(7))],
  unconfirmed: [17, optional(uint(1))],
})
const MAX_CONTACT_BYTES = 131_072
/** With what every ID begins. */
const ID_PREFIX = 'kith1'
const NO_SCOPE = new Uint8Array(0)

const KEY_CHANGE = { root: 1, device: 2, wasVerified: 4 } as const

export function contactKey(id: Uint8Array): string {
  return toHex(id)
}

/** Whether the person has not said yet that the contact's present keys are theirs. */
export function isUnaccepted({ keyChange }: Contact): boolean {
  return keyChange !== undefined && (keyChange.root || keyChange.device)
}

/** The contact with its present keys accepted; that it was verified once is still known. */
export function withAcceptedKeys({ keyChange, ...contact }: Contact): Contact {
  if (!keyChange?.wasVerified) return contact
  return { ...contact, keyChange: { root: false, device: false, wasVerified: true } }
}

/** Whether there is a session with them, or should be. */
export function isFriend({ state }: Contact): boolean {
  return state === 'friend' || state === 'accepted'
}

export function newContact(id: Uint8Array): Contact {
  return { id, state: 'none', petname: '', name: '', verified: false, rekey: 0 }
}

/** The contact's reach secrets with those of a handshake through an invite. */
export function withReach(
  { reach = [] }: Contact,
  secrets: { reachOut: Uint8Array; reachIn: Uint8Array },
): ReachSecrets[] {
  return [{ out: secrets.reachOut, in: secrets.reachIn }, ...reach].slice(0, MAX_REACH_SECRETS)
}

export function putContact(tx: Transaction, store: Store, contact: Contact): void {
  const { asked, asking, rekeying } = contact
  const value = encode(contactRow, {
    ...contact,
    state: CONTACT_STATE.indexOf(contact.state),
    verified: contact.verified ? 1 : 0,
    keyChange: contact.keyChange && encodeKeyChange(contact.keyChange),
    unconfirmed: contact.isUnconfirmed && 1,
    asked: asked && {
      ...asked,
      leg: asked.leg && encodeOutgoingRequest(asked.leg),
      earlier: asked.earlier.map(encodeOutgoingRequest),
    },
    asking: asking && { ...asking, request: encodeIncomingRequest(asking.request) },
    rekeying: rekeying && {
      ...rekeying,
      leg: rekeying.leg && encodeOutgoingRequest(rekeying.leg),
      settled: rekeying.settled ? 1 : 0,
    },
  })
  tx.put(TABLE.contact, NO_SCOPE, store.blind(contact.id), value)
}

export function deleteContact(tx: Transaction, store: Store, id: Uint8Array): void {
  tx.delete(TABLE.contact, NO_SCOPE, store.blind(id))
}

export async function loadContacts(store: Store): Promise<Contact[]> {
  const rows = await store.list({ table: TABLE.contact, scope: NO_SCOPE, limit: 10_000 })
  return rows.map(({ value }) => {
    const { asked, asking, rekeying, keyChange, unconfirmed, ...row } = decode(contactRow, value, MAX_CONTACT_BYTES)
    return {
      ...row,
      state: CONTACT_STATE[row.state]!,
      verified: row.verified === 1,
      ...(keyChange !== undefined && { keyChange: decodeKeyChange(keyChange) }),
      ...(unconfirmed === 1 && { isUnconfirmed: true as const }),
      ...(asked && {
        asked: {
          ...asked,
          leg: asked.leg && decodeOutgoingRequest(asked.leg),
          earlier: asked.earlier.map(decodeOutgoingRequest),
        },
      }),
      ...(asking && { asking: { ...asking, request: decodeIncomingRequest(asking.request) } }),
      ...(rekeying && {
        rekeying: {
          ...rekeying,
          leg: rekeying.leg && decodeOutgoingRequest(rekeying.leg),
          settled: rekeying.settled === 1,
        },
      }),
    }
  })
}

function encodeKeyChange({ root, device, wasVerified }: KeyChange): number {
  return (root ? KEY_CHANGE.root : 0) | (device ? KEY_CHANGE.device : 0) | (wasVerified ? KEY_CHANGE.wasVerified : 0)
}

function decodeKeyChange(bits: number): KeyChange {
  return {
    root: (bits & KEY_CHANGE.root) !== 0,
    device: (bits & KEY_CHANGE.device) !== 0,
    wasVerified: (bits & KEY_CHANGE.wasVerified) !== 0,
  }
}

/** The contacts that `who` may mean: exact petname, else ID, else prefix of an ID of at least 8 characters. */
export function findContacts(contacts: Iterable<Contact>, who: string): Contact[] {
  const all = [...contacts]
  const named = all.filter((contact) => contact.petname !== '' && contact.petname === who)
  if (named.length > 0) return named
  if (who.length < 8) return []
  return all.filter((contact) => idToText(contact.id).startsWith(who.toLowerCase()))
}

/** A name that a person may give: seen, and never meant as an ID. @throws UsageError `BAD_NAME` */
export function checkChosenPetname(petname: string): void {
  const name = petname.trim()
  if (name !== '' && name === petname && !name.toLowerCase().startsWith(ID_PREFIX)) return
  throw new UsageError('BAD_NAME', `expected a name without spaces around it that does not begin with ${ID_PREFIX}`)
}

/** A petname that is not `taken`, made from what they call themselves; never one that could be meant as an ID. */
export function freePetname(taken: ReadonlySet<string>, wanted: string, id: Uint8Array): string {
  const name = wanted.trim()
  const isPlain = name !== '' && !name.toLowerCase().startsWith(ID_PREFIX)
  if (isPlain && !taken.has(name)) return name
  const suffix = idToText(id).slice(5, 13)
  return isPlain ? `${Array.from(name).slice(0, 12).join('')}-${suffix}` : suffix
}
