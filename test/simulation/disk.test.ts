/** What a simulated disk keeps over crashes, and what tests can do to it. */
import { expect } from 'chai'
import { u32, utf8 } from '../../node/crypto/bytes.ts'
import { type RowKey, TABLE } from '../../node/ports.ts'
import { seeded } from '../support/seed.ts'
import { createWorld, type SimPorts, type World } from './world.ts'

const SCOPE = utf8('s')
const ALL = { table: TABLE.outbox, scope: SCOPE }
const key = (i: number): RowKey => ({ ...ALL, position: u32(i) })
const pair = (i: number) => [
  { key: key(2 * i), value: u32(i) },
  { key: key(2 * i + 1), value: u32(i) },
]

const writeFirstPair = ({ store }: SimPorts): Promise<void> => store.write(pair(0))

/** Starts ten batches of two rows, crashes in the middle; how many were acknowledged and what lies there afterwards. */
async function crashAmongWrites(seed: number): Promise<{ world: World; acknowledged: number; found: number[] }> {
  const world = createWorld(seed)
  const node = await world.start('a', (ports) => ports)
  const { store } = node.it
  let acknowledged = 0
  for (let i = 0; i < 10; i++) {
    world.schedule(i, () => {
      void store.write(pair(i)).then(() => acknowledged++)
    })
  }
  world.schedule(world.random.int(1, 12), () => world.crash('a'))
  await world.run()
  await world.restart('a')
  const rows = await node.do((ports) => ports.store.list(ALL))
  return { world, acknowledged, found: rows.map(({ position }) => position[3]!) }
}

describe('simulated disk', () => {
  seeded(
    'a crash keeps every acknowledged batch, and whole batches in order of what was under way',
    40,
    async (seed) => {
      const { world, acknowledged, found } = await crashAmongWrites(seed)
      expect(found.length % 2).to.equal(0)
      expect(found).to.deep.equal(Array.from(found, (_, index) => index))
      expect(found.length / 2).to.equal(acknowledged + world.faults.batchesKept)
    },
  )

  it('over many seeds, batches under way are sometimes kept and sometimes lost', async () => {
    const total = { kept: 0, lost: 0, acknowledged: 0 }
    for (let seed = 1; seed <= 40; seed++) {
      const { world, acknowledged } = await crashAmongWrites(seed)
      total.kept += world.faults.batchesKept
      total.lost += world.faults.batchesLost
      total.acknowledged += acknowledged
    }
    expect(total.kept).to.be.greaterThan(0)
    expect(total.lost).to.be.greaterThan(0)
    expect(total.acknowledged).to.be.greaterThan(0)
  })

  it('shows a write to readers at the latest when it is acknowledged', async () => {
    const world = createWorld(2)
    const node = await world.start('a', (ports) => ports)
    const seen = await node.do(async ({ store }) => {
      await store.write(pair(0))
      return store.get(key(1))
    })
    expect(seen).to.deep.equal(u32(0))
  })

  it('refuses writes when it is full, and changes nothing', async () => {
    const world = createWorld(1)
    const node = await world.start('a', (ports) => ports)
    world.disk('a').refusing = 'STORE_FULL'
    const error: unknown = await node.do(writeFirstPair).catch((thrown: unknown) => thrown)
    expect(error).to.have.property('code', 'STORE_FULL')
    expect(await node.do(({ store }) => store.list(ALL))).to.deep.equal([])
    world.disk('a').refusing = undefined
    await node.do(writeFirstPair)
    expect(await node.do(({ store }) => store.list(ALL))).to.have.length(2)
  })

  it('can be imaged, wiped and put back, also at another node', async () => {
    const world = createWorld(1)
    const a = await world.start('a', (ports) => ports)
    const b = await world.start('b', (ports) => ports)
    const count = async (node: typeof a): Promise<number> => (await node.do(({ store }) => store.list(ALL))).length
    await a.do(({ store }) => store.write(pair(0)))
    const image = world.disk('a').image()
    await a.do(({ store }) => store.write(pair(1)))
    world.crash('a')
    world.disk('a').restore(image)
    await world.restart('a')
    expect(await count(a)).to.equal(2)
    world.crash('a')
    world.disk('a').wipe()
    await world.restart('a')
    expect(await count(a)).to.equal(0)
    world.crash('b')
    world.disk('b').restore(image)
    await world.restart('b')
    expect(await count(b)).to.equal(2)
  })
})
