/** Publishing the own records (PROTOCOL 2): on start, on change and every 12 hours, sooner while nobody takes them. */
import type { Clock, Network, Timer } from '../ports.ts'
import { within } from './within.ts'

/** A record with its DHT key. */
export interface KeyedRecord {
  key: Uint8Array
  value: Uint8Array
}

export interface PublisherInit {
  clock: Clock
  network: Pick<Network, 'putRecord'>
  /** As `DirectoryInit.handToServers`. */
  handToServers?: (key: Uint8Array, value: Uint8Array) => Promise<number>
}

const SECOND = 1000
const REPUBLISH_MILLISECONDS = 12 * 3600 * SECOND
/** While nobody takes the own records: the first retry, doubled up to the last. */
const RETRY_MILLISECONDS = 15 * SECOND
const MAX_RETRY_MILLISECONDS = 900 * SECOND
/** Who is handed a record has postage to mint. */
const HAND_IN_MILLISECONDS = 60 * SECOND

export class Publisher {
  readonly #init: PublisherInit
  #own: KeyedRecord[] = []
  #timer: Timer | undefined
  #retry = RETRY_MILLISECONDS
  #stopped = false
  #taken: number | undefined

  constructor(init: PublisherInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** What the last round came to; undefined before the first has ended. */
  taken(): number | undefined {
    return this.#taken
  }

  /** These are published from the next round on. */
  set(own: KeyedRecord[]): void {
    this.#own = own
  }

  /** Begins a round now. @returns peers and servers that took the record which the fewest took */
  async publish(): Promise<number> {
    this.#retry = RETRY_MILLISECONDS
    return this.#round()
  }

  async #round(): Promise<number> {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#stopped) return 0
    const taken = await Promise.all(this.#own.map(async (record) => this.#put(record)))
    const fewest = taken.length > 0 ? Math.min(...taken) : 0
    this.#taken = fewest
    // another call may have published, or stopped, meanwhile
    if (this.#stopped || this.#timer) return fewest
    let wait = REPUBLISH_MILLISECONDS
    if (fewest > 0) this.#retry = RETRY_MILLISECONDS
    else {
      wait = this.#retry
      this.#retry = Math.min(this.#retry * 2, MAX_RETRY_MILLISECONDS)
    }
    this.#timer = this.#init.clock.after(wait, () => void this.#round())
    return fewest
  }

  /** Peers and servers that took a record; 0 while the own servers have it not, so that the next round comes soon. */
  async #put({ key, value }: KeyedRecord): Promise<number> {
    const { clock, network, handToServers } = this.#init
    const [peers, servers] = await Promise.all([
      within(clock, HAND_IN_MILLISECONDS, async () => network.putRecord(key, value), 0),
      handToServers ? within(clock, HAND_IN_MILLISECONDS, async () => handToServers(key, value), 0) : 0,
    ])
    return handToServers && servers === 0 ? 0 : peers + servers
  }
}
