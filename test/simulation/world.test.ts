/** The simulator itself: time, order, determinism, lives of nodes. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { utf8 } from '../../node/crypto/bytes.ts'
import { type RowKey, TABLE } from '../../node/ports.ts'
import { seeded } from '../support/seed.ts'
import { DAY, EPOCH_MS, HOUR, SECOND, SimulationError } from './engine.ts'
import { runToys } from './toy.ts'
import { CrashedError, createWorld, type SimPorts } from './world.ts'

const KEY: RowKey = { table: TABLE.meta, scope: utf8('s'), position: utf8('p') }

async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('expected a failure')
}

async function orderUnder(seed: number): Promise<string> {
  const world = createWorld(seed)
  let seen = ''
  for (const name of 'abcdefgh') world.schedule(10, () => (seen += name))
  await world.run()
  return seen
}

async function digestOfWriting(value: number): Promise<string> {
  const world = createWorld(1)
  const node = await world.start('a', (ports) => ports)
  await node.do(({ store }) => store.write([{ key: KEY, value: Uint8Array.of(value) }]))
  return world.trace.digest()
}

const deaf = {
  admit: () => 'ignore' as const,
  serve: () => ({ handle: () => new Promise<Uint8Array>(() => {}), close: () => {} }),
  validateRecord: () => {},
  compareRecords: () => 0,
}

async function bootDeaf(ports: SimPorts): Promise<SimPorts> {
  await ports.network.start(deaf)
  return ports
}

/** What two nodes draw, and one of them again after a restart. */
async function drawUnder(seed: number): Promise<string[]> {
  const world = createWorld(seed)
  const a = await world.start('a', (ports) => ports)
  const b = await world.start('b', (ports) => ports)
  const drawn = [a.it.random.bytes(100), b.it.random.bytes(100)]
  await world.restart('a')
  return [...drawn, a.it.random.bytes(100)].map((bytes) => Buffer.from(bytes).toString('hex'))
}

describe('simulated world', () => {
  describe('time', () => {
    it('jumps from event to event, in the order of their times', async () => {
      const world = createWorld(1)
      const seen: string[] = []
      world.schedule(2 * DAY, () => seen.push(`b ${world.elapsed}`))
      world.schedule(5, () => {
        seen.push(`a ${world.elapsed}`)
        world.schedule(0, () => seen.push(`then ${world.elapsed}`))
      })
      world.schedule(6, () => seen.push('never')).cancel()
      await world.run()
      expect(seen).to.deep.equal(['a 5', 'then 5', `b ${2 * DAY}`])
      expect(world.now).to.equal(EPOCH_MS + 2 * DAY)
    })

    it('puts events of one instant in an order that the seed chooses', async () => {
      expect(await orderUnder(1)).to.equal(await orderUnder(1))
      expect(new Set([await orderUnder(1), await orderUnder(2), await orderUnder(3)]).size).to.be.greaterThan(1)
    })

    it('lets all that follows from an event happen before the next one', async () => {
      const world = createWorld(1)
      const seen: string[] = []
      world.schedule(1, () => {
        void (async () => {
          for (let i = 0; i < 1000; i++) {
            await (i % 2 === 0 ? Promise.resolve() : new Promise<void>((resolve) => process.nextTick(resolve)))
          }
          seen.push('long tail')
        })()
      })
      world.schedule(1.5, () => seen.push('next'))
      await world.run()
      expect(seen).to.deep.equal(['long tail', 'next'])
    })

    it('stops at `forMs`, and at `until`', async () => {
      const world = createWorld(1)
      let ticks = 0
      const tick = (): void => {
        ticks++
        world.schedule(SECOND, tick)
      }
      tick()
      await world.run({ forMs: 10.5 * SECOND })
      expect([ticks, world.elapsed]).to.deep.equal([11, 10.5 * SECOND])
      await world.run({ until: () => ticks === 20 })
      expect(world.elapsed).to.equal(19 * SECOND)
    })

    it('fails when what is waited for does not happen, when too much happens, when an event throws', async () => {
      const quiet = await failureOf(createWorld(77).run({ until: () => false }))
      expect(quiet).to.be.instanceOf(SimulationError)
      expect(quiet.message).to.match(/did not happen.*seed 77/)
      const world = createWorld(1)
      const again = (): void => void world.schedule(0, again)
      again()
      expect((await failureOf(world.run({ maxEvents: 100 }))).message).to.match(/at most 100 events/)
      const broken = createWorld(1)
      broken.schedule(1, () => {
        throw new TypeError('broken')
      })
      expect((await failureOf(broken.run())).message).to.match(/TypeError: broken/)
    })

    it('can be waited for at several places at once', async () => {
      const world = createWorld(1)
      const names = ['a', 'b', 'c']
      const nodes = await Promise.all(names.map((name) => world.start(name, (ports) => ports)))
      const waits = nodes.map((node, index) =>
        node.do(({ clock }) => new Promise<void>((resolve) => clock.after(10 * (3 - index), resolve))),
      )
      await Promise.all(waits)
      expect(world.elapsed).to.equal(30)
    })

    it('sweeps cancelled events', async () => {
      const world = createWorld(1)
      let ran = 0
      for (let i = 0; i < 5000; i++) world.schedule(1000 - (i % 1000), () => ran++).cancel()
      for (let i = 0; i < 10; i++) world.schedule(i * 100, () => ran++)
      await world.run()
      expect(ran).to.equal(10)
    })
  })

  describe('determinism', () => {
    it('has one trace for one seed, here and in another process under load, and another for another seed', async function () {
      this.timeout(60_000)
      const script = `
        const { runToys } = await import(${JSON.stringify(new URL('toy.ts', import.meta.url).href)})
        setInterval(() => { for (let i = 0; i < 1e6; i++); }, 1).unref()
        process.stdout.write((await runToys(7)).trace.digest())`
      const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
      const world = await runToys(7, true)
      const again = await runToys(7, true)
      const other = await runToys(8)
      expect(world.trace.count).to.be.greaterThan(1000)
      expect(
        again.trace.lines!.find((line, index) => line !== world.trace.lines![index]),
        'first difference',
      ).to.equal(undefined)
      expect(again.trace.digest()).to.equal(world.trace.digest())
      expect(other.trace.digest()).not.to.equal(world.trace.digest())
      expect((await child).stdout).to.equal(world.trace.digest())
      expect(again.faults).to.deep.equal(world.faults)
      const { dropped, duplicated, broken, unreachable, crashed } = world.faults
      expect(
        [dropped, duplicated, broken, unreachable, crashed].every((count) => count > 0),
        'each fault struck',
      ).to.equal(true)
    })

    it('tells one changed byte in a call from another', async () => {
      expect(await digestOfWriting(1)).to.equal(await digestOfWriting(1))
      expect(await digestOfWriting(1)).not.to.equal(await digestOfWriting(2))
    })
  })

  describe('lives of a node', () => {
    it('has a clock of its own, which may be wrong', async () => {
      const world = createWorld(1)
      const node = await world.start('a', (ports) => ports)
      world.skew('a', HOUR)
      expect(await node.do(({ clock }) => clock.now())).to.equal(world.now + HOUR)
      const waited = await node.do(async ({ clock }) => {
        const before = clock.now()
        await clock.yield()
        await new Promise<void>((resolve) => clock.after(1234, resolve))
        return clock.now() - before
      })
      expect(waited).to.equal(1234)
    })

    it('has randomness of its own, other in each life', async () => {
      const drawn = await drawUnder(1)
      expect(new Set(drawn).size).to.equal(3)
      expect(await drawUnder(1)).to.deep.equal(drawn)
      expect(await drawUnder(2)).not.to.include.members(drawn)
    })

    seeded('after a crash nothing of the old life settles, fires or arrives', 5, async (seed) => {
      const world = createWorld(seed)
      const node = await world.start('a', bootDeaf)
      const other = await world.start('b', bootDeaf)
      const [there] = other.it.network.addresses()
      const old = node.it
      const link = await node.do(({ network }) => network.connect(there!))
      const seen: string[] = []
      const note = (what: string) => (): void => void seen.push(what)
      world.schedule(10, () => {
        old.clock.after(100, note('timer'))
        void old.clock.yield().then(note('yield'), note('yield'))
        void old.store.get(KEY).then(note('get'), note('get'))
        void old.store.write([{ key: KEY, value: utf8('old') }]).then(note('write'), note('write'))
        void old.network.getRecord(utf8('k')).then(note('record'), note('record'))
        void link.call(utf8('unanswered')).then(note('answer'), note('answer'))
        link.onClose(note('close'))
        void old.network.connect(there!).then(note('link'), note('link'))
        world.crash('a')
        const traced = world.trace.count
        const late: Promise<unknown>[] = [
          old.store.get(KEY),
          old.store.write([{ key: KEY, value: utf8('late') }]),
          old.clock.yield(),
          old.network.start(deaf),
          old.network.putRecord(utf8('k'), utf8('late')),
          old.network.publish('t', utf8('late')),
          link.call(utf8('late')),
        ]
        for (const call of late) void call.then(note('late call'), note('late call'))
        link.close()
        old.clock.after(1, note('late timer'))
        old.logger.error('the dead report nothing')
        expect(world.trace.count).to.equal(traced)
        expect(world.net.endpoints()).to.have.length(1)
        expect(old.network.addresses()).to.deep.equal([])
        expect(old.network.peerCount()).to.equal(0)
      })
      await world.run({ forMs: HOUR })
      expect(seen).to.deep.equal([])
      expect([world.net.dht.heldBy('a'), world.net.dht.heldBy('b')]).to.deep.equal([0, 0])
      await world.restart('a')
      const kept = await node.do(({ store }) => store.get(KEY))
      expect(kept === undefined ? 'none' : Buffer.from(kept).toString()).to.be.oneOf(['none', 'old'])
    })

    it('tells who waits that the node crashed', async () => {
      const world = createWorld(1)
      const node = await world.start('a', (ports) => ports)
      world.schedule(50, () => world.crash('a'))
      const waiting = node.do(({ clock }) => new Promise<void>((resolve) => clock.after(HOUR, resolve)))
      expect(await failureOf(waiting)).to.be.instanceOf(CrashedError)
      expect(await failureOf(node.do(() => 1))).to.be.instanceOf(CrashedError)
      expect(() => node.it).to.throw(/not running/)
    })

    it('crashes at each call of a port, before or after it took effect', async () => {
      const outcomes: string[] = []
      for (const side of ['before', 'after'] as const) {
        for (let call = 1; call <= 3; call++) {
          const world = createWorld(3)
          const node = await world.start('a', (ports) => ports)
          world.crashAt('a', call, side)
          const work = node.do(async ({ store }) => {
            for (const value of [1, 2, 3]) await store.write([{ key: KEY, value: Uint8Array.of(value) }])
          })
          expect(await failureOf(work)).to.be.instanceOf(CrashedError)
          expect(node.calls).to.equal(call)
          await world.restart('a')
          const kept = await node.do(({ store }) => store.get(KEY))
          outcomes.push(`${side} ${call}: ${kept?.[0] ?? 0}`)
          expect(kept?.[0] ?? 0).to.be.within(call - 1, side === 'before' ? call - 1 : call)
        }
      }
      expect(outcomes).to.have.length(6)
    })

    it('a fault crash brings the node back by itself', async () => {
      const world = createWorld(5)
      let starts = 0
      const node = await world.start('a', async (ports) => {
        starts++
        await ports.store.get(KEY)
        return ports
      })
      world.rates.crashRate = 1
      await failureOf(node.do(({ store }) => store.get(KEY)))
      world.rates.crashRate = 0
      // Chosen while the rate was still 1.
      await world.run({ until: () => node.isBooted })
      expect(starts).to.equal(2)
    })

    it('fails the run when a node reports a bug, and gives the error of a program that does not start', async () => {
      const world = createWorld(1)
      const node = await world.start('a', (ports) => ports)
      const bug = await failureOf(node.do(({ logger }) => logger.error('impossible')))
      expect(bug.message).to.match(/a reports a bug: impossible/)
      const refused = await failureOf(
        world.start('b', () => {
          throw new RangeError('no')
        }),
      )
      expect(refused.message).to.equal('no')
    })
  })
})
