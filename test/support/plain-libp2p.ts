/**
 * libp2p nodes with our settings of the stack but without what `network/` wraps around it: the control that shows a
 * defect of the library, and the stranger that sends us raw bytes.
 */
import type { Libp2p } from '@libp2p/interface'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { Libp2pRecord } from '@libp2p/record'
import { MemoryDatastore } from 'datastore-core'
import { Key, type Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import { datastoreKey } from '../../node/network/guarded-datastore.ts'
import { MAIL_TOPICS, type StackInit, type StackServices, stackOptions } from '../../node/network/stack-options.ts'
import { LOOPBACK } from './libp2p-nodes.ts'
import { RecordingInbound } from './recording-inbound.ts'

export type PlainNode = Libp2p<StackServices>

/** Started; the validators and selectors are the test's, nothing guards the datastore. */
export async function plainNode(init: Partial<StackInit> = {}): Promise<PlainNode> {
  const rules = new RecordingInbound()
  const node = await createLibp2p(
    stackOptions({
      privateKey: await generateKeyPair('Ed25519'),
      listen: [LOOPBACK],
      announce: [],
      kind: 'lan',
      role: 'node',
      topics: MAIL_TOPICS,
      datastore: new MemoryDatastore(),
      logger: undefined,
      isTurnedAway: () => false,
      validators: { 'kith-id': (key, value) => rules.validateRecord(key, value) },
      selectors: {
        'kith-id': (key, values) =>
          values.reduce((best, value, i) => (rules.compareRecords(key, value, values[best]!) > 0 ? i : best), 0),
      },
      ...init,
    }),
  )
  await node.start()
  return node
}

/** Peers in a routing table. */
export function tableSize(node: PlainNode): number {
  return (node.services.dht as KadDHT & { routingTable: { size: number } }).routingTable.size
}

export async function drainQuery(events: AsyncIterable<QueryEvent>): Promise<QueryEvent[]> {
  const all: QueryEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

/** Lays a record into a datastore as if a PUT had been accepted. */
export async function plantRecord(datastore: Datastore, key: Uint8Array, value: Uint8Array): Promise<void> {
  const record = new Libp2pRecord(key, value, new Date())
  await datastore.put(new Key(datastoreKey(key), false), record.serialize())
}

/** The value a datastore holds for a record key. */
export async function heldRecord(datastore: Datastore, key: Uint8Array): Promise<Uint8Array | undefined> {
  const name = new Key(datastoreKey(key), false)
  if (!(await datastore.has(name))) return undefined
  return Libp2pRecord.deserialize(await datastore.get(name)).value
}

/** Keeps what it has: every later PUT of a record fails. */
export class RefusingDatastore extends MemoryDatastore {
  isRefusing = false

  override put(key: Key, value: Uint8Array): Key {
    if (this.isRefusing && key.toString().startsWith('/dht/record/')) throw new Error('refused')
    return super.put(key, value) as Key
  }
}
