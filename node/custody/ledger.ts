/**
 * The claims of a mailbox server and what they add up to (PROTOCOL 6): one line of work for each address, one synced
 * batch for each change, and the rule of who may still store when the disk runs full.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { type Kind, type KindRules, kindRules } from '../mailbox/keys.ts'
import { type Clock, type RowChange, type Store, TABLE } from '../ports.ts'
import { encode } from '../wire/schema.ts'
import { MAX_COPY_BYTES, VERB } from '../wire/commands.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { FairShares, UNKNOWN_SOURCE } from './fair-shares.ts'
import { type Claim, claimKey, claimRow, NO_SCOPE, pages, readRow } from './rows.ts'

/** Bytes that a claim, and a copy or tombstone besides the copy itself, are reckoned to take on the disk. */
const ROW_COST_BYTES = 512
/** The part of the disk that only claims with acknowledgements may use. */
const RESERVED_PART = 1 / 3
/** Tombstones of a mailbox for each copy that its cap could ever hold; above, new mail waits for the oldest to expire. */
const TOMBSTONES_PER_COPY = 16
/** The part of all claims that unused ones to knock at keep when mailboxes of friends need room. */
const DOORS_PART = 1 / 2

export interface LedgerTotals {
  claims: number
  copies: number
  /** As reckoned on the disk. */
  bytes: number
  /** Mailboxes that somebody uses: neither given up nor never used. */
  used: number
  /** Mailboxes in which mail lies. */
  holding: number
}

/** How much the server takes. */
export interface LedgerCaps {
  /** Mailboxes. */
  maxClaims: number
  /** As reckoned on the disk. */
  maxBytes: number
}

export class Ledger {
  readonly store: Store
  readonly #clock: Clock
  #caps: LedgerCaps = { maxClaims: 0, maxBytes: 0 }
  readonly #queue = new KeyedQueue()
  readonly #totals: LedgerTotals = { claims: 0, copies: 0, bytes: 0, used: 0, holding: 0 }
  /**
   * Mailboxes that never held or acknowledged anything: when there are too many claims, these give way. Addresses by
   * their hex. First those whose writer can claim them again, oldest first; then invites and boxes, whose writer cannot.
   */
  readonly #idle = new Map<string, Uint8Array>()
  readonly #idleDoors = new FairShares<Uint8Array>()

  constructor(store: Store, clock: Clock, caps: LedgerCaps) {
    this.store = store
    this.#clock = clock
    this.setCaps(caps)
  }

  get caps(): Readonly<LedgerCaps> {
    return this.#caps
  }

  /** Takes more or less from now on; what is held stays. */
  setCaps({ maxClaims, maxBytes }: LedgerCaps): void {
    this.#caps = { maxClaims, maxBytes }
  }

  /** Adds up what lies in the store; once, before anything else. */
  async load(): Promise<void> {
    for await (const claims of this.claims()) for (const claim of claims) this.#count(undefined, claim)
  }

  async *claims(): AsyncGenerator<Claim[]> {
    for await (const page of pages(this.store, { table: TABLE.claim, scope: NO_SCOPE })) {
      yield page.map(({ value }) => readRow(claimRow, value))
    }
  }

  /** Seconds since 1970. */
  now(): number {
    return Math.floor(this.#clock.now() / 1000)
  }

  totals(): LedgerTotals {
    return { ...this.#totals }
  }

  /** Runs `work` alone among everything that touches `address`. */
  alone<T>(address: Uint8Array, work: () => Promise<T>): Promise<T> {
    return this.#queue.run(toHex(address), work)
  }

  async find(address: Uint8Array): Promise<Claim | undefined> {
    const value = await this.store.get(claimKey(this.store, address))
    if (value === undefined) return undefined
    const claim = readRow(claimRow, value)
    // Positions are short MACs; another address behind one is as good as none.
    return equal(claim.address, address) ? claim : undefined
  }

  /**
   * Writes one change of one mailbox.
   * @param source prefix of whoever claims it anew
   * @throws StoreError, and then nothing changed
   */
  async commit(
    before: Claim | undefined,
    after: Claim | undefined,
    changes: readonly RowChange[] = [],
    source?: string,
  ): Promise<void> {
    const { address } = (after ?? before)!
    const row = { key: claimKey(this.store, address), value: after && encode(claimRow, after) }
    // Counted before the write, so that others who write meanwhile cannot take the same room.
    this.#count(before, after, source)
    try {
      await this.store.write([...changes, row])
    } catch (error) {
      this.#count(after, before)
      throw error
    }
  }

  hasRoomForClaim(): boolean {
    return this.#totals.claims < this.#caps.maxClaims && this.#totals.bytes + ROW_COST_BYTES <= this.#caps.maxBytes
  }

  /**
   * When there are too many claims, an idle one gives way. Not to be called from within `alone`.
   * @param source prefix of whoever wants to claim
   */
  async makeRoomForClaim(kind: Kind, source: string): Promise<void> {
    if (this.hasRoomForClaim()) return
    const victim = this.#victim(kind, source)
    if (!victim) return
    await this.alone(victim, async () => {
      const claim = await this.find(victim)
      if (claim && isUnused(claim)) await this.commit(claim, undefined)
    })
  }

  #victim(kind: Kind, source: string): Uint8Array | undefined {
    const [oldest] = this.#idle.values()
    if (oldest) return oldest
    const [door] = this.#idleDoors.largestFor(source)
    if (door || isDoor(kind)) return door
    return this.#idleDoors.size > this.#caps.maxClaims * DOORS_PART ? this.#idleDoors.largest()[0] : undefined
  }

  /**
   * Whether `size` more bytes fit into the mailbox and onto the disk. Above two thirds of the disk only claims with
   * acknowledgements store, and each the less the fuller it gets: who holds most and acknowledged least stops first.
   */
  hasRoom(claim: Claim, size: number): boolean {
    const cap = quota(claim)
    if (claim.copies + 1 > cap.copies || claim.bytes + size > cap.bytes) return false
    const used = this.#totals.bytes + size + ROW_COST_BYTES
    const open = this.#caps.maxBytes * (1 - RESERVED_PART)
    if (used > this.#caps.maxBytes) return false
    if (used <= open) return true
    if (claim.weeks === 0) return false
    const left = (this.#caps.maxBytes - used) / (this.#caps.maxBytes - open)
    return claim.bytes + size <= Math.max(MAX_COPY_BYTES, cap.bytes * left)
  }

  #count(before: Claim | undefined, after: Claim | undefined, source = UNKNOWN_SOURCE): void {
    this.#totals.claims += Number(after !== undefined) - Number(before !== undefined)
    this.#totals.copies += (after?.copies ?? 0) - (before?.copies ?? 0)
    this.#totals.bytes += cost(after) - cost(before)
    this.#totals.used += Number(isUsed(after)) - Number(isUsed(before))
    this.#totals.holding += Number((after?.copies ?? 0) > 0) - Number((before?.copies ?? 0) > 0)
    const name = toHex((after ?? before)!.address)
    if (after && isUnused(after)) {
      if (isDoor(after.kind)) this.#idleDoors.set(name, after.address, source)
      else this.#idle.set(name, after.address)
    } else {
      this.#idle.delete(name)
      this.#idleDoors.delete(name)
    }
  }
}

function cost(claim: Claim | undefined): number {
  return claim ? claim.bytes + ROW_COST_BYTES * (1 + claim.copies + claim.tombstones) : 0
}

/** Whether a mailbox never held or acknowledged anything. */
function isUnused(claim: Claim): boolean {
  return claim.copies + claim.tombstones + claim.weeks === 0 && claim.release === undefined
}

/** Whether somebody would miss the mailbox. */
function isUsed(claim: Claim | undefined): boolean {
  return claim !== undefined && claim.release === undefined && !isUnused(claim)
}

/** Whether strangers knock there: such a mailbox is of use before anything lies in it, and only its reader can claim it. */
function isDoor(kind: number): boolean {
  return kindRules(kind)!.writer.includes(VERB.request)
}

/** The rules of a stored claim's kind, which exists. */
export function rulesOf(claim: Claim): KindRules {
  return kindRules(claim.kind)!
}

/** What a mailbox may hold now. */
export function quota(claim: Claim): { copies: number; bytes: number } {
  const rules = rulesOf(claim)
  const doubled = 2 ** Math.min(claim.weeks, 10)
  return {
    copies: Math.min(rules.startCopies * doubled, rules.maxCopies),
    bytes: Math.min(rules.startBytes * doubled, rules.maxBytes),
  }
}

export function maxTombstones(claim: Claim): number {
  return rulesOf(claim).maxCopies * TOMBSTONES_PER_COPY
}
