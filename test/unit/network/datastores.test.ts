/** The datastore over the Store port, and what guards it. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { Libp2pRecord } from '@libp2p/record'
import { expect } from 'chai'
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { concat, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { KithError, PeerError } from '../../../node/errors.ts'
import { datastoreKey, GuardedDatastore, type GuardedDatastoreInit } from '../../../node/network/guarded-datastore.ts'
import { StoreDatastore } from '../../../node/network/store-datastore.ts'
import { strictLogger } from '../../support/libp2p-nodes.ts'
import { createMemoryStore } from '../../support/memory-store.ts'
import { RecordingInbound, testRecord } from '../../support/recording-inbound.ts'

const recordKey = (fill: number): Uint8Array => concat(utf8('/kith-id/'), new Uint8Array(32).fill(fill))
const nameOf = (key: Uint8Array): Key => new Key(datastoreKey(key), false)
const put = (store: GuardedDatastore, key: Uint8Array, value: Uint8Array): Promise<Key> =>
  store.put(nameOf(key), new Libp2pRecord(key, value, new Date()).serialize())
const bytes = (text: string): Uint8Array => utf8(text)

async function keysOf(store: { queryKeys: MemoryDatastore['queryKeys'] }, prefix?: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.queryKeys(prefix === undefined ? {} : { prefix })) keys.push(key.toString())
  return keys.sort()
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KithError) return error.code
    throw error
  }
  return 'none'
}

describe('store datastore', () => {
  it('gives back what was put, before and after it was written, and in a later run', async () => {
    const store = createMemoryStore()
    const first = new StoreDatastore(store, strictLogger)
    await first.put(new Key('/peers/a'), bytes('1'))
    await first.put(new Key('/other/b'), new Uint8Array(0))
    expect(await first.get(new Key('/peers/a'))).to.deep.equal(bytes('1'))
    expect(store.writes).to.equal(0)
    await first.flush()
    expect(store.writes).to.equal(1)
    await first.put(new Key('/peers/a'), bytes('2'))
    await first.close()
    const second = new StoreDatastore(store, strictLogger)
    expect(await second.get(new Key('/peers/a'))).to.deep.equal(bytes('2'))
    expect(await second.has(new Key('/other/b'))).to.equal(true)
    expect(await second.has(new Key('/other/c'))).to.equal(false)
    await second.close()
  })

  it('has nothing where nothing is, and after a delete', async () => {
    const datastore = new StoreDatastore(createMemoryStore(), strictLogger)
    const get = async (): Promise<unknown> => await datastore.get(new Key('/peers/a')).catch((error: unknown) => error)
    expect(await get()).to.have.property('name', 'NotFoundError')
    await datastore.put(new Key('/peers/a'), bytes('1'))
    await datastore.flush()
    await datastore.delete(new Key('/peers/a'))
    expect(await get()).to.have.property('name', 'NotFoundError')
    await datastore.flush()
    expect(await get()).to.have.property('name', 'NotFoundError')
    await datastore.close()
  })

  it('finds every key of a prefix, over pages', async () => {
    const datastore = new StoreDatastore(createMemoryStore(), strictLogger)
    const peers = Array.from({ length: 600 }, (_, i) => `/peers/${i}`).sort()
    for (const key of [...peers, '/dht/record/x', '/dht/provider/y', '/self']) {
      await datastore.put(new Key(key), bytes(key))
    }
    expect(await keysOf(datastore, '/peers/')).to.deep.equal(peers)
    expect(await keysOf(datastore, '/peers/59')).to.deep.equal(peers.filter((key) => key.startsWith('/peers/59')))
    expect(await keysOf(datastore, '/dht')).to.deep.equal(['/dht/provider/y', '/dht/record/x'])
    expect(await keysOf(datastore, '/dht/provider')).to.deep.equal(['/dht/provider/y'])
    expect(await keysOf(datastore)).to.deep.equal([...peers, '/dht/record/x', '/dht/provider/y', '/self'].sort())
    await datastore.close()
  })

  it('goes on when the store fails, and says so', async () => {
    const store = createMemoryStore()
    const warnings: string[] = []
    const datastore = new StoreDatastore(store, { ...strictLogger, warn: (message) => warnings.push(message) })
    store.fail(1)
    await datastore.put(new Key('/peers/a'), bytes('1'))
    await datastore.flush()
    expect(warnings).to.have.length(1)
    await datastore.put(new Key('/peers/b'), bytes('2'))
    await datastore.close()
    expect(await datastore.has(new Key('/peers/b'))).to.equal(true)
  })

  it('puts no key in the clear into a position', async () => {
    const store = createMemoryStore()
    const datastore = new StoreDatastore(store, strictLogger)
    await datastore.put(new Key('/peers/somebody'), bytes('1'))
    await datastore.close()
    const [row] = await store.list({ table: 96, scope: utf8('/peers/') })
    expect(row!.position).to.deep.equal(store.blind(utf8('/peers/somebody')))
  })
})

describe('guarded datastore', () => {
  let self: PeerId
  let inner: MemoryDatastore
  let rules: RecordingInbound

  before(async () => {
    self = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  })

  beforeEach(() => {
    inner = new MemoryDatastore()
    rules = new RecordingInbound()
  })

  function guarded(init: Partial<GuardedDatastoreInit> = {}): GuardedDatastore {
    return new GuardedDatastore({
      inner,
      peerId: self.toMultihash().bytes,
      peerIdText: self.toString(),
      rules,
      maxRecords: 100,
      maxRecordBytes: 1_000_000,
      maxPeers: 100,
      ...init,
    })
  }

  /** Keys from the nearest to this node to the farthest. */
  const byDistance = (count: number): Uint8Array[] => {
    const home = sha256(self.toMultihash().bytes)
    const distance = (key: Uint8Array): string =>
      Buffer.from(sha256(key).map((byte, i) => byte ^ home[i]!)).toString('hex')
    return Array.from({ length: count }, (_, i) => recordKey(i)).sort((a, b) => (distance(a) < distance(b) ? -1 : 1))
  }

  it('T1 takes a higher record for a lower one, and never the other way', async () => {
    const store = guarded()
    await put(store, recordKey(1), testRecord(5))
    expect(await codeOf(put(store, recordKey(1), testRecord(3)))).to.equal('RECORD_STALE')
    expect(await store.record(recordKey(1))).to.deep.equal(testRecord(5))
    await put(store, recordKey(1), testRecord(5))
    await put(store, recordKey(1), testRecord(6))
    expect(await store.record(recordKey(1))).to.deep.equal(testRecord(6))
    expect(store.usage.records).to.equal(1)
  })

  it('T1 ends with the highest of many that come at once', async () => {
    const store = guarded()
    const order = [3, 9, 1, 10, 7, 2, 8, 4, 6, 5]
    await Promise.allSettled(order.map((sequence) => put(store, recordKey(1), testRecord(sequence))))
    expect(await store.record(recordKey(1))).to.deep.equal(testRecord(10))
  })

  it('T1 remembers a record that the library has dropped, until it is good no more', async () => {
    const store = guarded()
    await put(store, recordKey(1), testRecord(5))
    await store.delete(nameOf(recordKey(1)))
    expect(await codeOf(put(store, recordKey(1), testRecord(3)))).to.equal('RECORD_STALE')
    rules.validateRecord = () => {
      throw new PeerError('RECORD_EXPIRED', 'expired')
    }
    await store.delete(nameOf(recordKey(1)))
    expect(await store.record(recordKey(1))).to.equal(undefined)
    expect(store.usage).to.include({ records: 0, bytes: 0 })
  })

  it('sweeps what is good no more', async () => {
    const store = guarded()
    for (const fill of [1, 2, 3]) await put(store, recordKey(fill), testRecord(fill))
    rules.validateRecord = (_key, value) => {
      if (value[3] === 2) throw new PeerError('RECORD_EXPIRED', 'expired')
    }
    await store.sweep()
    expect(store.usage.records).to.equal(2)
    expect(await store.record(recordKey(2))).to.equal(undefined)
    expect(await store.record(recordKey(3))).to.deep.equal(testRecord(3))
  })

  it('when full gives the place of the farthest to a nearer one, and refuses a farther', async () => {
    const store = guarded({ maxRecords: 3 })
    const keys = byDistance(5)
    for (const key of keys.slice(1, 4)) await put(store, key, testRecord(1))
    expect(await codeOf(put(store, keys[4]!, testRecord(1)))).to.equal('RECORDS_FULL')
    await put(store, keys[0]!, testRecord(1))
    expect(store.usage.records).to.equal(3)
    expect(await store.record(keys[3]!)).to.equal(undefined)
    // What is held already may still rise.
    await put(store, keys[2]!, testRecord(2))
    expect(await store.record(keys[2]!)).to.deep.equal(testRecord(2))
  })

  it('counts bytes too', async () => {
    const one = new Libp2pRecord(recordKey(1), testRecord(1), new Date()).serialize().length
    const store = guarded({ maxRecordBytes: 2 * one })
    const keys = byDistance(3)
    await put(store, keys[0]!, testRecord(1))
    await put(store, keys[1]!, testRecord(1))
    expect(await codeOf(put(store, keys[2]!, testRecord(1)))).to.equal('RECORDS_FULL')
    expect(store.usage.bytes).to.equal(2 * one)
  })

  it('spares a record of its own', async () => {
    const store = guarded({ maxRecords: 1 })
    const [near, far] = byDistance(2)
    store.pin(far!)
    await put(store, near!, testRecord(1))
    await put(store, far!, testRecord(1))
    expect(await codeOf(put(store, near!, testRecord(1)))).to.equal('RECORDS_FULL')
    expect(await store.record(far!)).to.deep.equal(testRecord(1))
  })

  it('knows its limits again in a later run', async () => {
    const first = guarded()
    for (const fill of [1, 2, 3]) await put(first, recordKey(fill), testRecord(fill))
    await first.put(new Key('/peers/a'), bytes('1'))
    const second = guarded()
    await second.open()
    expect(second.usage).to.deep.equal(first.usage)
    expect(second.usage.records).to.equal(3)
  })

  it('refuses provider records and garbage in place of a record', async () => {
    const store = guarded()
    expect(await codeOf(store.put(new Key('/dht/provider/x/y'), bytes('1')))).to.equal('RECORD_REFUSED')
    expect(await codeOf(store.put(nameOf(recordKey(1)), bytes('garbage')))).to.equal('RECORD_REFUSED')
    expect(await keysOf(inner)).to.deep.equal([])
  })

  it('keeps a bounded number of peers, and always itself', async () => {
    const own = new Key(`/peers/${self.toCID().toString()}`)
    const store = guarded({ maxPeers: 3 })
    await store.put(own, bytes('self'))
    for (let i = 0; i < 10; i++) await store.put(new Key(`/peers/${i}`), bytes(`${i}`))
    expect(await keysOf(inner)).to.deep.equal(['/peers/8', '/peers/9', own.toString()].sort())
    expect(store.usage.peers).to.equal(3)
  })
})
