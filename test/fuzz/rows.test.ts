/**
 * T36, the part of the disk: a home in which one row was replaced by the worst content there is. Rows are sealed, so nobody
 * but the owner's own programs can have done it; still a start, and the first questions, end soon, with an answer or an error
 * of ours.
 */
import { expect } from 'chai'
import { concat, toHex } from '../../node/crypto/bytes.ts'
import { KithError } from '../../node/errors.ts'
import type { KithNode } from '../../node/node.ts'
import { type RowChange, type RowKey, TABLE } from '../../node/ports.ts'
import { MAX_VALUE_BYTES } from '../../node/store/rows.ts'
import { createVillage, sayOnce, untilRest, type Village } from '../scenario/node/village.ts'
import { SECOND } from '../simulation/engine.ts'
import type { DiskImage } from '../simulation/sim-disk.ts'

/** Processor time of a start and the questions behind it. */
const MAX_MILLISECONDS = 2000
const NAMES = new Map<number, string>(Object.entries(TABLE).map(([name, byte]) => [byte, name]))

const CONTENTS: Record<string, (value: Uint8Array) => Uint8Array> = {
  nothing: () => new Uint8Array(0),
  'half of it': (value) => value.slice(0, value.length / 2),
  'a byte more': (value) => concat(value, new Uint8Array(1)),
  'arrays in arrays': () => new Uint8Array(MAX_VALUE_BYTES).fill(0x81),
  'a map of 2^32': () => concat(Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff), new Uint8Array(MAX_VALUE_BYTES - 5)),
  'a string of 2^53': () => concat(Uint8Array.of(0x5b, 0, 0x1f, 255, 255, 255, 255, 255, 255), new Uint8Array(99)),
}

describe('T36 rows at rest', function () {
  this.timeout(120_000)
  let village: Village
  /** One row of each kind of place, as it was in the end. */
  const rows: { key: RowKey; value: Uint8Array }[] = []
  let whole: DiskImage

  before(async () => {
    village = await createVillage(3600)
    const { world, alice, bob } = village
    await sayOnce(village, alice, bob, 'hello')
    await sayOnce(village, bob, alice, 'hello back')
    await untilRest(village)
    await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    world.crash('bob')
    await sayOnce(village, alice, bob, 'it waits')
    await world.pass(SECOND)
    world.crash('alice')
    whole = world.disk('alice').image()
    const last = new Map<string, RowChange>()
    for (const change of village.villagers.get('alice')!.written.flat()) last.set(nameOf(change.key), change)
    const kinds = new Set<string>()
    for (const { key, value } of last.values()) {
      const kind = `${key.table}/${key.scope.length}/${key.position.length}/${key.position[0]}`
      if (value === undefined || kinds.has(kind)) continue
      kinds.add(kind)
      rows.push({ key, value })
    }
  })

  for (const [name, content] of Object.entries(CONTENTS)) {
    it(`T36 that hold ${name}: each start ends soon, with an answer or an error of ours`, async () => {
      expect(rows.length).to.be.above(15)
      const { world } = village
      for (const { key, value } of rows) {
        const what = `${NAMES.get(key.table)} ${toHex(key.position).slice(0, 16)}`
        const image = { rows: whole.rows.copy(), blindKey: whole.blindKey }
        image.rows.apply([{ key, value: content(value) }])
        world.disk('alice').restore(image)
        const started = process.cpuUsage()
        await orOurs(what, () => world.restart('alice'))
        if (village.alice.isBooted) for (const ask of QUESTIONS) await orOurs(what, () => village.alice.do(ask))
        const { user, system } = process.cpuUsage(started)
        expect((user + system) / 1000, what).to.be.below(MAX_MILLISECONDS)
        world.crash('alice')
      }
      world.disk('alice').restore(whole)
      await world.restart('alice')
      expect((await village.alice.do((it) => it.friends())).map(({ state }) => state)).to.deep.equal(['friend'])
      world.crash('alice')
    })
  }
})

const QUESTIONS: ((it: KithNode) => Promise<unknown>)[] = [
  (it) => it.status(),
  (it) => it.friends(),
  (it) => it.invites(),
  (it) => it.requests(),
  (it) => it.history({ who: 'bob', limit: 100 }),
  (it) => it.eventsSince(0, 1000),
  (it) => it.send('bob', 'still here'),
]

/** @throws whatever is neither an answer nor an error of ours */
async function orOurs(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof KithError)) throw new Error(`${what}: ${String(error)}`, { cause: error })
  }
}

function nameOf({ table, scope, position }: RowKey): string {
  return `${table}/${toHex(scope)}/${toHex(position)}`
}
