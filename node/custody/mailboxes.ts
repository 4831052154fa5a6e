/**
 * What a server does with mailboxes (PROTOCOL 6): CLAIM, PUT, STAT, reading, ACK and RELEASE on the rows of the ledger.
 * Who may do it is asked of `signedBy`, which checks a command's signature against one of the mailbox's two keys; the
 * bytes of commands and answers are the stream's work, REQUEST is `request-slots.ts`.
 */
import { compare, equal, readUint, toHex, u64 } from '../crypto/bytes.ts'
import { KIND, type Kind, KINDS, kindRules, mailboxAddress } from '../mailbox/keys.ts'
import { type RowChange, TABLE } from '../ports.ts'
import { COPY_STATE, proof as proofShape, VERB, type Verb } from '../wire/commands.ts'
import { encode } from '../wire/schema.ts'
import { type Ledger, maxTombstones, quota, rulesOf } from './ledger.ts'
import {
  type Claim,
  copyKey,
  DAY_SECONDS,
  EXPIRY,
  expiryChange,
  HOUR_SECONDS,
  hourAfter,
  hourBefore,
  pages,
  proofKey,
  readRow,
  type Slip,
  slipChanges,
  slipKey,
  slipRow,
  WEEK_SECONDS,
} from './rows.ts'

/** A released mailbox is remembered, with R's signature, at least so long. */
const RELEASED_DAYS = 90
/** Hours since 1970, shifted: a mailbox that is claimed anew starts above every position it ever had. */
const POSITIONS_PER_HOUR = 2 ** 20
/** Proofs in one STAT answer; what they do not cover is asked again. */
const MAX_PROOFS = 16

/** Whether the command at hand bears the signature of this public key. */
export type SignedBy = (publicKey: Uint8Array) => boolean

export type Refused = 'unclaimed' | 'released' | 'refused' | 'full'
export type PutOutcome =
  | { result: 'stored'; slip: Slip; room: number; fresh: boolean }
  | { result: 'acknowledged' }
  | { result: Refused }

export interface StatOutcome {
  /** Of COPY_STATE, in the order asked. */
  states: number[]
  /** Encoded `proof`s. */
  proofs: Uint8Array[]
}

export interface ReadOutcome {
  items: { address: Uint8Array; position: number; copy: Uint8Array }[]
  /** Whether copies are left that did not fit. */
  more: boolean
}

export class Mailboxes {
  readonly #ledger: Ledger
  readonly #maxDays: () => number
  /** Told of each address where a copy arrived, after it is on the disk. */
  onArrival: (address: Uint8Array) => void = () => undefined

  /** @param maxDays longest that a copy is kept */
  constructor(ledger: Ledger, maxDays: () => number) {
    this.#ledger = ledger
    this.#maxDays = maxDays
  }

  /** The signature by R has been checked. @param source prefix of whoever claims @returns seconds until which the claim lives */
  async claim(
    args: { kind: Kind; writer: Uint8Array; reader: Uint8Array; until: number },
    source: string,
  ): Promise<number | 'released' | 'full' | 'refused'> {
    const { kind, writer, reader } = args
    const ledger = this.#ledger
    const address = mailboxAddress(kind, writer, reader)
    const now = ledger.now()
    if (args.until <= now) return 'refused'
    if (!(await ledger.find(address))) await ledger.makeRoomForClaim(kind, source)
    return ledger.alone(address, async () => {
      const before = await ledger.find(address)
      if (before?.release) return 'released'
      const until = hourAfter(Math.min(args.until, now + kindRules(kind)!.lifeDays * DAY_SECONDS))
      if (before && before.until >= until) return before.until
      if (before) {
        await ledger.commit(before, { ...before, until })
        return until
      }
      if (!ledger.hasRoomForClaim()) return 'full'
      const next = Math.floor(now / HOUR_SECONDS) * POSITIONS_PER_HOUR + 1
      const empty = { next, copies: 0, bytes: 0, tombstones: 0, weeks: 0, lastWeek: 0 }
      await ledger.commit(undefined, { address, kind, writer, reader, until, ...empty }, [], source)
      return until
    })
  }

  async put(
    args: { address: Uint8Array; cid: Uint8Array; copy: Uint8Array; expires: number },
    signedBy: SignedBy,
  ): Promise<PutOutcome> {
    const { address, cid, copy } = args
    const outcome = await this.#ledger.alone(address, async (): Promise<PutOutcome> => {
      const claim = await this.writable(address, VERB.put, signedBy)
      if (typeof claim === 'string') return { result: claim }
      const held = await this.slip(address, cid)
      if (held?.proof) return { result: 'acknowledged' }
      if (held) return { result: 'stored', slip: held, room: room(claim, copy.length), fresh: false }
      const expires = this.expiry(claim, args.expires)
      if (expires === undefined) return { result: 'refused' }
      if (claim.tombstones >= maxTombstones(claim)) return { result: 'full' }
      if (!this.#ledger.hasRoom(claim, copy.length)) return { result: 'full' }
      const { slip, after } = await this.store(claim, { cid, copy, expires })
      return { result: 'stored', slip, room: room(after, copy.length), fresh: true }
    })
    if (outcome.result === 'stored' && outcome.fresh) this.onArrival(address)
    return outcome
  }

  /** The claim of `address` if this command may write to it. */
  async writable(address: Uint8Array, verb: Verb, signedBy: SignedBy): Promise<Claim | Exclude<Refused, 'full'>> {
    const claim = await this.#ledger.find(address)
    if (!claim) return 'unclaimed'
    if (!rulesOf(claim).writer.includes(verb) || !signedBy(claim.writer)) return 'refused'
    return claim.release ? 'released' : claim
  }

  /** When a copy shall be swept, in whole hours; undefined when it is dead already. */
  expiry(claim: Claim, asked: number): number | undefined {
    const now = this.#ledger.now()
    if (asked <= now) return undefined
    const days = claim.kind === KIND.pack ? KINDS.pack.lifeDays : this.#maxDays()
    return hourAfter(Math.min(asked, now + days * DAY_SECONDS))
  }

  async slip(address: Uint8Array, cid: Uint8Array): Promise<Slip | undefined> {
    const { store } = this.#ledger
    const value = await store.get(slipKey(store, address, cid))
    if (value === undefined) return undefined
    const slip = readRow(slipRow, value)
    return equal(slip.cid, cid) ? slip : undefined
  }

  /** Writes a copy that fits, and `replaced` out, as one batch. */
  async store(
    claim: Claim,
    mail: { cid: Uint8Array; copy: Uint8Array; expires: number; slot?: number },
    replaced: Slip[] = [],
  ): Promise<{ slip: Slip; after: Claim }> {
    const { address } = claim
    const ledger = this.#ledger
    const now = ledger.now()
    const { cid, copy, expires, slot } = mail
    const slip: Slip = { cid, stored: hourBefore(now), expires, position: claim.next, bytes: copy.length, slot }
    const after = this.#used({
      ...claim,
      next: claim.next + 1,
      copies: claim.copies + 1,
      bytes: claim.bytes + copy.length,
    })
    const changes: RowChange[] = replaced.flatMap((old) => removal(ledger, after, old))
    changes.push({ key: copyKey(address, slip.position), value: copy })
    changes.push(...slipChanges(ledger.store, address, slip, true))
    await ledger.commit(claim, after, changes)
    return { slip, after }
  }

  /** @returns undefined when this kind wants R's signature and it is not there */
  async stat(address: Uint8Array, cids: Uint8Array[], signedBy: SignedBy): Promise<StatOutcome | undefined> {
    return this.#ledger.alone(address, async () => {
      const claim = await this.#ledger.find(address)
      if (!claim) return { states: cids.map(() => COPY_STATE.missing), proofs: [] }
      if (!mayRead(claim, VERB.stat, signedBy)) return undefined
      if (claim.release) return { states: cids.map(() => COPY_STATE.released), proofs: [claim.release] }
      const states: number[] = []
      const positions = new Map<string, Uint8Array>()
      for (const cid of cids) {
        const slip = await this.slip(address, cid)
        states.push(!slip ? COPY_STATE.missing : slip.proof ? COPY_STATE.acknowledged : COPY_STATE.held)
        if (slip?.proof && positions.size < MAX_PROOFS) positions.set(toHex(slip.proof), slip.proof)
      }
      const proofs: Uint8Array[] = []
      for (const position of positions.values()) {
        const value = await this.#ledger.store.get(proofKey(address, position))
        if (value) proofs.push(value)
      }
      return { states, proofs }
    })
  }

  /** Whether this command may read at `address`; yes when nobody claimed it, there is nothing then. */
  async readable(address: Uint8Array, verb: Verb, signedBy: SignedBy): Promise<boolean> {
    const claim = await this.#ledger.find(address)
    return claim === undefined || mayRead(claim, verb, signedBy)
  }

  /**
   * Copies after a position, in order of arrival, as many as fit into `budget` bytes, but one at least.
   * @param proved whether R's signature was seen when the reading was asked for
   */
  async read(address: Uint8Array, after: number, budget: number, proved: boolean): Promise<ReadOutcome> {
    const none = { items: [], more: false }
    const claim = await this.#ledger.find(address)
    if (!claim || !mayRead(claim, VERB.fetch, () => proved) || after >= claim.next) return none
    const items: ReadOutcome['items'] = []
    let bytes = 0
    const range = { table: TABLE.copy, scope: address, from: u64(after + 1) }
    for await (const page of pages(this.#ledger.store, range, 8)) {
      for (const { position, value } of page) {
        bytes += itemBytes(value)
        if (bytes > budget && items.length > 0) return { items, more: true }
        items.push({ address, position: readUint(position, 0, 8), copy: value })
      }
    }
    return { items, more: false }
  }

  /** `command` and `signature` are R's words, kept as proof. */
  async acknowledge(
    address: Uint8Array,
    cids: Uint8Array[],
    words: { command: Uint8Array; signature: Uint8Array },
    signedBy: SignedBy,
  ): Promise<'ok' | Exclude<Refused, 'full'>> {
    return this.#ledger.alone(address, async () => {
      const claim = await this.#ownable(address, VERB.acknowledge, signedBy)
      if (typeof claim === 'string') return claim
      const { store } = this.#ledger
      const position = store.blind(words.command)
      const after = this.#used(claim)
      const changes: RowChange[] = []
      let expires = 0
      for (const cid of distinct(cids)) {
        const slip = await this.slip(address, cid)
        if (!slip || slip.proof) continue
        changes.push({ key: copyKey(address, slip.position), value: undefined })
        changes.push(...slipChanges(store, address, { ...slip, proof: position }, true))
        after.copies--
        after.bytes -= slip.bytes
        after.tombstones++
        expires = Math.max(expires, slip.expires)
      }
      if (changes.length === 0) return 'ok'
      const week = Math.floor(this.#ledger.now() / WEEK_SECONDS)
      if (week > after.lastWeek) {
        after.lastWeek = week
        after.weeks++
      }
      changes.push({ key: proofKey(address, position), value: encode(proofShape, words) })
      changes.push(expiryChange(store, address, { expires, item: position, type: EXPIRY.proof }, true))
      await this.#ledger.commit(claim, after, changes)
      return 'ok'
    })
  }

  async release(
    address: Uint8Array,
    words: { command: Uint8Array; signature: Uint8Array },
    signedBy: SignedBy,
  ): Promise<'ok' | Exclude<Refused, 'full'>> {
    return this.#ledger.alone(address, async () => {
      const claim = await this.#ownable(address, VERB.release, signedBy)
      if (claim === 'released') return 'ok'
      if (typeof claim === 'string') return claim
      const changes: RowChange[] = []
      const until = Math.max(claim.until, hourAfter(this.#ledger.now() + RELEASED_DAYS * DAY_SECONDS))
      const after = { ...claim, until, release: encode(proofShape, words) }
      for await (const slips of this.slips(address)) {
        // Tombstones stay to the end of their hour like everybody's; the sweep takes them.
        for (const slip of slips) if (!slip.proof) changes.push(...removal(this.#ledger, after, slip))
      }
      await this.#ledger.commit(claim, after, changes)
      return 'ok'
    })
  }

  /** All that is known of copies at an address, held and acknowledged, in no order. */
  async *slips(address: Uint8Array): AsyncGenerator<Slip[]> {
    for await (const page of pages(this.#ledger.store, { table: TABLE.tombstone, scope: address })) {
      yield page.map(({ value }) => readRow(slipRow, value))
    }
  }

  async #ownable(address: Uint8Array, verb: Verb, signedBy: SignedBy): Promise<Claim | Exclude<Refused, 'full'>> {
    const claim = await this.#ledger.find(address)
    if (!claim) return 'unclaimed'
    if (!rulesOf(claim).reader.includes(verb) || !signedBy(claim.reader)) return 'refused'
    return claim.release ? 'released' : claim
  }

  /** A copy of the claim that lives on from now. */
  #used(claim: Claim): Claim {
    const until = hourAfter(this.#ledger.now() + rulesOf(claim).lifeDays * DAY_SECONDS)
    return { ...claim, until: Math.max(claim.until, until) }
  }
}

/** Takes a held copy away and out of the claim's counts. */
export function removal(ledger: Ledger, claim: Claim, slip: Slip): RowChange[] {
  if (slip.proof) claim.tombstones--
  else {
    claim.copies--
    claim.bytes -= slip.bytes
  }
  const gone: RowChange[] = slip.proof ? [] : [{ key: copyKey(claim.address, slip.position), value: undefined }]
  return [...gone, ...slipChanges(ledger.store, claim.address, slip, false)]
}

function mayRead(claim: Claim, verb: Verb, signedBy: SignedBy): boolean {
  const rules = rulesOf(claim)
  return rules.anyone.includes(verb) || (rules.reader.includes(verb) && signedBy(claim.reader))
}

/** Copies of this size that still fit. */
function room(claim: Claim, size: number): number {
  const cap = quota(claim)
  return Math.max(0, Math.min(cap.copies - claim.copies, Math.floor((cap.bytes - claim.bytes) / size)))
}

/** What an item takes in an answer. */
export function itemBytes(copy: Uint8Array): number {
  return copy.length + 64
}

function distinct(cids: Uint8Array[]): Uint8Array[] {
  return cids.toSorted(compare).filter((cid, i, all) => i === 0 || !equal(cid, all[i - 1]!))
}
