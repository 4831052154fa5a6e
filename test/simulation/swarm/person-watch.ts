/**
 * What is seen of one person's node from outside: every batch that came to lie on its disk, and what it says on gossip and
 * in the DHT. Checks what can be checked at once; what holds at rest alone is `rest.ts`.
 */
import { toHex } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { loadEntries, type OutboxEntry, readBody } from '../../../node/delivery/outbox.ts'
import { idToText } from '../../../node/identity/root.ts'
import { type Network, type RowChange, type Store, TABLE } from '../../../node/ports.ts'
import { decodeEnvelope } from '../../../node/wire/envelope.ts'
import type { SimDisk } from '../sim-disk.ts'
import { holds, Violation } from './invariants.ts'
import { PLANTED, RELAYS } from './plan.ts'
import type { SessionImage, SessionSurroundings, SessionWatch } from './session-watch.ts'

const NO_SCOPE = new Uint8Array(0)
const PLANTED_BYTES = Buffer.from(PLANTED)
/** States in the order in which they may follow one another. */
const RANK: Record<string, number> = { queued: 0, sent: 1, custody: 2, delivered: 3, expired: 3, failed: 3 }

type Detail = Record<string, string | number | boolean>

/** What the watches of one world ask of each other. */
export interface Surroundings extends SessionSurroundings {
  diskOf(name: string): SimDisk
  /** Whether a message was ever on somebody's disk that was put back since. */
  hadBefore(name: string, messageId: string): boolean
  /** Hex of the copy that a relay signed a receipt for; undefined when none gave this signed receipt. */
  receiptFor(receipt: Uint8Array): string | undefined
  /** A state was told of a message. */
  told(state: string): void
  fail(error: unknown): void
}

/** A message as a log tells of it. */
export interface Shown {
  messageId: string
  friend: string
  direction: 'in' | 'out'
  text: string
}

/** What a watch knew when the disk was copied. */
export interface WatchImage {
  shown: ReadonlyMap<string, Shown>
  states: ReadonlyMap<string, string>
  sealed: ReadonlyMap<string, string>
  tags: ReadonlyMap<string, string>
  sessions: SessionImage
}

export class PersonWatch {
  readonly name: string
  /** Messages that the log on the disk tells of, by ID. */
  shown = new Map<string, Shown>()
  /** IDs of all messages that it ever told of, before the disk was put back too. */
  readonly everShown = new Set<string>()
  /** The last state told of a message. */
  states = new Map<string, string>()
  /** In worlds in which somebody is put back. */
  sessions: SessionWatch | undefined
  readonly #around: Surroundings
  readonly #names: ReadonlyMap<string, string>
  /** By place in a ratchet: the payload that was sealed there. */
  #sealed = new Map<string, string>()
  #tags = new Map<string, string>()
  /** By receipt: the message that it counts for. */
  readonly #counted = new Map<string, string>()

  constructor(name: string, around: Surroundings) {
    this.name = name
    this.#around = around
    this.#names = new Map([...around.ids].map(([who, id]) => [idToText(id), who]))
  }

  /** IDs of the messages with a friend that lie on the disk. */
  knownWith(friend: string): string[] {
    return [...this.shown.values()].filter((one) => one.friend === friend).map(({ messageId }) => messageId)
  }

  /** A copy of the disk is made. */
  image(): WatchImage {
    return {
      shown: new Map(this.shown),
      states: new Map(this.states),
      sealed: new Map(this.#sealed),
      tags: new Map(this.#tags),
      sessions: this.sessions!.image(),
    }
  }

  /** The copy takes the disk's place: what came after it is held against nobody. */
  restore(image: WatchImage, isNoticed: boolean): void {
    this.shown = new Map(image.shown)
    this.states = new Map(image.states)
    this.#sealed = new Map(image.sealed)
    this.#tags = new Map(image.tags)
    this.sessions!.restore(image.sessions, isNoticed)
  }

  /** A batch is on the disk. */
  durable(changes: readonly RowChange[]): void {
    const inCustody = new Set<string>()
    try {
      this.sessions?.durable(changes)
      for (const { key, value } of changes) {
        if (key.table !== TABLE.event || value === undefined) continue
        const { event, detail } = JSON.parse(Buffer.from(value).toString()) as { event: string; detail: Detail }
        if (event === 'message') this.#message(detail)
        if (event !== 'state') continue
        const messageId = String(detail['messageId'])
        this.#state(messageId, String(detail['state']))
        if (detail['state'] === 'custody') inCustody.add(messageId)
      }
    } catch (error) {
      this.#around.fail(error)
    }
    if (changes.some(({ key, value }) => key.table === TABLE.outbox && value !== undefined)) {
      this.#outbox(changes, inCustody).catch((error: unknown) => this.#around.fail(error))
    }
  }

  /** The network that the node gets: what it says to strangers is looked at. */
  network(network: Network): Network {
    const look = (bytes: Uint8Array): void => {
      try {
        expectNothingPlanted(bytes, `what ${this.name} says to everybody`)
      } catch (error) {
        this.#around.fail(error)
      }
    }
    return {
      ...network,
      publish: (topic, envelope) => {
        look(envelope)
        this.#tag(envelope)
        return network.publish(topic, envelope)
      },
      putRecord: (key, value) => {
        look(value)
        return network.putRecord(key, value)
      },
    }
  }

  #message(detail: Detail): void {
    const messageId = String(detail['messageId'])
    const direction = detail['direction'] === 'out' ? 'out' : 'in'
    holds(!this.shown.has(messageId), 'noDuplicate', () => `${this.name} is told twice of ${messageId}`)
    const friend = this.#names.get(String(detail[direction === 'out' ? 'to' : 'from'])) ?? 'somebody unknown'
    this.everShown.add(messageId)
    this.shown.set(messageId, { messageId, friend, direction, text: String(detail['text']) })
    if (direction === 'out') this.#around.told('queued')
  }

  #state(messageId: string, state: string): void {
    const before = this.states.get(messageId) ?? 'queued'
    holds(RANK[state]! > RANK[before]!, 'truthfulStates', () => `${this.name}: ${before}, then ${state}: ${messageId}`)
    this.states.set(messageId, state)
    this.#around.told(state)
    if (state === 'delivered') this.#expectThere(messageId)
  }

  #expectThere(messageId: string): void {
    const friend = this.shown.get(messageId)?.friend ?? ''
    const isThere =
      this.#around.ids.has(friend) &&
      (hasMessage(this.#around.diskOf(friend), messageId) || this.#around.hadBefore(friend, messageId))
    holds(isThere, 'truthfulStates', () => `${this.name} is told delivered, ${friend} has not ${messageId}`)
  }

  async #outbox(changes: readonly RowChange[], inCustody: ReadonlySet<string>): Promise<void> {
    const home = this.#sealed
    for (const scope of this.#around.ids.values()) {
      const batch = outboxIn(changes, scope)
      for (const entry of await loadEntries(batch, scope)) {
        this.#receipts(entry, inCustody.has(toHex(entry.messageId)))
        const body = await readBody(batch, scope, entry.number)
        // an older home took the place of this one meanwhile
        if (this.#sealed !== home) return
        if (!body) continue
        if (body.envelope) this.#tag(body.envelope)
        if (!entry.lane) continue
        const place = `${toHex(entry.lane)}/${entry.chain}/${entry.count}`
        const payload = toHex(sha256(body.payload))
        const before = this.#sealed.get(place)
        const isStopped = before === undefined && this.sessions?.isStopped(entry.lane) === true
        holds(!isStopped, 'keyOnce', () => `${this.name} seals in a session that it knows to be an older one, ${place}`)
        const isOnce = before === undefined || before === payload
        holds(isOnce, 'keyOnce', () => `${this.name} sealed two messages under one key, ${place}`)
        this.#sealed.set(place, payload)
      }
    }
  }

  #receipts({ messageId, receipts }: OutboxEntry, isCustody: boolean): void {
    const name = toHex(messageId)
    for (const { receipt } of receipts) {
      // the reader's own proof stands in place of a receipt
      if (receipt.length === 0) {
        this.#expectRead(name)
        continue
      }
      const cid = this.#around.receiptFor(receipt)
      holds(cid !== undefined, 'truthfulStates', () => `${this.name} counts a receipt that no relay gave, for ${name}`)
      const counted = this.#counted.get(cid) ?? name
      holds(counted === name, 'truthfulStates', () => `${this.name} counts one receipt for ${counted} and ${name}`)
      this.#counted.set(cid, name)
    }
    const isEnough = !isCustody || receipts.length >= RELAYS.length
    holds(isEnough, 'truthfulStates', () => `${this.name} is told custody with ${receipts.length} receipts, ${name}`)
  }

  #expectRead(messageId: string): void {
    // receipts and profiles are in no history
    const friend = this.shown.get(messageId)?.friend
    // what opened in no session before they had a new one is acknowledged too: its writer seals it again
    if (friend !== undefined && !this.#around.isTorn(this.name, friend)) this.#expectThere(messageId)
  }

  #tag(envelope: Uint8Array): void {
    const tag = toHex(decodeEnvelope(envelope).tag)
    const hash = toHex(sha256(envelope))
    const isNew = (this.#tags.get(tag) ?? hash) === hash
    if (!isNew) this.#around.fail(new Violation('keyOnce', `${this.name} used one tag for two envelopes`))
    this.#tags.set(tag, hash)
  }
}

/** Whether a message is in the history on a disk. */
export function hasMessage(disk: SimDisk, messageId: string): boolean {
  const position = disk.blind(Buffer.from(messageId, 'hex'))
  return disk.rows.get({ table: TABLE.historyIndex, scope: NO_SCOPE, position }) !== undefined
}

/** @throws Violation when bytes hold the planted word */
export function expectNothingPlanted(bytes: Uint8Array, where: string): void {
  const isClean = !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(PLANTED_BYTES)
  holds(isClean, 'confidential', () => `the planted word stands in ${where}`)
}

/** The rows of one batch for one friend, as a store to read from. */
export function outboxIn(changes: readonly RowChange[], scope: Uint8Array): Store {
  const rows = changes.flatMap(({ key, value }) =>
    key.table === TABLE.outbox && value && Buffer.compare(key.scope, scope) === 0
      ? [{ position: key.position, value }]
      : [],
  )
  return {
    get: async ({ position }) => rows.find((row) => Buffer.compare(row.position, position) === 0)?.value,
    list: async () => rows.filter(({ position }) => position[0] === 0),
    write: async () => undefined,
    blind: () => NO_SCOPE,
  }
}
