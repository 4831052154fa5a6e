/** What the store does beyond the port: form on disk, damage, group commit and failures of the disk. */
import { expect } from 'chai'
import { MemoryLevel } from 'memory-level'
import { open as openSealed } from '../../../node/crypto/aead.ts'
import { concat, toHex, u8, utf8 } from '../../../node/crypto/bytes.ts'
import { hkdfSha256, hmacSha256, NO_SALT } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { MAX_POSITION_BYTES, MAX_VALUE_BYTES } from '../../../node/limits.ts'
import { type RowKey, TABLE } from '../../../node/ports.ts'
import type { ByteLevel, ByteOperation } from '../../../node/store/byte-level.ts'
import { createRowStore, deriveStoreKeys, type RowStore } from '../../../node/store/rows.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'

const MASTER = new Uint8Array(32).fill(5)
const KEYS = deriveStoreKeys(MASTER)
const key = (position: string, scope = 'scope'): RowKey => ({
  table: TABLE.identity,
  scope: utf8(scope),
  position: utf8(position),
})

/** A database whose batches wait for `release` and may fail. */
class HeldLevel {
  readonly batches: { operations: ByteOperation[]; sync: boolean }[] = []
  readonly level: ByteLevel
  #held: PromiseWithResolvers<void> | undefined
  failWith: unknown

  constructor(inner: ByteLevel) {
    this.level = {
      open: () => inner.open(),
      get: (place) => inner.get(place),
      iterator: (range) => inner.iterator(range),
      clear: () => inner.clear(),
      close: () => inner.close(),
      batch: async (operations, options) => {
        this.batches.push({ operations, ...options })
        await this.#held?.promise
        if (this.failWith !== undefined) throw this.failWith
        await inner.batch(operations, options)
      },
    }
  }

  hold(): void {
    this.#held = Promise.withResolvers()
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }
}

describe('row store', () => {
  let raw: MemoryLevel<Uint8Array, Uint8Array>
  let held: HeldLevel
  let store: RowStore
  beforeEach(async () => {
    raw = new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
    await raw.open()
    held = new HeldLevel(raw)
    store = createRowStore(held.level, KEYS, countingRandom())
  })
  afterEach(async () => {
    held.release()
    await store.close()
  })
  const onDisk = async (): Promise<[Uint8Array, Uint8Array][]> =>
    (await raw.iterator().all()).map(([place, value]) => [new Uint8Array(place), new Uint8Array(value)])
  const write = (name: string, size = 1): Promise<void> =>
    store.write([{ key: key(name), value: new Uint8Array(size) }])
  const damaged = async (): Promise<void> => {
    expect(await rejection(store.get(key('a')))).to.have.property('code', 'STORE_DAMAGED')
    expect(await rejection(store.list(key('a'))), 'a list skips nothing').to.have.property('code', 'STORE_DAMAGED')
  }

  describe('on disk', () => {
    it('has the key and the value that PROTOCOL 9 describes', async () => {
      await store.write([{ key: key('p'), value: utf8('row') }])
      const [[place, value]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      const index = hkdfSha256(NO_SALT, MASTER, L('storeIndex'), 32)
      const record = hkdfSha256(NO_SALT, MASTER, concat(L('storeRecord'), new Uint8Array(4)), 32)
      const scope = hmacSha256(index, u8(TABLE.identity), utf8('scope')).slice(0, 16)
      expect(toHex(place)).to.equal(toHex(concat(u8(TABLE.identity), scope, utf8('p'))))
      expect(toHex(value.slice(0, 5))).to.equal('0100000000')
      expect(value).to.have.length(5 + 24 + 3 + 16)
      expect(openSealed(record, value.subarray(5), concat(L('row'), place))).to.deep.equal(utf8('row'))
    })

    it('draws a nonce for every value', async () => {
      await store.write([{ key: key('a'), value: utf8('same') }])
      const [[, first]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      await store.write([{ key: key('a'), value: utf8('same') }])
      const [[, second]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      expect(toHex(first.slice(5, 29))).not.to.equal(toHex(second.slice(5, 29)))
    })

    it('shows nothing to another master key', async () => {
      await store.write([{ key: key('a'), value: utf8('row') }])
      const other = createRowStore(raw, deriveStoreKeys(new Uint8Array(32).fill(6)), countingRandom())
      expect(await other.get(key('a'))).to.equal(undefined)
      expect(other.blind(utf8('x'))).not.to.deep.equal(store.blind(utf8('x')))
    })

    it('blinds apart from the scopes', () => {
      for (let table = 1; table < 112; table++) {
        expect(store.blind(utf8('x'))).not.to.deep.equal(hmacSha256(KEYS.index, u8(table), utf8('x')).slice(0, 8))
      }
    })
  })

  describe('damage', () => {
    beforeEach(async () => {
      await store.write([
        { key: key('a'), value: utf8('value a') },
        { key: key('b'), value: utf8('value b') },
      ])
    })

    it('T39 values swapped between keys do not open', async () => {
      const [[placeA, valueA], [placeB, valueB]] = (await onDisk()) as [
        [Uint8Array, Uint8Array],
        [Uint8Array, Uint8Array],
      ]
      await raw.batch([
        { type: 'put', key: placeA, value: valueB },
        { type: 'put', key: placeB, value: valueA },
      ])
      await damaged()
      expect(await rejection(store.get(key('b')))).to.have.property('code', 'STORE_DAMAGED')
    })

    it('T39 a value moved to another scope, table or position does not open', async () => {
      const [[, value]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      const targets: RowKey[] = [key('a', 'other'), { ...key('a'), table: TABLE.contact }, key('c')]
      for (const target of targets) {
        await store.write([{ key: target, value: utf8('x') }])
        const { operations } = held.batches.at(-1)!
        await raw.put(operations[0]!.key, value)
        expect(await rejection(store.get(target))).to.have.property('code', 'STORE_DAMAGED')
      }
    })

    it('T39 an old value of the same key opens: only the echoes of friends tell a rollback', async () => {
      const [[place, old]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      await store.write([{ key: key('a'), value: utf8('newer') }])
      await raw.put(place, old)
      expect(await store.get(key('a'))).to.deep.equal(utf8('value a'))
    })

    it('refuses every flipped byte, every truncation and a trailing byte', async () => {
      const [[place, value]] = (await onDisk()) as [[Uint8Array, Uint8Array]]
      const changed = Array.from(value, (_, i) => value.with(i, value[i]! ^ 1))
      const cut = Array.from(value, (_, length) => value.slice(0, length))
      for (const wrong of [...changed, ...cut, concat(value, u8(0))]) {
        await raw.put(place, wrong)
        await damaged()
      }
      await raw.put(place, value)
      expect(await store.get(key('a'))).to.deep.equal(utf8('value a'))
    })
  })

  describe('damage to what can be spared', () => {
    const spared = (position: number): RowKey => ({ table: TABLE.event, scope: utf8('s'), position: u8(position) })

    /** Rows 0 to 9, of which some do not authenticate. */
    async function damage(...positions: number[]): Promise<void> {
      await store.write(Array.from({ length: 10 }, (_, i) => ({ key: spared(i), value: u8(i) })))
      const rows = await onDisk()
      for (const position of positions) {
        const [place, value] = rows[position]!
        await raw.put(place, value.with(40, value[40]! ^ 1))
      }
    }
    const found = async (range: { limit?: number; reverse?: boolean; from?: Uint8Array }): Promise<number[]> =>
      (await store.list({ ...spared(0), ...range })).map(({ value }) => value[0]!)

    it('counts as absent, once, and the rest is read in order up to the limit', async () => {
      await damage(0, 4, 5, 9)
      expect(await store.get(spared(4))).to.equal(undefined)
      expect(await found({})).to.deep.equal([1, 2, 3, 6, 7, 8])
      expect(await found({ limit: 4 })).to.deep.equal([1, 2, 3, 6])
      expect(await found({ limit: 1, reverse: true }), 'the newest that is left').to.deep.equal([8])
      expect(await found({ limit: 3, reverse: true })).to.deep.equal([8, 7, 6])
      expect(await found({ from: u8(4), limit: 2 })).to.deep.equal([6, 7])
      expect([...store.damaged()]).to.deep.equal([[TABLE.event, 4]])
    })

    it('is nothing when all of it is damaged', async () => {
      await damage(...Array.from({ length: 10 }, (_, i) => i))
      expect(await found({ limit: 3 })).to.deep.equal([])
      expect(await found({ limit: 1, reverse: true })).to.deep.equal([])
    })
  })

  describe('bounds', () => {
    it('takes the largest position and refuses one byte more, writing nothing of that batch', async () => {
      const longest = { ...key(''), position: new Uint8Array(MAX_POSITION_BYTES) }
      await store.write([{ key: longest, value: u8(1) }])
      expect(await store.get(longest)).to.deep.equal(u8(1))
      const tooLong = { ...key(''), position: new Uint8Array(MAX_POSITION_BYTES + 1) }
      const batch = [
        { key: key('fine'), value: u8(1) },
        { key: tooLong, value: u8(1) },
      ]
      expect(await rejection(store.write(batch))).to.have.property('code', 'BAD_ROW')
      expect(await store.get(key('fine'))).to.equal(undefined)
      expect(await rejection(store.get(tooLong))).to.have.property('code', 'BAD_ROW')
    })

    it('refuses a value above 1 MiB and a limit that is no number', async () => {
      const value = new Uint8Array(MAX_VALUE_BYTES + 1)
      expect(await rejection(store.write([{ key: key('a'), value }]))).to.have.property('code', 'BAD_ROW')
      for (const limit of [-1, 1.5, Number.NaN, Infinity]) {
        expect(await rejection(store.list({ ...key('a'), limit }))).to.have.property('code', 'BAD_ROW')
      }
    })
  })

  describe('group commit', () => {
    it('syncs, and writes what comes during one batch as the next', async () => {
      held.hold()
      const first = write('0')
      const rest = Array.from({ length: 20 }, (_, i) => write(`r${i}`))
      expect(held.batches).to.have.length(1)
      held.release()
      await Promise.all([first, ...rest])
      expect(held.batches.map(({ operations }) => operations.length)).to.deep.equal([1, 20])
      expect(held.batches.every(({ sync }) => sync)).to.equal(true)
    })

    it('resolves nothing before its own batch is synced', async () => {
      held.hold()
      let resolved = false
      const written = write('a').then(() => (resolved = true))
      for (let i = 0; i < 10; i++) await store.get(key('a'))
      expect(resolved).to.equal(false)
      held.release()
      await written
      expect(await store.get(key('a'))).to.deep.equal(u8(0))
    })

    it('bounds the bytes of a group', async () => {
      held.hold()
      const writes = Array.from({ length: 11 }, (_, i) => write(`${i}`, MAX_VALUE_BYTES))
      held.release()
      await Promise.all(writes)
      expect(held.batches.map(({ operations }) => operations.length)).to.deep.equal([1, 3, 3, 3, 1])
    })

    it('takes the values at the call: their buffers may be used again at once', async () => {
      held.hold()
      const value = utf8('before')
      const written = store.write([{ key: key('a'), value }])
      value.fill(0)
      held.release()
      await written
      expect(await store.get(key('a'))).to.deep.equal(utf8('before'))
    })

    it('fails all of a failed group and everything after it, and still reads', async () => {
      await write('kept')
      held.hold()
      held.failWith = Object.assign(new Error('IO error: db/000003.log: Input/output error'), {
        code: 'LEVEL_IO_ERROR',
      })
      const failing = [rejection(write('0')), rejection(write('1')), rejection(write('2'))]
      held.release()
      for (const error of await Promise.all(failing)) expect(error).to.have.property('code', 'STORE_FAILED')
      held.failWith = undefined
      // What stands at the end of the log is unknown now: nothing may be acknowledged behind it.
      expect(await rejection(write('3'))).to.have.property('code', 'STORE_FAILED')
      expect(held.batches).to.have.length(2)
      expect(await store.get(key('kept'))).to.deep.equal(u8(0))
    })

    const causes: [string, string, unknown][] = [
      ['STORE_FULL', 'a full disk', { code: 'LEVEL_IO_ERROR', message: 'IO error: x.log: No space left on device' }],
      ['STORE_FULL', 'a quota', { code: 'LEVEL_IO_ERROR', message: 'IO error: x.log: Disk quota exceeded' }],
      [
        'STORE_READ_ONLY',
        'a read-only disk',
        { code: 'LEVEL_IO_ERROR', message: 'IO error: x.log: Read-only file system' },
      ],
      ['STORE_DAMAGED', 'a damaged database', { code: 'LEVEL_CORRUPTION', message: 'Corruption: x' }],
      ['STORE_CLOSED', 'a database closed below', { code: 'LEVEL_DATABASE_NOT_OPEN', message: 'Database is not open' }],
    ]
    for (const [code, name, cause] of causes) {
      it(`calls ${name} ${code}`, async () => {
        held.failWith = cause
        const error = await rejection(write('a'))
        expect(error).to.have.property('code', code)
        expect((error as Error).message).not.to.contain('x.log')
      })
    }

    it('closes after the writes under way', async () => {
      held.hold()
      const writes = [write('a'), write('b')]
      const closed = store.close()
      expect(await rejection(write('c'))).to.have.property('code', 'STORE_CLOSED')
      held.release()
      await Promise.all([...writes, closed])
      expect(await rejection(store.get(key('a')))).to.have.property('code', 'STORE_CLOSED')
      await raw.open()
      expect(await onDisk()).to.have.length(2)
      await raw.close()
    })
  })
})
