/**
 * The ports of the core: what it needs of a machine. Production hands in the system's clock and randomness, Level and
 * libp2p; the simulator hands in virtual ones. The core has no clock, timer, randomness, database or socket of its own.
 */

/** A timer that was set; `cancel` after it fired does nothing. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970-01-01, as this machine believes. */
  now(): number
  /** Calls `run` once, not before `milliseconds` have passed. An error that it throws is a bug of ours. */
  after(milliseconds: number, run: () => void): Timer
  /** Lets other work go first; long computations call it now and then. */
  yield(): Promise<void>
}

export interface Random {
  /** Fresh, independent bytes. */
  bytes(length: number): Uint8Array
  /**
   * Encapsulates to an ML-KEM-768 key (1184 bytes, checked by the caller) with randomness of its own: ciphertext of 1088
   * bytes, secret of 32. Where a run has to repeat there is none.
   */
  readonly kemTo?: (publicKey: Uint8Array) => { ciphertext: Uint8Array; secret: Uint8Array }
}

/** One level of severity is enough for the core: what an operator should look at. Never a secret, a text or a name. */
export interface Logger {
  debug(message: string, detail?: Record<string, unknown>): void
  info(message: string, detail?: Record<string, unknown>): void
  warn(message: string, detail?: Record<string, unknown>): void
  /** A bug of ours. */
  error(message: string, detail?: Record<string, unknown>): void
}

// ---- Store ----

/**
 * Tables of the database; the byte is part of the key on disk and must never change its meaning.
 * Person's node: 1 to 63; custody: 64 to 95; network: 96 to 111.
 */
export const TABLE = {
  meta: 1,
  identity: 2,
  contact: 3,
  session: 4,
  outbox: 5,
  history: 6,
  historyIndex: 7,
  seen: 8,
  event: 9,
  invite: 10,
  receiptDue: 11,
  record: 12,
  replay: 13,
  draft: 14,
  consumer: 15,
  sendKey: 16,
  claim: 64,
  copy: 65,
  tombstone: 66,
  servedRecord: 67,
  proof: 68,
  datastore: 96,
} as const
export type Table = (typeof TABLE)[keyof typeof TABLE]

/** Where a row lies: its table, the scope it belongs to (blinded on disk), and its place inside the scope. */
export interface RowKey {
  table: Table
  /** Any bytes, for example an ID; empty for the table as a whole. */
  scope: Uint8Array
  /** 0 to 24 bytes, compared lexicographically; stands on disk as it is, so it holds no ID (use `Store.blind`). */
  position: Uint8Array
}

export interface Row {
  position: Uint8Array
  value: Uint8Array
}

/** A row to write; without a value it is deleted. */
export interface RowChange {
  key: RowKey
  value: Uint8Array | undefined
}

export interface RowRange {
  table: Table
  scope: Uint8Array
  /** First position wanted, included. */
  from?: Uint8Array
  /** Position to stop at, excluded. */
  to?: Uint8Array
  /** Rows at most. @default 1000 */
  limit?: number
  /** From the end. @default false */
  reverse?: boolean
}

/**
 * Rows at rest, encrypted and under blinded keys.
 * Errors are StoreErrors: `STORE_CLOSED`, `STORE_DAMAGED` (a row that does not authenticate, where going on without it
 * would forget what protects the person; elsewhere such a row counts as absent), `STORE_FULL`, `STORE_READ_ONLY`,
 * `STORE_GONE`, `STORE_FAILED`.
 */
export interface Store {
  get(key: RowKey): Promise<Uint8Array | undefined>
  /** In order of position. */
  list(range: RowRange): Promise<Row[]>
  /** One batch: all or nothing, on the disk (synced) when the promise resolves. One event of the node is one batch. */
  write(changes: readonly RowChange[]): Promise<void>
  /**
   * Writes a row, and resolves when nothing that it held before is left in the files. Nobody else writes it meanwhile. A store
   * that keeps nothing of what was overwritten has none.
   */
  shred?(key: RowKey, value: Uint8Array): Promise<void>
  /**
   * Resolves when the files hold nothing that rows of a table held before the call and hold no more. It changes no row, takes as
   * long as writing the table does, and others may write meanwhile. A store that keeps nothing of what was overwritten has none.
   */
  shredTable?(table: Table): Promise<void>
  /** 8 bytes that stand for `bytes` in a position: a MAC under a key of this store. */
  blind(bytes: Uint8Array): Uint8Array
}

// ---- Network ----

/**
 * A kept stream to a mailbox server. Calls are pipelined; answers may come in another order. A call that waits for mail
 * (PULL) stays open as long as the link.
 */
export interface Link {
  /** Multihash bytes of the server's peer ID, authenticated by the transport. */
  readonly peerId: Uint8Array
  /** @throws NetworkError `LINK_CLOSED`, or `TIMED_OUT` after `timeoutMs` (none: waits as long as the link lives) */
  call(frame: Uint8Array, timeoutMs?: number): Promise<Uint8Array>
  /** Called once, also when the link is closed already. */
  onClose(listener: () => void): void
  close(): void
}

/** The serving end of a link. */
export interface LinkServer {
  /** One request to one answer; never throws: what is wrong with the bytes is in the answer. */
  handle(frame: Uint8Array): Promise<Uint8Array>
  close(): void
}

/** What a source of connections is called in rate limits: its address prefix (/24, /48), never kept on disk. */
export interface LinkSource {
  prefix: string
}

export type Admission = 'accept' | 'ignore' | 'reject'

/** The inbound half of the network: called by it, implemented by the node. */
export interface Inbound {
  /** A gossip envelope of a neighbour; synchronous and cheap. `accept` lets it be forwarded, `reject` also scores the neighbour. */
  admit(envelope: Uint8Array, topic: string, neighbour: string): Admission
  /** A peer opened a mailbox stream; undefined when this node serves none. */
  serve(source: LinkSource): LinkServer | undefined
  /** @throws PeerError when a record may not be stored or believed at `key` */
  validateRecord(key: Uint8Array, value: Uint8Array): void
  /** Total order of two valid records of one key, positive when `a` wins; never throws, garbage is lowest. */
  compareRecords(key: Uint8Array, a: Uint8Array, b: Uint8Array): number
}

export interface Network {
  /** Multihash bytes of the own peer ID. */
  readonly peerId: Uint8Array
  /** Begins to listen, dial and deliver to `inbound`. */
  start(inbound: Inbound): Promise<void>
  stop(): Promise<void>
  /** Multiaddrs, `/p2p/…` included, where this node can be reached now. */
  addresses(): string[]
  /** Peers connected now. */
  peerCount(): number
  /**
   * Ends the connections of these source prefixes (`LinkSource`) and takes no new ones, instead of those named before. A
   * network that has no connections has none.
   */
  turnAway?(prefixes: readonly string[]): void
  /**
   * Opens a mailbox stream to the server of a multiaddr that ends in `/p2p/…`.
   * @throws NetworkError `UNREACHABLE` or `TIMED_OUT`; UsageError `BAD_ADDRESS`
   */
  connect(server: string): Promise<Link>
  /** Multihash bytes of the peer ID that a multiaddr ends in. @throws UsageError `BAD_ADDRESS` */
  serverId(server: string): Uint8Array
  /** Replaces the set of gossip topics that are read. */
  subscribe(topics: readonly string[]): void
  /** Peers that the envelope was handed to; 0 when there is nobody on the topic. Never throws. */
  publish(topic: string, envelope: Uint8Array): Promise<number>
  /** Puts a record into the DHT; how many peers took it, 0 when none. Never throws. */
  putRecord(key: Uint8Array, value: Uint8Array): Promise<number>
  /** Every valid value that came before the query ended; empty when none. Never throws. */
  getRecord(key: Uint8Array): Promise<Uint8Array[]>
}

/** All that a node gets from outside. */
export interface Ports {
  clock: Clock
  random: Random
  store: Store
  network: Network
  logger: Logger
}
