/**
 * The contract of the Store port as tests. Every implementation runs them: `storeCompliance('level', open)`.
 */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { compare, toHex, utf8 } from '../../node/crypto/bytes.ts'
import { type Row, type RowChange, type RowKey, type RowRange, type Store, TABLE } from '../../node/ports.ts'

export interface StoreUnderTest {
  store: Store
  /** When there is one: after it every call of the store fails with `STORE_CLOSED`. */
  close?(): Promise<void>
}

const SCOPE = utf8('scope')
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const at = (...position: number[]): RowKey => ({ table: TABLE.history, scope: SCOPE, position: bytes(...position) })
const put = (key: RowKey, ...value: number[]): RowChange => ({ key, value: bytes(...value) })
const remove = (key: RowKey): RowChange => ({ key, value: undefined })
const all: RowRange = { table: TABLE.history, scope: SCOPE }
const home = ({ table, scope }: Pick<RowKey, 'table' | 'scope'>): string => `${table}/${toHex(scope)}/`
const positions = (rows: Row[]): string[] => rows.map(({ position }) => toHex(position))

/** @param open an empty store for each test */
export function storeCompliance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`Store port: ${name}`, () => {
    let opened: StoreUnderTest
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(async () => opened.close?.())

    describe('single rows', () => {
      it('knows nothing at first', async () => {
        expect(await store.get(at(1))).to.equal(undefined)
        expect(await store.list(all)).to.deep.equal([])
      })

      it('reads what was written, an empty value and an empty position too', async () => {
        await store.write([put(at(), 1, 2, 3), put(at(1))])
        expect(await store.get(at())).to.deep.equal(bytes(1, 2, 3))
        expect(await store.get(at(1))).to.deep.equal(bytes())
      })

      it('replaces and deletes', async () => {
        await store.write([put(at(1), 1), put(at(2), 2)])
        await store.write([put(at(1), 9), remove(at(2)), remove(at(3))])
        expect(await store.get(at(1))).to.deep.equal(bytes(9))
        expect(await store.get(at(2))).to.equal(undefined)
        expect(positions(await store.list(all))).to.deep.equal(['01'])
      })

      it('keeps tables and scopes apart', async () => {
        const keys: RowKey[] = [
          at(1),
          { ...at(1), table: TABLE.outbox },
          { ...at(1), scope: bytes() },
          { ...at(1), scope: utf8('scope2') },
        ]
        await store.write(keys.map((key, i) => put(key, i)))
        for (const [i, key] of keys.entries()) {
          expect(await store.get(key)).to.deep.equal(bytes(i))
          expect(await store.list(key)).to.deep.equal([{ position: bytes(1), value: bytes(i) }])
        }
      })

      it('keeps no hold of the buffers that it takes and gives', async () => {
        const value = bytes(1, 2)
        const position = bytes(7)
        await store.write([{ key: { ...at(), position }, value }])
        value.fill(0)
        position.fill(0)
        const [row] = await store.list(all)
        expect(row).to.deep.equal({ position: bytes(7), value: bytes(1, 2) })
        row!.value.fill(0)
        ;(await store.get(at(7)))!.fill(0)
        expect(await store.get(at(7))).to.deep.equal(bytes(1, 2))
      })

      it('gives plain byte arrays', async () => {
        await store.write([put(at(1), 1)])
        const [row] = await store.list(all)
        for (const given of [await store.get(at(1)), row!.value, row!.position]) {
          expect(Object.getPrototypeOf(given)).to.equal(Uint8Array.prototype)
        }
      })

      it('takes a value of 1 MiB', async () => {
        const value = new Uint8Array(1024 * 1024).fill(7)
        await store.write([{ key: at(1), value }])
        expect(compare((await store.get(at(1)))!, value)).to.equal(0)
      })
    })

    describe('ranges', () => {
      const places = [[], [0], [0, 0], [0, 255], [1], [1, 0], [127], [128], [255], [255, 255]]
      const inOrder = places.map((place) => toHex(bytes(...place)))
      beforeEach(async () => {
        const shuffled = [...places].sort((a, b) => ((a[0] ?? 3) % 5) - ((b[0] ?? 3) % 5))
        await store.write(shuffled.map((place) => put(at(...place), ...place)))
        // Neighbours that no range may show.
        for (const scope of ['', 'a', 'scop', 'scope1', 'z']) {
          await store.write([put({ table: TABLE.history, scope: utf8(scope), position: bytes(1) }, 66)])
        }
      })

      it('lists in order of position, forwards and backwards', async () => {
        const rows = await store.list(all)
        expect(positions(rows)).to.deep.equal(inOrder)
        expect(rows.map(({ value }) => toHex(value))).to.deep.equal(inOrder)
        expect(positions(await store.list({ ...all, reverse: true }))).to.deep.equal(inOrder.toReversed())
      })

      it('begins at `from`, included, and stops at `to`, excluded', async () => {
        const from = (...place: number[]) => ({ ...all, from: bytes(...place) })
        expect(positions(await store.list(from(1)))).to.deep.equal(inOrder.slice(4))
        expect(positions(await store.list(from(0, 1)))).to.deep.equal(inOrder.slice(3))
        expect(positions(await store.list({ ...all, to: bytes(1) }))).to.deep.equal(inOrder.slice(0, 4))
        expect(positions(await store.list({ ...from(0), to: bytes(1, 0) }))).to.deep.equal(inOrder.slice(1, 5))
        const backwards = { ...from(0), to: bytes(1, 0), reverse: true }
        expect(positions(await store.list(backwards))).to.deep.equal(inOrder.slice(1, 5).toReversed())
        expect(await store.list({ ...from(1), to: bytes(1) })).to.deep.equal([])
        expect(await store.list({ ...from(2), to: bytes(1) })).to.deep.equal([])
      })

      it('gives at most `limit` rows, from the end when backwards', async () => {
        expect(positions(await store.list({ ...all, limit: 3 }))).to.deep.equal(inOrder.slice(0, 3))
        expect(positions(await store.list({ ...all, limit: 2, reverse: true }))).to.deep.equal(['ffff', 'ff'])
        expect(await store.list({ ...all, limit: 0 })).to.deep.equal([])
      })

      it('gives 1000 rows when no limit is named', async () => {
        const scope = utf8('many')
        const key = (i: number): RowKey => ({ table: TABLE.event, scope, position: bytes(i >> 8, i & 255) })
        await store.write(Array.from({ length: 1001 }, (_, i) => put(key(i), 1)))
        expect(await store.list({ table: TABLE.event, scope })).to.have.length(1000)
        expect(await store.list({ table: TABLE.event, scope, limit: 2000 })).to.have.length(1001)
      })
    })

    describe('batches', () => {
      it('takes an empty one', async () => {
        await store.write([])
      })

      it('lets the last change of a key win', async () => {
        await store.write([put(at(1), 1), put(at(1), 2), put(at(2), 1), remove(at(2)), remove(at(3)), put(at(3), 3)])
        expect(positions(await store.list(all))).to.deep.equal(['01', '03'])
        expect(await store.get(at(1))).to.deep.equal(bytes(2))
      })

      it('shows a batch whole or not at all to who reads meanwhile', async () => {
        const rows = Array.from({ length: 50 }, (_, i) => put(at(i), 1))
        const writing = store.write(rows)
        const seen: number[] = []
        for (let i = 0; i < 5; i++) seen.push((await store.list(all)).length)
        await writing
        expect(seen.filter((count) => count !== 0 && count !== 50)).to.deep.equal([])
        expect(await store.list(all)).to.have.length(50)
      })

      it('keeps the order of concurrent calls, each on the disk when it resolves', async () => {
        let done = 0
        const calls = Array.from({ length: 200 }, async (_, i) => {
          await store.write([put(at(0), i), put(at(1, i), i)])
          expect(done++, 'calls resolve in their order').to.equal(i)
          expect(await store.get(at(1, i))).to.deep.equal(bytes(i))
        })
        await Promise.all(calls)
        expect(await store.get(at(0))).to.deep.equal(bytes(199))
        expect(await store.list({ ...all, from: bytes(1) })).to.have.length(200)
      })
    })

    it('blinds: 8 bytes, the same for the same, others for others', () => {
      expect(store.blind(utf8('alice'))).to.have.length(8)
      expect(store.blind(utf8('alice'))).to.deep.equal(store.blind(utf8('alice')))
      expect(store.blind(utf8('alice'))).not.to.deep.equal(store.blind(utf8('bob')))
      expect(store.blind(bytes())).not.to.deep.equal(store.blind(bytes(0)))
    })

    it('behaves as a sorted map does', async () => {
      const key = fc
        .tuple(
          fc.constantFrom<RowKey['table']>(TABLE.history, TABLE.seen),
          fc.constantFrom('a', 'b'),
          fc.uint8Array({ maxLength: 2 }),
        )
        .map(([table, scope, position]): RowKey => ({ table, scope: utf8(scope), position }))
      const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }) })
      const batches = fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 6 })
      const model = new Map<string, Row>()
      // The model lives as long as the store: each run of the property goes on from the one before.
      await fc.assert(
        fc.asyncProperty(batches, async (writes) => {
          await Promise.all(writes.map((changes) => store.write(changes)))
          for (const { key: place, value } of writes.flat()) {
            const index = home(place) + toHex(place.position)
            if (value === undefined) model.delete(index)
            else model.set(index, { position: place.position, value })
          }
          for (const table of [TABLE.history, TABLE.seen]) {
            for (const scope of [utf8('a'), utf8('b')]) {
              const expected = [...model]
                .filter(([index]) => index.startsWith(home({ table, scope })))
                .map(([, row]) => row)
                .sort((a, b) => compare(a.position, b.position))
              expect(await store.list({ table, scope })).to.deep.equal(expected)
            }
          }
        }),
        { numRuns: 50, endOnFailure: true },
      )
    })

    it('refuses everything when closed', async function () {
      if (opened.close === undefined) this.skip()
      const last = store.write([put(at(1), 1)])
      await opened.close()
      await last // what was under way is on the disk
      const calls = [() => store.get(at(1)), () => store.list(all), () => store.write([put(at(1), 1)])]
      for (const call of calls) {
        const code = await call().then(
          () => 'no error',
          (error: unknown) => (error as { code?: unknown }).code,
        )
        expect(code).to.equal('STORE_CLOSED')
      }
    })
  })
}
