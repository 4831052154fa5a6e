/** What a directory is tested with: a DHT and servers that answer as they are told, honestly or not. */
import { toHex } from '../../node/crypto/bytes.ts'
import { createDirectory, type Directory, type DirectoryInit } from '../../node/directory/directory.ts'
import type { RecordAlarm } from '../../node/directory/record-memory.ts'
import type { Logger, Store } from '../../node/ports.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { NOW } from './identity-fixtures.ts'
import { createMemoryStore } from './memory-store.ts'

export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Answers by key; `answer` may throw or hang. */
export class FakeRecords {
  readonly values = new Map<string, Uint8Array[]>()
  readonly puts: { key: Uint8Array; value: Uint8Array }[] = []
  takers = 1
  answer: ((key: Uint8Array) => Promise<Uint8Array[]>) | undefined

  set(key: Uint8Array, ...values: Uint8Array[]): void {
    this.values.set(toHex(key), values)
  }

  async getRecord(key: Uint8Array): Promise<Uint8Array[]> {
    if (this.answer) return this.answer(key)
    return this.values.get(toHex(key)) ?? []
  }

  async putRecord(key: Uint8Array, value: Uint8Array): Promise<number> {
    this.puts.push({ key, value })
    return this.takers
  }
}

export interface DirectoryWorld {
  directory: Directory
  clock: ManualClock
  dht: FakeRecords
  servers: FakeRecords
  /** Servers that a lookup named. */
  asked: string[]
  alarms: RecordAlarm[]
  store: Store
}

export function directoryWorld(changes: Partial<DirectoryInit> = {}): DirectoryWorld {
  const clock = createManualClock(NOW * 1000)
  const dht = new FakeRecords()
  const servers = new FakeRecords()
  const alarms: RecordAlarm[] = []
  const asked: string[] = []
  const store = changes.store ?? createMemoryStore()
  const directory = createDirectory({
    clock,
    network: dht,
    logger: silentLogger,
    protocolTime: () => Math.floor(clock.now() / 1000),
    askServers: async (key, named) => {
      asked.push(...(named ?? []))
      return servers.getRecord(key)
    },
    handToServers: async (key, value) => servers.putRecord(key, value),
    onAlarm: (alarm) => alarms.push(alarm),
    ...changes,
    store,
  })
  return { directory, clock, dht, servers, asked, alarms, store }
}
