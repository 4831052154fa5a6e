/**
 * REQUEST (PROTOCOL 6): knocking at an invite (16 slots) or an open box (64, at most 4 for one source prefix, the best
 * supplied prefix gives way). A slot is no receipt: its number is drawn at random, so that a knocker learns no count,
 * and the answer for a leg that was taken away is the same as before. Source prefixes stay in memory.
 */
import { toHex } from '../crypto/bytes.ts'
import { KIND } from '../mailbox/keys.ts'
import type { Random } from '../ports.ts'
import { VERB } from '../wire/commands.ts'
import { UNKNOWN_SOURCE } from './fair-shares.ts'
import { type Ledger, maxTombstones, quota } from './ledger.ts'
import { type Mailboxes, type Refused, type SignedBy } from './mailboxes.ts'
import type { Claim, Slip } from './rows.ts'

/** Slots of a box that one source prefix may fill. Fewer would hurt people behind one NAT, more would make filling cheap. */
const MAX_SLOTS_PER_SOURCE = 4

export interface Knock {
  address: Uint8Array
  cid: Uint8Array
  leg: Uint8Array
  /** Seconds. */
  expires: number
}

export class RequestSlots {
  readonly #ledger: Ledger
  readonly #mailboxes: Mailboxes
  readonly #random: Random
  readonly #maxKnownBoxes: number
  /** For each box by address, the one knocked at longest ago first: the source of each leg it holds, by cid. */
  readonly #sources = new Map<string, Map<string, string>>()

  /** @param maxKnownBoxes boxes whose legs' sources are remembered; above, they are forgotten as by a restart */
  constructor(ledger: Ledger, mailboxes: Mailboxes, random: Random, maxKnownBoxes: number) {
    this.#ledger = ledger
    this.#mailboxes = mailboxes
    this.#random = random
    this.#maxKnownBoxes = maxKnownBoxes
  }

  async place(knock: Knock, source: string, signedBy: SignedBy): Promise<{ slot: number } | Refused> {
    const { address, cid, leg } = knock
    const placed = await this.#ledger.alone(address, async () => {
      const claim = await this.#mailboxes.writable(address, VERB.request, signedBy)
      if (typeof claim === 'string') {
        if (claim !== 'refused') this.#sources.delete(toHex(address))
        return claim
      }
      const known = await this.#mailboxes.slip(address, cid)
      if (known) return { slot: known.slot ?? 0, fresh: false }
      const expires = this.#mailboxes.expiry(claim, knock.expires)
      if (expires === undefined) return 'refused'
      const { held, dead } = await this.#present(address)
      const replaced: Slip[] = []
      if (claim.kind === KIND.box) {
        const victim = this.#makeWay(claim, held, source)
        if (victim === 'full') return 'full'
        if (victim) replaced.push(victim)
      }
      // Tombstones only spare the reader a known leg: a knocker must not be able to fill the mailbox with them.
      if (dead && claim.tombstones >= maxTombstones(claim)) replaced.push(dead)
      const gone = replaced.filter((slip) => !slip.proof)
      const freed = { ...claim, copies: claim.copies - gone.length, bytes: claim.bytes - sum(gone) }
      if (!this.#ledger.hasRoom(freed, leg.length)) return 'full'
      const taken = new Set(held.filter((slip) => !gone.includes(slip)).map((slip) => slip.slot))
      const slot = this.#drawSlot(quota(claim).copies, taken)
      await this.#mailboxes.store(claim, { cid, copy: leg, expires, slot }, replaced)
      if (claim.kind === KIND.box) this.#remember(address, cid, source, held, gone)
      return { slot, fresh: true }
    })
    if (typeof placed === 'string') return placed
    if (placed.fresh) this.#mailboxes.onArrival(address)
    return { slot: placed.slot }
  }

  async #present(address: Uint8Array): Promise<{ held: Slip[]; dead: Slip | undefined }> {
    const held: Slip[] = []
    let dead: Slip | undefined
    for await (const slips of this.#mailboxes.slips(address)) {
      for (const slip of slips) {
        if (!slip.proof) held.push(slip)
        else if (!dead || slip.position < dead.position) dead = slip
      }
    }
    return { held: held.toSorted((a, b) => a.position - b.position), dead }
  }

  /** The leg that gives way in a full box: the oldest of the source that holds most, if that is more than the asker has. */
  #makeWay(claim: Claim, held: Slip[], source: string): Slip | 'full' | undefined {
    const known = this.#sources.get(toHex(claim.address))
    const bySource = Map.groupBy(held, (slip) => known?.get(toHex(slip.cid)) ?? UNKNOWN_SOURCE)
    const own = bySource.get(source)?.length ?? 0
    if (own >= MAX_SLOTS_PER_SOURCE) return 'full'
    if (held.length < quota(claim).copies) return undefined
    let most: Slip[] = []
    for (const legs of bySource.values()) if (legs.length > most.length) most = legs
    return most.length > own + 1 ? most[0]! : 'full'
  }

  #remember(address: Uint8Array, cid: Uint8Array, source: string, held: Slip[], gone: Slip[]): void {
    const before = this.#sources.get(toHex(address))
    const after = new Map<string, string>([[toHex(cid), source]])
    for (const slip of held) {
      const name = toHex(slip.cid)
      const from = before?.get(name)
      if (from !== undefined && !gone.includes(slip)) after.set(name, from)
    }
    const box = toHex(address)
    this.#sources.delete(box)
    this.#sources.set(box, after)
    if (this.#sources.size > this.#maxKnownBoxes) this.#sources.delete(this.#sources.keys().next().value!)
  }

  #drawSlot(slots: number, taken: ReadonlySet<number | undefined>): number {
    const free = Array.from({ length: slots }, (_, slot) => slot).filter((slot) => !taken.has(slot))
    return free[this.#random.bytes(1)[0]! % free.length] ?? 0
  }
}

function sum(slips: Slip[]): number {
  return slips.reduce((bytes, slip) => bytes + slip.bytes, 0)
}
