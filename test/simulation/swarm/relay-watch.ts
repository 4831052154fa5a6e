/**
 * What is seen of one relay: what lies on its disk, what it is asked and what it answers. The relay itself is honest; the
 * one that is not the keeper may answer through a `Cheat`, which comes between it and its callers.
 */
import { toHex, u64 } from '../../../node/crypto/bytes.ts'
import { claimRow, readRow, slipRow } from '../../../node/custody/rows.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { type LinkServer, type Network, type RowChange, TABLE } from '../../../node/ports.ts'
import * as wire from '../../../node/wire/commands.ts'
import { decode } from '../../../node/wire/schema.ts'
import { DAY } from '../engine.ts'
import type { SimDisk } from '../sim-disk.ts'
import { cheatOn, type CheatMemory } from './cheats.ts'
import { holds } from './invariants.ts'
import { expectNothingPlanted } from './person-watch.ts'
import type { Cheat } from './plan.ts'
import type { SeededRandom } from '../seeded-random.ts'

const { STATUS, VERB } = wire
const RELEASED_MS = 90 * DAY

export class RelayWatch {
  readonly name: string
  cheat: Cheat = 'honest'
  /** Copies on the disk, by mailbox and position. */
  readonly copies = new Set<string>()
  /** Receipts that were given: the hex of what was signed, and that of the copy. */
  readonly #receipts = new Map<string, string>()
  readonly #disk: SimDisk
  readonly #fail: (error: unknown) => void
  readonly #random: SeededRandom
  readonly #memory: CheatMemory = { hidden: new Set(), served: [] }
  readonly #stored = new Set<string>()
  readonly #acknowledged = new Set<string>()
  /** Mailboxes that were given up, and how old this relay was then. */
  readonly #released = new Map<string, number>()
  #age = 0

  constructor(name: string, disk: SimDisk, random: SeededRandom, fail: (error: unknown) => void) {
    this.name = name
    this.#disk = disk
    this.#random = random
    this.#fail = fail
  }

  /** What was signed before belongs to a store that is gone. */
  newStore(): void {
    this.copies.clear()
    this.#stored.clear()
    this.#acknowledged.clear()
    this.#released.clear()
  }

  /** Milliseconds went by at once. A relay remembers what was given up for 90 days. */
  grow(ms: number): void {
    this.#age += ms
    for (const [address, age] of this.#released) if (this.#age - age > RELEASED_MS) this.#released.delete(address)
  }

  receiptFor(receipt: Uint8Array): string | undefined {
    return this.#receipts.get(toHex(receipt))
  }

  /** A batch is on the disk. */
  durable(changes: readonly RowChange[]): void {
    try {
      for (const { key, value } of changes) {
        if (key.table === TABLE.copy) this.#copy(toHex(key.scope), toHex(key.position), value)
        if (value === undefined) continue
        expectNothingPlanted(value, `a row of ${this.name}`)
        if (key.table === TABLE.claim) this.#claim(value)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The network that the relay gets: each stream is looked at, and may be cheated on. */
  network(network: Network): Network {
    return {
      ...network,
      start: async (inbound) =>
        network.start({
          ...inbound,
          serve: (source) => {
            const server = inbound.serve(source)
            return server && this.#tap(server)
          },
        }),
    }
  }

  #tap(server: LinkServer): LinkServer {
    return {
      handle: async (frame) => {
        const answer = await server.handle(frame)
        try {
          expectNothingPlanted(frame, `a request to ${this.name}`)
          expectNothingPlanted(answer, `an answer of ${this.name}`)
          this.#look(frame, answer)
        } catch (error) {
          this.#fail(error)
        }
        return cheatOn(this.cheat, this.#random, this.#memory, frame, answer)
      },
      close: () => server.close(),
    }
  }

  #look(frame: Uint8Array, bytes: Uint8Array): void {
    const request = read(wire.request, frame)
    const answer = read(wire.answer, bytes)
    if (!request || answer?.status !== STATUS.ok) return
    if (request.verb === VERB.put) this.#put(answer.body)
    if (request.verb === VERB.acknowledge || request.verb === VERB.release) {
      const { args } = decode(wire.signedArgs, request.args, MAX_FRAME_BYTES)
      if (request.verb === VERB.release) {
        const address = toHex(decode(wire.releaseArgs, args, MAX_FRAME_BYTES).address)
        // said again, because the answer was lost, it is remembered no longer
        this.#released.set(address, this.#released.get(address) ?? this.#age)
      } else {
        for (const cid of decode(wire.acknowledgeArgs, args, MAX_FRAME_BYTES).cids.map(toHex)) {
          if (this.#stored.has(cid)) this.#acknowledged.add(cid)
        }
      }
    }
  }

  /** Before the receipt leaves, the copy or what became of it lies on the disk. */
  #put(signed: Uint8Array): void {
    const { body } = decode(wire.signedBody, signed, MAX_FRAME_BYTES)
    const { cid, address } = decode(wire.putReceipt, body, MAX_FRAME_BYTES)
    this.#receipts.set(toHex(signed), toHex(cid))
    const { rows } = this.#disk
    const value = rows.get({ table: TABLE.tombstone, scope: address, position: this.#disk.blind(cid) })
    const slip = value && readRow(slipRow, value)
    const isThere =
      slip && (slip.proof || rows.get({ table: TABLE.copy, scope: address, position: u64(slip.position) }))
    holds(isThere !== undefined, 'truthfulStates', () => `${this.name} signs for a copy that is not on its disk`)
  }

  #copy(address: string, position: string, value: Uint8Array | undefined): void {
    const place = `${address}/${position}`
    if (value === undefined) {
      this.copies.delete(place)
      return
    }
    this.copies.add(place)
    const cid = toHex(wire.copyId(value))
    const isNew = !this.#acknowledged.has(cid) && !this.#released.has(address)
    holds(isNew, 'mailboxNotRefilled', () => `${this.name} stores again what was acknowledged or released`)
    this.#stored.add(cid)
  }

  #claim(value: Uint8Array): void {
    const { address, release } = readRow(claimRow, value)
    const isOpen = release !== undefined || !this.#released.has(toHex(address))
    holds(isOpen, 'mailboxNotRefilled', () => `${this.name} lets a released mailbox be claimed again`)
  }
}

/** Undefined for what is not of this shape. */
function read<T>(shape: Parameters<typeof decode<T>>[0], bytes: Uint8Array): T | undefined {
  try {
    return decode(shape, bytes, MAX_FRAME_BYTES)
  } catch {
    return undefined
  }
}
