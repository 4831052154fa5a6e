/**
 * Putting and getting records in the DHT (PROTOCOL 2), from the events of kad-dht's queries. The library's own `get`
 * throws when one peer refuses a correction, although good values had come, and yields nothing until the slowest peer
 * has answered. Here values are taken as they are reported, its errors are swallowed, and everything has an end.
 */
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { equal, toHex } from '../crypto/bytes.ts'

/** A look-up never takes longer. */
export const LOOKUP_TIMEOUT_MS = 5000
/**
 * On a small network the query ends by itself within some 100 ms. On a large one, or with peers that hang, the answer
 * is what came until one second after this many peers had given a value: more would shield better from peers that
 * quickly give an old one, and take longer.
 */
const LOOKUP_QUORUM = 3
const LOOKUP_SETTLE_MS = 1000
/** A put never takes longer; what peers took until then counts. */
const PUT_TIMEOUT_MS = 10_000

type Dht = Pick<KadDHT, 'get' | 'put'>

/**
 * Every distinct value that peers gave. The query goes on behind it for its remaining time, since it also corrects the
 * peers that hold a lower record.
 * @param stopped ends it at once
 */
export function collectValues(dht: Dht, key: Uint8Array, stopped: AbortSignal): Promise<Uint8Array[]> {
  const values = new Map<string, Uint8Array>()
  let answers = 0
  return new Promise((resolve) => {
    const query = new AbortController()
    const finish = (): void => {
      clearTimeout(settled)
      resolve([...values.values()])
    }
    const end = (): void => {
      clearTimeout(timeout)
      stopped.removeEventListener('abort', end)
      query.abort()
      finish()
    }
    let settled: NodeJS.Timeout | undefined
    const timeout = setTimeout(end, LOOKUP_TIMEOUT_MS)
    stopped.addEventListener('abort', end)
    const onEvent = (event: QueryEvent): void => {
      const value = valueOf(event)
      if (value !== undefined) {
        values.set(toHex(value), value)
        answers++
        if (answers === LOOKUP_QUORUM) settled = setTimeout(finish, LOOKUP_SETTLE_MS)
      }
      // Every value is in once the library begins to correct those who hold a lower one.
      if (event.name === 'SEND_QUERY' && isMessage(event, 'PUT_VALUE')) finish()
    }
    drain(dht.get(key, { signal: query.signal }), onEvent).then(end, end)
  })
}

/** How many peers took the record. */
export async function putEverywhere(
  dht: Dht,
  key: Uint8Array,
  value: Uint8Array,
  stopped: AbortSignal,
): Promise<number> {
  const query = new AbortController()
  const abort = (): void => query.abort()
  const timeout = setTimeout(abort, PUT_TIMEOUT_MS)
  stopped.addEventListener('abort', abort)
  let taken = 0
  try {
    await drain(dht.put(key, value, { signal: query.signal }), (event) => {
      const isTaken = event.name === 'PEER_RESPONSE' && isMessage(event, 'PUT_VALUE') && event.record !== undefined
      if (isTaken && equal(event.record!.value, value)) taken++
    })
  } catch {
    // Refused by the own memory, or out of time: what peers took until now counts.
  } finally {
    clearTimeout(timeout)
    stopped.removeEventListener('abort', abort)
  }
  return taken
}

/**
 * The value in an event. Only answers to GET_VALUE have been through the validator; the answer to a correction echoes
 * whatever the peer likes. VALUE repeats the best of them, or the own one.
 */
function valueOf(event: QueryEvent): Uint8Array | undefined {
  if (event.name !== 'PEER_RESPONSE' || !isMessage(event, 'GET_VALUE')) return undefined
  return event.record?.value
}

function isMessage(event: { messageType: unknown }, name: 'PUT_VALUE' | 'GET_VALUE'): boolean {
  return event.messageType === name
}

async function drain(events: AsyncIterable<QueryEvent>, onEvent: (event: QueryEvent) => void): Promise<void> {
  for await (const event of events) onEvent(event)
}
