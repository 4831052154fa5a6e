/**
 * What stands between strangers and libp2p's datastore (PROTOCOL 2). The DHT's PUT handler compares with nothing and
 * caps nothing (js-libp2p#3377): any peer could roll a record back to an older signed one, or fill the disk. Here a
 * record never gives way to a lower one, records and peers are capped, expired records are swept, provider records are
 * refused. Whether a record is good, and which of two is higher, is asked of the node.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { Libp2pRecord } from '@libp2p/record'
import { BaseDatastore } from 'datastore-core'
import { Key, type Datastore, type KeyQuery, type Query } from 'interface-datastore'
import { base32nopad } from '@scure/base'
import { readUint } from '../crypto/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { PeerError } from '../errors.ts'
import type { Inbound } from '../ports.ts'

const RECORD_PREFIX = '/dht/record/'
const PROVIDER_PREFIX = '/dht/provider/'
const PEER_PREFIX = '/peers/'

export interface GuardedDatastoreInit {
  inner: Datastore
  /** Multihash bytes of the own peer ID. */
  peerId: Uint8Array
  /** Text of the own peer ID: its row among the peers is never dropped. */
  peerIdText: string
  rules: Pick<Inbound, 'validateRecord' | 'compareRecords'>
  maxRecords: number
  maxRecordBytes: number
  maxPeers: number
}

interface Place {
  bytes: number
  /** Of the record's key from this node, as the DHT measures it: the first 48 bits. */
  distance: number
}

export class GuardedDatastore extends BaseDatastore {
  readonly #init: GuardedDatastoreInit
  readonly #home: Uint8Array
  readonly #ownPeerKey: string
  readonly #records = new Map<string, Place>()
  #recordBytes = 0
  /** Keys of peers, the one longest unwritten first. */
  readonly #peers = new Set<string>()
  /** The last step for each record key, so that read, compare and write are one. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #pinned = new Set<string>()

  constructor(init: GuardedDatastoreInit) {
    super()
    this.#init = init
    this.#home = sha256(init.peerId)
    this.#ownPeerKey = `${PEER_PREFIX}${peerIdFromString(init.peerIdText).toCID().toString()}`
  }

  /** Counts what an earlier run has left. */
  async open(): Promise<void> {
    for await (const { key, value } of this.#init.inner.query({ prefix: RECORD_PREFIX })) {
      const record = decode(value)
      if (record === undefined) await this.#init.inner.delete(key)
      else this.#place(key.toString(), record.key, value.length)
    }
    for await (const key of this.#init.inner.queryKeys({ prefix: PEER_PREFIX })) this.#peers.add(key.toString())
  }

  /** Records held now, and their bytes. */
  get usage(): { records: number; bytes: number; peers: number } {
    return { records: this.#records.size, bytes: this.#recordBytes, peers: this.#peers.size }
  }

  /** A record of this node's own: not evicted for others. */
  pin(recordKey: Uint8Array): void {
    this.#pinned.add(datastoreKey(recordKey))
  }

  /** The value held for a record key. */
  async record(recordKey: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#read(datastoreKey(recordKey)))?.value
  }

  /** Deletes the records that are good no more. */
  async sweep(): Promise<void> {
    for (const key of this.#records.keys()) {
      await this.#inTurn(key, async () => {
        if (!(await this.#isGood(key))) await this.#drop(key)
      })
    }
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    const name = key.toString()
    if (name.startsWith(PROVIDER_PREFIX)) throw new PeerError('RECORD_REFUSED', 'provider records are not kept')
    if (name.startsWith(RECORD_PREFIX)) await this.#inTurn(name, () => this.#putRecord(key, value))
    else {
      if (name.startsWith(PEER_PREFIX)) await this.#notePeer(name)
      await this.#init.inner.put(key, value)
    }
    return key
  }

  override async delete(key: Key): Promise<void> {
    const name = key.toString()
    if (name.startsWith(RECORD_PREFIX)) {
      // The library stops serving a record 48 hours after it came and deletes it on that occasion. It stays as the
      // memory that refuses an older one, until it expires by itself.
      await this.#inTurn(name, async () => {
        if (!(await this.#isGood(name))) await this.#drop(name)
      })
      return
    }
    this.#peers.delete(name)
    await this.#init.inner.delete(key)
  }

  override async get(key: Key): Promise<Uint8Array> {
    return await this.#init.inner.get(key)
  }

  override async has(key: Key): Promise<boolean> {
    return await this.#init.inner.has(key)
  }

  override query(query: Query): ReturnType<Datastore['query']> {
    return this.#init.inner.query(query)
  }

  override queryKeys(query: KeyQuery): ReturnType<Datastore['queryKeys']> {
    return this.#init.inner.queryKeys(query)
  }

  async #putRecord(key: Key, raw: Uint8Array): Promise<void> {
    const name = key.toString()
    const record = decode(raw)
    if (record === undefined) throw new PeerError('RECORD_REFUSED', 'not a record')
    const held = await this.record(record.key)
    if (held !== undefined && this.#init.rules.compareRecords(record.key, record.value, held) < 0) {
      throw new PeerError('RECORD_STALE', 'a higher record is held')
    }
    await this.#makeRoom(name, record.key, raw.length)
    await this.#init.inner.put(key, raw)
    this.#place(name, record.key, raw.length)
  }

  /** When full, a record nearer to this node takes the place of the farthest: the DHT looks for it here. */
  async #makeRoom(name: string, recordKey: Uint8Array, bytes: number): Promise<void> {
    const { maxRecords, maxRecordBytes } = this.#init
    const held = this.#records.get(name)
    const distance = this.#distance(recordKey)
    for (;;) {
      const records = this.#records.size + (held === undefined ? 1 : 0)
      const total = this.#recordBytes + bytes - (held?.bytes ?? 0)
      if (records <= maxRecords && total <= maxRecordBytes) return
      const farthest = this.#farthest(name)
      const isNearer = farthest !== undefined && distance < farthest.distance
      if (!isNearer && !this.#pinned.has(name)) throw new PeerError('RECORDS_FULL', 'no room for this record')
      if (farthest === undefined) return
      await this.#drop(farthest.name)
    }
  }

  #farthest(except: string): { name: string; distance: number } | undefined {
    let found: { name: string; distance: number } | undefined
    for (const [name, { distance }] of this.#records) {
      if (name === except || this.#pinned.has(name)) continue
      if (found === undefined || distance > found.distance) found = { name, distance }
    }
    return found
  }

  #place(name: string, recordKey: Uint8Array, bytes: number): void {
    this.#recordBytes += bytes - (this.#records.get(name)?.bytes ?? 0)
    this.#records.set(name, { bytes, distance: this.#distance(recordKey) })
  }

  #distance(recordKey: Uint8Array): number {
    const place = sha256(recordKey).map((byte, index) => byte ^ this.#home[index]!)
    return readUint(place, 0, 6)
  }

  async #isGood(name: string): Promise<boolean> {
    const record = await this.#read(name)
    if (record === undefined) return false
    try {
      this.#init.rules.validateRecord(record.key, record.value)
      return true
    } catch {
      return false
    }
  }

  async #read(name: string): Promise<Libp2pRecord | undefined> {
    const key = new Key(name, false)
    return (await this.#init.inner.has(key)) ? decode(await this.#init.inner.get(key)) : undefined
  }

  async #drop(name: string): Promise<void> {
    this.#recordBytes -= this.#records.get(name)?.bytes ?? 0
    this.#records.delete(name)
    await this.#init.inner.delete(new Key(name, false))
  }

  async #notePeer(name: string): Promise<void> {
    this.#peers.delete(name)
    this.#peers.add(name)
    if (this.#peers.size <= this.#init.maxPeers) return
    for (const oldest of this.#peers) {
      if (oldest === this.#ownPeerKey) continue
      this.#peers.delete(oldest)
      await this.#init.inner.delete(new Key(oldest, false))
      return
    }
  }

  async #inTurn<T>(name: string, step: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve()
    const turn = before.then(step, step)
    this.#turns.set(name, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name)
    }
  }
}

/** Under which key kad-dht keeps a record: its key in lower-case base32 without padding. */
export function datastoreKey(recordKey: Uint8Array): string {
  return RECORD_PREFIX + base32nopad.encode(recordKey).toLowerCase()
}

function decode(raw: Uint8Array): Libp2pRecord | undefined {
  try {
    return Libp2pRecord.deserialize(raw)
  } catch {
    return undefined
  }
}
