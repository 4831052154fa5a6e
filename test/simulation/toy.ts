/** A small program on the ports, for the tests of the simulator itself: it counts, chatters, serves and remembers. */
import { concat, readUint, u32, utf8 } from '../../node/crypto/bytes.ts'
import { PeerError } from '../../node/errors.ts'
import { type Link, type Ports, type RowKey, TABLE } from '../../node/ports.ts'
import { createWorld, type World } from './world.ts'
import { MINUTE } from './engine.ts'

const TOPIC = '/toy'
const NEWEST: RowKey = { table: TABLE.meta, scope: utf8('toy'), position: utf8('count') }
const RECORD_KEY = utf8('/toy/record')

export interface Toy {
  /** Counted over all lives, as far as its disk remembers. */
  count(): number
  /** Envelopes that came by gossip in this life. */
  heard(): number
  /** Answers that came over links in this life. */
  answered(): number
}

/** Starts a toy that talks to the servers of `addresses`, again and again. */
export async function bootToy(ports: Ports, addresses: () => readonly string[]): Promise<Toy> {
  const { clock, random, store, network, logger } = ports
  const stored = await store.get(NEWEST)
  let count = stored === undefined ? 0 : readUint(stored, 0, 4)
  let heard = 0
  let answered = 0
  await network.start({
    admit: (envelope) => {
      heard++
      return envelope[0]! < 240 ? 'accept' : 'ignore'
    },
    serve: () => ({ handle: async (frame) => concat(utf8('echo '), frame), close: () => {} }),
    validateRecord: (_, value) => {
      if (value.length > 100) throw new PeerError('TOO_LONG', 'expected at most 100 bytes')
    },
    compareRecords: (_, a, b) => a[0]! - b[0]!,
  })
  network.subscribe([TOPIC])

  async function talk(address: string): Promise<void> {
    let link: Link | undefined
    try {
      link = await network.connect(address)
      await link.call(random.bytes(20), 5000)
      answered++
    } catch (error) {
      logger.warn('no answer', { error })
    } finally {
      link?.close()
    }
  }

  async function turn(): Promise<void> {
    count++
    await store.write([{ key: NEWEST, value: u32(count) }])
    await network.publish(TOPIC, random.bytes(16))
    await network.putRecord(RECORD_KEY, random.bytes(8))
    await network.getRecord(RECORD_KEY)
    await Promise.all(addresses().map(talk))
    clock.after(1000 + random.bytes(1)[0]!, () => void turn())
  }
  void turn()
  return { count: () => count, heard: () => heard, answered: () => answered }
}

/** Three toys among all faults for ten minutes. */
export async function runToys(seed: number, record = false): Promise<World> {
  const world = createWorld(seed, {
    record,
    faults: { dropRate: 0.1, duplicateRate: 0.1, breakRate: 0.02, crashRate: 0.002 },
  })
  const known: string[] = []
  for (const name of ['one', 'two', 'three']) {
    await world.start(name, async (ports) => {
      const toy = await bootToy(ports, () => known)
      if (!known.includes(ports.network.addresses()[0]!)) known.push(...ports.network.addresses())
      return toy
    })
  }
  await world.run({ forMs: 5 * MINUTE })
  world.net.partition('one', ['two', 'three'])
  await world.run({ forMs: MINUTE })
  world.net.heal()
  await world.run({ forMs: 4 * MINUTE })
  return world
}
