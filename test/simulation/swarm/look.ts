/** What is looked at when a world is at rest: disks as a node reads them, and histories. */
import type { HistoryEntry } from '../../../node/api/service.ts'
import { type Channel, loadChannel } from '../../../node/delivery/channel.ts'
import type { Store } from '../../../node/ports.ts'
import type { SimDisk } from '../sim-disk.ts'
import { holds } from './invariants.ts'
import type { Swarm } from './swarm.ts'

/** A history: places by message ID, entries by text. */
export interface Looked {
  order: ReadonlyMap<string, number>
  texts: ReadonlyMap<string, HistoryEntry>
}

/** @throws Violation when something stands in the history twice */
export function look(reader: string, history: readonly HistoryEntry[]): Looked {
  const order = new Map(history.map(({ messageId }, place) => [messageId, place]))
  holds(order.size === history.length, 'noDuplicate', () => `${reader} shows a message twice`)
  const texts = new Map(history.map((entry) => [entry.text, entry]))
  holds(texts.size === history.length, 'noDuplicate', () => `${reader} shows a text twice`)
  return { order, texts }
}

/** What one has of a friend on the disk. */
export async function channelOf({ world, fixture }: Swarm, name: string, friend: string): Promise<Channel> {
  return await loadChannel(storeOn(world.disk(name)), fixture.ids.get(friend)!)
}

/** A disk as a store to read from, at once. */
export function storeOn(disk: SimDisk): Store {
  return {
    get: async (key) => disk.rows.get(key),
    list: async (range) => disk.rows.list(range),
    write: async () => undefined,
    blind: (bytes) => disk.blind(bytes),
  }
}
