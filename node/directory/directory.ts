/**
 * The directory: what is known of an ID, how fresh, and from whom (PROTOCOL 2). It asks the DHT and servers at once,
 * checks every answer, and returns the best by order, never below what it has seen: a source that lies, refuses or hangs
 * only fails to help. It publishes the own records on start, on change and every 12 hours. It has no network of its own.
 *
 * Where the memory sits: lookups answer from it; `compare` is a pure order, which the network's datastore uses so that no
 * store ever goes down; `validate` refuses what is below the OWN records, but lets older records of others pass, since
 * the DHT drops a peer, and the better peers it names, when its answer does not validate.
 */
import type { verify } from '../crypto/ed25519.ts'
import { equal } from '../crypto/bytes.ts'
import {
  compareRecordsAt,
  identityRecordKey,
  prekeyRecordKey,
  recordKindOf,
  validateRecordAt,
} from '../identity/record-keys.ts'
import {
  checkWindow,
  compareHeads,
  equivocates,
  type IdentityView,
  prekeyBelongs,
  type PrekeyView,
  readIdentityRecord,
  readPrekeyRecord,
} from '../identity/records.ts'
import { checkRendezvous, isRendezvousKey } from '../identity/rendezvous.ts'
import { PeerError } from '../errors.ts'
import { MAX_VALUES_PER_LOOKUP } from '../limits.ts'
import type { Clock, Logger, Network, Store } from '../ports.ts'
import type { Head } from '../wire/records.ts'
import { Publisher } from './publisher.ts'
import { above, type RecordAlarm, RecordMemory, type RecordView } from './record-memory.ts'
import { within } from './within.ts'

/** A source that has not answered by then is left out of a lookup. */
const ANSWER_MILLISECONDS = 10_000

export interface DirectoryInit {
  clock: Clock
  store: Store
  network: Pick<Network, 'putRecord' | 'getRecord'>
  logger: Logger
  /** Protocol time in seconds. */
  protocolTime: () => number
  /** RECORD at servers: those given (multiaddrs), else the ones this node uses. May fail or hang. @default nobody is asked */
  askServers?: (key: Uint8Array, servers?: readonly string[]) => Promise<Uint8Array[]>
  /** Hands a record in at the servers this node uses; how many took it, 0 when it should be tried again soon. @default to nobody */
  handToServers?: (key: Uint8Array, value: Uint8Array) => Promise<number>
  /** Called once for each record that shows a theft or a lie. @default logged only */
  onAlarm?: (alarm: RecordAlarm) => void
  /** Called when somebody stores a newer identity record of a contact here. @default nobody is told */
  onNews?: (id: Uint8Array) => void
  /** Whether a record, by its hash, is not its owner's although it is signed. @default none is */
  isDisowned?: (hash: Uint8Array) => boolean
  /** How signatures are checked. @default the one Ed25519 rule */
  verify?: typeof verify
}

/** An ID's records: within their windows, and the prekeys by devices that the identity names. */
export interface Found {
  identity: IdentityView
  prekeys: PrekeyView[]
}

export interface OwnRecords {
  /** Signed identity record. */
  identity: Uint8Array
  /** Signed prekey records, one for each device whose keys are here. */
  prekeys: readonly Uint8Array[]
}

export interface Directory {
  /** Reads the pins of earlier runs. Call before the network starts. */
  start(): Promise<void>
  /** Stops the timers and waits for what is being written. */
  stop(): Promise<void>
  /** Pins a contact at a head; `record`, when it is at hand, is remembered too. */
  pin(id: Uint8Array, head: Head, record?: Uint8Array): void
  unpin(id: Uint8Array): void
  /** Waits until pins and own records are on the disk. */
  flush(): Promise<void>
  /** @throws PeerError, ForgedError when a record may not be stored or believed at `key` (`Inbound.validateRecord`) */
  validate(key: Uint8Array, value: Uint8Array): void
  /** `Inbound.compareRecords`. */
  compare(key: Uint8Array, a: Uint8Array, b: Uint8Array): number
  /**
   * Takes an identity record that came in band, from a request or a friend.
   * @returns the best record of its ID that is known now: this one, or a higher one
   * @throws PeerError, ForgedError; PeerError `STALE_RECORD` when it contradicts the best one, or lies below a pin
   */
  learn(record: Uint8Array): IdentityView
  /** Head of the best record of an ID that was ever seen, if there is one. */
  seen(id: Uint8Array): Head | undefined
  /** What is known without asking anybody; expired records are left out. */
  known(id: Uint8Array): Found | undefined
  /** Asks the DHT and the servers; undefined when nothing valid is known. Never throws. */
  lookup(id: Uint8Array): Promise<Found | undefined>
  /** As `lookup`, asking the servers named too, and taking nothing below `pin`. For invites. */
  lookupFrom(id: Uint8Array, pin: Head, servers: readonly string[]): Promise<Found | undefined>
  /**
   * Sets the own records and publishes them now, then every 12 hours; sooner while nobody took one.
   * @returns peers and servers that took the record which the fewest took
   * @throws PeerError when a record is malformed; `STALE_RECORD` when a higher one was published before
   */
  publishOwn(records: OwnRecords): Promise<number>
  /** What the last round of publishing came to; undefined before the first has ended. */
  taken(): number | undefined
}

export function createDirectory(init: DirectoryInit): Directory {
  return new RecordDirectory(init)
}

class RecordDirectory implements Directory {
  readonly #init: DirectoryInit
  readonly #memory: RecordMemory
  readonly #publisher: Publisher

  constructor(init: DirectoryInit) {
    this.#init = init
    this.#memory = new RecordMemory({
      store: init.store,
      logger: init.logger,
      onAlarm: (alarm) => {
        init.logger.warn('a signed record contradicts what is known', { kind: alarm.kind })
        init.onAlarm?.(alarm)
      },
    })
    this.#publisher = new Publisher(init)
  }

  async start(): Promise<void> {
    await this.#memory.load()
  }

  async stop(): Promise<void> {
    this.#publisher.stop()
    await this.#memory.flush()
  }

  async flush(): Promise<void> {
    await this.#memory.flush()
  }

  pin(id: Uint8Array, head: Head, record?: Uint8Array): void {
    const key = identityRecordKey(id)
    this.#memory.pin(key, head)
    if (record) this.#memory.offer(key, validateRecordAt(key, record, { verify: this.#init.verify }))
  }

  unpin(id: Uint8Array): void {
    this.#memory.unpin(identityRecordKey(id))
  }

  taken(): number | undefined {
    return this.#publisher.taken()
  }

  validate(key: Uint8Array, value: Uint8Array): void {
    if (isRendezvousKey(key)) {
      checkRendezvous(key, value, { now: this.#init.protocolTime() })
      return
    }
    const view = this.#check(key, value)
    // of strangers nothing is remembered that this node did not ask for: the store holds it
    if (!this.#memory.isPinned(key)) return
    const offer = this.#memory.offer(key, view)
    if (offer === 'older' && this.#memory.isOwn(key)) throw stale()
    if (offer === 'newer' && view.kind === 'identity') this.#init.onNews?.(view.id)
  }

  compare(key: Uint8Array, a: Uint8Array, b: Uint8Array): number {
    return compareRecordsAt(key, a, b)
  }

  learn(record: Uint8Array): IdentityView {
    const now = this.#init.protocolTime()
    const view = readIdentityRecord(record, { now, verify: this.#init.verify })
    const key = identityRecordKey(view.id)
    this.#memory.offer(key, view)
    const best = this.#usable(key)
    if (best?.kind !== 'identity' || equivocates(best.head, view.head)) throw stale()
    return best
  }

  seen(id: Uint8Array): Head | undefined {
    return this.#memory.headOf(identityRecordKey(id))
  }

  known(id: Uint8Array): Found | undefined {
    const identity = this.#usable(identityRecordKey(id))
    if (identity?.kind !== 'identity') return undefined
    const prekeys = identity.record.devices.map((device) => this.#usable(prekeyRecordKey(device.signing)))
    return { identity, prekeys: prekeys.filter((view) => isPrekeyOf(identity, view)) }
  }

  async lookup(id: Uint8Array): Promise<Found | undefined> {
    return this.#lookup(id, undefined, undefined)
  }

  async lookupFrom(id: Uint8Array, pin: Head, servers: readonly string[]): Promise<Found | undefined> {
    return this.#lookup(id, pin, servers)
  }

  async publishOwn(records: OwnRecords): Promise<number> {
    const identity = readIdentityRecord(records.identity, { verify: this.#init.verify })
    const prekeys = records.prekeys.map((bytes) => readPrekeyRecord(bytes, { verify: this.#init.verify }))
    const views: [Uint8Array, RecordView][] = [
      [identityRecordKey(identity.id), identity],
      ...prekeys.map((view): [Uint8Array, RecordView] => [prekeyRecordKey(view.device), view]),
    ]
    for (const [key, view] of views) if (!this.#memory.own(key, view)) throw stale()
    this.#publisher.set(views.map(([key, view]) => ({ key, value: view.bytes })))
    await this.#memory.flush()
    return this.#publisher.publish()
  }

  async #lookup(
    id: Uint8Array,
    pin: Head | undefined,
    servers: readonly string[] | undefined,
  ): Promise<Found | undefined> {
    const identity = await this.#best(identityRecordKey(id), pin, servers)
    if (identity?.kind !== 'identity') return undefined
    const prekeys = await Promise.all(
      identity.record.devices.map(async (device) => this.#best(prekeyRecordKey(device.signing), undefined, servers)),
    )
    return { identity, prekeys: prekeys.filter((view) => isPrekeyOf(identity, view)) }
  }

  /** The best record at a key, from everybody and from memory; nothing below the pin, and nothing beside it. */
  async #best(
    key: Uint8Array,
    pin: Head | undefined,
    servers: readonly string[] | undefined,
  ): Promise<RecordView | undefined> {
    const candidates: RecordView[] = []
    for (const value of await this.#ask(key, servers)) {
      try {
        candidates.push(this.#check(key, value))
      } catch {
        this.#init.logger.debug('a record was refused', { kind: recordKindOf(key) })
      }
    }
    for (const view of candidates) this.#memory.offer(key, view)
    const remembered = this.#usable(key)
    if (!pin) return remembered
    // a stranger's entry in memory may be the other half of an equivocation: the pin decides which one is meant
    if (remembered) candidates.push(remembered)
    const owned = candidates.filter((view) => !this.#init.isDisowned?.(view.hash))
    const allowed = owned.filter((view) => equal(view.hash, pin.hash) || above(view.head, pin))
    const floor = this.#memory.isPinned(key) ? this.#memory.headOf(key) : undefined
    return allowed
      .filter((view) => !floor || equal(view.hash, floor.hash) || above(view.head, floor))
      .toSorted((a, b) => compareHeads(b.head, a.head))[0]
  }

  /** All values that the DHT and the servers give before the deadline. */
  async #ask(key: Uint8Array, servers: readonly string[] | undefined): Promise<Uint8Array[]> {
    const { network, askServers } = this.#init
    const sources = [this.#answer(async () => network.getRecord(key))]
    if (askServers) {
      sources.push(this.#answer(async () => askServers(key)))
      if (servers && servers.length > 0) sources.push(this.#answer(async () => askServers(key, servers)))
    }
    return (await Promise.all(sources)).flat()
  }

  /** What a source gives in time; nothing when it fails or hangs. */
  async #answer(ask: () => Promise<Uint8Array[]>): Promise<Uint8Array[]> {
    const values = await within(this.#init.clock, ANSWER_MILLISECONDS, ask, [])
    return values.slice(0, MAX_VALUES_PER_LOOKUP)
  }

  #check(key: Uint8Array, value: Uint8Array): RecordView {
    return validateRecordAt(key, value, { now: this.#init.protocolTime(), verify: this.#init.verify })
  }

  /** The remembered record, unless it is outside its window: then nothing lower may take its place either. */
  #usable(key: Uint8Array): RecordView | undefined {
    const view = this.#memory.get(key)
    if (!view || this.#init.isDisowned?.(view.hash)) return undefined
    try {
      checkWindow(view, this.#init.protocolTime())
      return view
    } catch {
      return undefined // expired: nothing usable is known
    }
  }
}

function isPrekeyOf(identity: IdentityView, view: RecordView | undefined): view is PrekeyView {
  return view?.kind === 'prekey' && prekeyBelongs(identity, view)
}

function stale(): PeerError {
  return new PeerError('STALE_RECORD', 'a higher record is known')
}
