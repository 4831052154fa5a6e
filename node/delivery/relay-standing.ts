/**
 * What this node holds of mailbox servers over time (PROTOCOL 6, audit): which of them were proven to drop mail, with the
 * proofs, which were not reached for a week, and which announced their end. Whoever chooses servers asks here; a server without an entry is as good
 * as any.
 */
import { toHex, utf8 } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import { type Clock, type RowKey, type Store, TABLE } from '../ports.ts'
import { peerIdBytes, seconds } from '../wire/records.ts'
import { bytesBetween, decode, encode, optional, struct, uint } from '../wire/schema.ts'
import type { Transaction } from './journal.ts'
import { MAX_PROOF_BYTES } from './relay-proof.ts'

const HOUR_MS = 3_600_000
const WEEK_HOURS = 7 * 24
const WEEK_MS = WEEK_HOURS * HOUR_MS
/** A server that changes its mind about its end with each link would else have friends told each time. */
const END_NOTED_MS = 6 * HOUR_MS
const SCOPE = utf8('standing')
const row = struct({
  server: [1, peerIdBytes],
  /** Hours in a row in which it was not reached although the rest of the network was. */
  missed: [2, uint(0xffff)],
  /** Milliseconds of the last of them. */
  at: [3, uint()],
  proof: [4, optional(bytesBetween(1, MAX_PROOF_BYTES))],
  /** Seconds when the proof was made. */
  proven: [5, optional(seconds)],
  /** Seconds from which on it takes no mail, as it said last. */
  leaving: [6, optional(seconds)],
})

interface Standing {
  server: Uint8Array
  missed: number
  at: number
  proof?: Uint8Array
  proven?: number
  leaving?: number
}

/** A server that was proven to drop mail. */
export interface CaughtServer {
  server: Uint8Array
  /** Seconds. */
  proven: number
  /** For `verifyProof`. */
  proof: Uint8Array
}

export interface RelayStandingInit {
  store: Store
  clock: Clock
  /** Peer ID of a multiaddr. @throws UsageError */
  serverId: (address: string) => Uint8Array
}

export class RelayStanding {
  readonly #init: RelayStandingInit
  readonly #known = new Map<string, Standing>()
  /** Milliseconds when what a server said of its end was news, the latest last. */
  readonly #endNoted = new Map<string, number>()

  private constructor(init: RelayStandingInit) {
    this.#init = init
  }

  static async open(init: RelayStandingInit): Promise<RelayStanding> {
    const standing = new RelayStanding(init)
    const rows = await init.store.list({ table: TABLE.meta, scope: SCOPE, limit: 2 * limits.MAX_KNOWN_RELAYS })
    for (const { value } of rows) {
      const known = decode(row, value, MAX_PROOF_BYTES + 256)
      standing.#known.set(toHex(known.server), known)
    }
    return standing
  }

  /** Whether it was proven to drop mail: nothing that it signs counts any more. */
  isCaught(server: Uint8Array): boolean {
    return this.#known.get(toHex(server))?.proof !== undefined
  }

  /** Whether it was away for a week; after another week without a try that is forgotten. */
  isLost(server: Uint8Array): boolean {
    const known = this.#known.get(toHex(server))
    return known !== undefined && known.missed >= WEEK_HOURS && this.#init.clock.now() - known.at < WEEK_MS
  }

  /** Seconds from which on it takes no mail, if it has said so. */
  leaves(server: Uint8Array): number | undefined {
    return this.#known.get(toHex(server))?.leaving
  }

  caught(): CaughtServer[] {
    return [...this.#known.values()].flatMap(({ server, proof, proven = 0 }) =>
      proof ? [{ server, proof, proven }] : [],
    )
  }

  /** Whether a server may be chosen while there are others. */
  isGood(address: string): boolean {
    const server = this.#init.serverId(address)
    return !this.isCaught(server) && !this.isLost(server) && this.leaves(server) === undefined
  }

  /**
   * Up to `count` of the addresses: the good ones in their order, then those that are away or leave; one that was caught
   * only where there is no other.
   */
  choose(addresses: readonly string[], count: number): string[] {
    const honest = addresses.filter((address) => !this.isCaught(this.#init.serverId(address)))
    const inReach = honest.filter((address) => this.isGood(address))
    const chosen = [...inReach, ...honest.filter((address) => !inReach.includes(address))]
    return (chosen.length > 0 ? chosen : addresses).slice(0, count)
  }

  /** Keeps a proof in the transaction; the server counts as caught once it is committed. The first proof is enough. */
  condemn(tx: Transaction, server: Uint8Array, proof: Uint8Array, now: number): void {
    if (this.isCaught(server)) return
    const known = this.#known.get(toHex(server)) ?? { server, missed: 0, at: 0 }
    const changed = { ...known, proof, proven: Math.floor(now) }
    const extra = this.#overflow(Number(!this.#known.has(toHex(server))))
    for (const one of extra) tx.delete(TABLE.meta, SCOPE, this.#key(one.server).position)
    tx.put(TABLE.meta, SCOPE, this.#key(server).position, encode(row, changed))
    tx.afterCommit(() => {
      for (const one of extra) this.#known.delete(toHex(one.server))
      this.#known.set(toHex(server), changed)
    })
  }

  /**
   * Tells that it was reached or not, while other servers or peers were. At most one miss counts in an hour.
   * @returns whether it came to be lost, or is not lost any more
   */
  async note(server: Uint8Array, reached: boolean): Promise<boolean> {
    const now = this.#init.clock.now()
    const known = this.#known.get(toHex(server))
    if (reached ? !known || known.missed === 0 : known !== undefined && Math.abs(now - known.at) < HOUR_MS * 0.9) {
      return false
    }
    const before = this.isLost(server)
    const missed = reached ? 0 : Math.min((known?.missed ?? 0) + 1, 0xffff)
    await this.#keep({ ...known, server, missed, at: now })
    return this.isLost(server) !== before
  }

  /**
   * Tells what it says of its end in HELLO. At most one change counts in six hours.
   * @param leaving seconds, undefined while it stays
   * @returns whether that is news
   */
  async noteEnd(server: Uint8Array, leaving: number | undefined): Promise<boolean> {
    const known = this.#known.get(toHex(server)) ?? { server, missed: 0, at: 0 }
    if (known.leaving === leaving) return false
    const name = toHex(server)
    const now = this.#init.clock.now()
    const noted = this.#endNoted.get(name)
    if (noted !== undefined && Math.abs(now - noted) < END_NOTED_MS) return false
    this.#endNoted.delete(name)
    this.#endNoted.set(name, now)
    if (this.#endNoted.size > limits.MAX_KNOWN_RELAYS) this.#endNoted.delete(this.#endNoted.keys().next().value!)
    await this.#keep({ ...known, leaving })
    return true
  }

  /** One that there is nothing to say of is not kept. */
  async #keep(changed: Standing): Promise<void> {
    const { server } = changed
    const isClean = changed.missed === 0 && !changed.proof && changed.leaving === undefined
    const extra = this.#overflow(Number(!this.#known.has(toHex(server))))
    if (isClean) this.#known.delete(toHex(server))
    else this.#known.set(toHex(server), changed)
    for (const one of extra) this.#known.delete(toHex(one.server))
    await this.#init.store.write([
      ...extra.map((one) => ({ key: this.#key(one.server), value: undefined })),
      { key: this.#key(server), value: isClean ? undefined : encode(row, changed) },
    ])
  }

  /** Who is forgotten so that `more` can be remembered: first those without a proof, the least recent first. */
  #overflow(more: number): Standing[] {
    const count = this.#known.size + more - limits.MAX_KNOWN_RELAYS
    if (count <= 0) return []
    const order = [...this.#known.values()].toSorted(
      (a, b) => Number(a.proof !== undefined) - Number(b.proof !== undefined) || a.at - b.at,
    )
    return order.slice(0, count)
  }

  #key(server: Uint8Array): RowKey {
    return { table: TABLE.meta, scope: SCOPE, position: this.#init.store.blind(server) }
  }
}
