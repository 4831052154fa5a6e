/**
 * The relays of this person over time (PROTOCOL 6, reader). Configuration says which they are; one that was caught dropping
 * mail, or was away for a week, stops being named to friends, and when fewer than two work (or than were configured) relays
 * of friends stand in. Friends are told of each change; former relays are read for as long as an envelope that was put
 * there may live.
 */
import { equal, utf8 } from '../crypto/bytes.ts'
import { Backoff } from '../delivery/backoff.ts'
import type { RelayStanding } from '../delivery/relay-standing.ts'
import { MAX_ENVELOPE_DAYS, MAX_RELAYS } from '../limits.ts'
import { type Clock, type Random, type RowKey, type Store, TABLE } from '../ports.ts'
import { address, relays as relaysShape } from '../wire/records.ts'
import { decode, encode, type Infer, list, optional, struct, uint } from '../wire/schema.ts'

const DAY = 86_400
const MAX_FORMER = 2 * MAX_RELAYS
/** Relays that work, below which others are looked for: one alone loses mail with its disk. */
const ENOUGH_RELAYS = 2
/** Where no other is known or takes mail: asked again from an hour to a day later. */
const SEARCH = { baseMs: 3_600_000, maxMs: 86_400_000 }
const ROW: RowKey = { table: TABLE.meta, scope: utf8('relays'), position: new Uint8Array(0) }
const row = struct({
  /** As friends were told last. */
  relays: [1, relaysShape],
  former: [2, list(struct({ address: [1, address], until: [2, uint()] }), MAX_FORMER)],
  /** Relays of friends that stand in for configured ones. */
  standIns: [3, optional(relaysShape)],
})

export type ToldRelays = Infer<typeof row>

/** What friends were told in earlier runs. */
export async function loadToldRelays(store: Store): Promise<ToldRelays | undefined> {
  const value = await store.get(ROW)
  return value && decode(row, value, 8192)
}

export interface OwnRelaysInit {
  store: Store
  clock: Clock
  random: Random
  standing: RelayStanding
  /** Relays that the person configured, at most 4. */
  configured: readonly string[]
  /** Seconds. */
  protocolTime: () => number
  /** Relays of friends, with how many friends read at each. */
  candidates: () => ReadonlyMap<string, number>
  /** Whether a relay can be reached and takes new mailboxes. */
  takesMail: (address: string) => Promise<boolean>
}

export class OwnRelays {
  readonly #init: OwnRelaysInit
  readonly #search: Backoff
  #told: ToldRelays | undefined
  #standIns: string[]
  #searchFrom = 0

  /** @param told what `loadToldRelays` found */
  constructor(init: OwnRelaysInit, told: ToldRelays | undefined) {
    this.#init = init
    this.#told = told
    this.#standIns = told?.standIns ?? []
    this.#search = new Backoff({ random: init.random, ...SEARCH })
  }

  get configured(): readonly string[] {
    return this.#init.configured
  }

  /** Where friends write, at most 4; the configured ones when none is better. */
  get current(): readonly string[] {
    const working = this.#working()
    const chosen = [...working, ...this.#standIns.filter((one) => !this.#init.configured.includes(one))]
    return chosen.length > 0 ? chosen.slice(0, MAX_RELAYS) : this.#init.configured
  }

  isStandIn(relay: string): boolean {
    return this.#standIns.includes(relay) && !this.#init.configured.includes(relay)
  }

  /** Where mail is read: the current relays, the configured ones, and former ones that may still hold some. */
  get read(): string[] {
    return [...new Set([...this.current, ...this.#init.configured, ...this.#former().map((old) => old.address)])]
  }

  /** Whether friends have to be told. */
  get isNews(): boolean {
    return this.#told !== undefined && this.#told.relays.join() !== this.current.join()
  }

  /** Remembers the current relays, once friends were told. */
  async remember(): Promise<void> {
    const told = { relays: [...this.current], former: this.#former(), standIns: this.#standIns }
    const value = encode(row, told)
    if (this.#told && equal(encode(row, this.#told), value)) return
    await this.#init.store.write([{ key: ROW, value }])
    this.#told = told
  }

  /** Looks at what works now, and for stand-ins where too little does. Whoever calls it tells friends, and remembers. */
  async review(): Promise<void> {
    const { configured, standing, clock } = this.#init
    const missing = Math.min(ENOUGH_RELAYS, configured.length) - this.#working().length
    const kept = this.#standIns.filter((one) => !configured.includes(one) && standing.isGood(one))
    this.#standIns = kept.slice(0, Math.max(0, missing))
    if (this.#standIns.length >= missing || clock.now() < this.#searchFrom) return
    for (const candidate of this.#candidates()) {
      if (!(await this.#init.takesMail(candidate))) continue
      this.#standIns.push(candidate)
      if (this.#standIns.length >= missing) {
        this.#search.reset()
        return
      }
    }
    this.#searchFrom = clock.now() + this.#search.next()
  }

  #working(): string[] {
    return this.#init.configured.filter((relay) => this.#init.standing.isGood(relay))
  }

  /**
   * Those at which most friends read come first: that relay learns least that it does not see already. One that this person
   * took out of the configuration is not brought back.
   */
  #candidates(): string[] {
    const { configured, standing, candidates } = this.#init
    const out = new Set([...configured, ...this.#standIns, ...this.#former().map((old) => old.address)])
    return [...candidates()]
      .filter(([relay]) => !out.has(relay) && standing.isGood(relay))
      .toSorted(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
      .map(([relay]) => relay)
  }

  #former(): ToldRelays['former'] {
    const { current } = this
    const now = this.#init.protocolTime()
    const left = this.#told?.relays.filter((old) => !current.includes(old)) ?? []
    const until = Math.floor(now) + MAX_ENVELOPE_DAYS * DAY
    const before = (this.#told?.former ?? []).filter(
      (old) => old.until > now && !current.includes(old.address) && !left.includes(old.address),
    )
    return [...left.map((old) => ({ address: old, until })), ...before].slice(0, MAX_FORMER)
  }
}
