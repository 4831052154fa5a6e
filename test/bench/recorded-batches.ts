/**
 * What a node writes for one message, taken from nodes that talk in a simulated world: the sender's batch, the reader's,
 * and the relay's. Played back into a real store under fresh positions.
 */
import { concat, u64 } from '../../node/crypto/bytes.ts'
import { type RowChange, type Store, TABLE } from '../../node/ports.ts'
import { addressOf, befriend, say, startPerson, startRelay, textsOf } from '../simulation/people.ts'
import type { SimPorts } from '../simulation/world.ts'
import { createWorld } from '../simulation/world.ts'

export interface RecordedBatches {
  /** The sender's: session, outbox, history, event. */
  sent: RowChange[]
  /** The reader's: session, seen, history, receipt due, event. */
  received: RowChange[]
  /** The relay's: copy, slip, claim. */
  stored: RowChange[]
}

const TEXT = 'x'.repeat(256)

/** Batches of the second message of two friends: the first brings what comes once. */
export async function recordBatches(): Promise<RecordedBatches> {
  const world = createWorld(1)
  const written: Record<'relay' | 'alice' | 'bob', RowChange[][]> = { relay: [], alice: [], bob: [] }
  const remember = (name: keyof typeof written) => ({
    ports: (ports: SimPorts): SimPorts => ({ ...ports, store: rememberWrites(ports.store, written[name]) }),
  })
  const relay = await startRelay(world, 'relay', {}, remember('relay'))
  const relays = [await addressOf(relay)]
  const alice = await startPerson(world, 'alice', { relays }, remember('alice'))
  const bob = await startPerson(world, 'bob', { relays }, remember('bob'))
  await befriend(world, alice, bob)
  for (const text of ['first', TEXT]) {
    for (const batches of Object.values(written)) batches.length = 0
    await say(alice, bob, text)
    await world.eventually(async () => (await textsOf(bob, alice)).includes(text))
    await world.eventually(async () => written.relay.some((batch) => touches(batch, TABLE.copy)))
  }
  return {
    sent: find(written.alice, TABLE.history),
    received: find(written.bob, TABLE.history),
    stored: find(written.relay, TABLE.copy),
  }
}

/** Tables whose rows are written over with each message; rows of the others are new each time. */
const REPLACED = new Set<number>([TABLE.session, TABLE.meta, TABLE.claim])

/** The batch as the message number `i` would write it. */
export function freshBatch(batch: readonly RowChange[], i: number): RowChange[] {
  return batch.map(({ key, value }) => {
    if (REPLACED.has(key.table)) return { key, value }
    const number = u64(i)
    const kept = key.position.slice(0, Math.max(0, key.position.length - number.length))
    return { key: { ...key, position: concat(kept, number) }, value }
  })
}

/** Bytes of the values. */
export function batchBytes(batch: readonly RowChange[]): number {
  return batch.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
}

function rememberWrites(store: Store, batches: RowChange[][]): Store {
  return {
    get: (key) => store.get(key),
    list: (range) => store.list(range),
    blind: (bytes) => store.blind(bytes),
    async write(changes) {
      batches.push([...changes])
      await store.write(changes)
    },
  }
}

function touches(batch: readonly RowChange[], table: number): boolean {
  return batch.some(({ key, value }) => key.table === table && value !== undefined)
}

function find(batches: readonly RowChange[][], table: number): RowChange[] {
  const found = batches.find((batch) => touches(batch, table))
  if (!found) throw new Error(`no batch wrote table ${table}`)
  return found
}
