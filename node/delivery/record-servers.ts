/**
 * Records at mailbox servers (PROTOCOL 6): asks servers for a record beside the DHT, and hands own ones in where strangers
 * will ask. What a record is worth is the directory's word.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import type { ServerPool } from './server-pool.ts'

const TIMEOUT_MS = 8000
/** A receipt is of now: more than a clock may be off, it was given for somebody else. */
const RECEIPT_SECONDS = 3600
/** Relays that are asked whether a record is the newest. */
const MAX_WITNESSES = 8

/** What servers answer for a record's place; nothing from those that have none or cannot be reached. */
export async function askServers(pool: ServerPool, servers: readonly string[], key: Uint8Array): Promise<Uint8Array[]> {
  const answers = await Promise.allSettled(
    servers.map((address) => pool.withServer(address, TIMEOUT_MS, async ({ client }) => await client.getRecord(key))),
  )
  return answers.flatMap((answer) =>
    answer.status === 'fulfilled' && answer.value.status === 'ok' ? [answer.value.record] : [],
  )
}

/** Hands a record in; how many servers have it now, and 0 unless all do: strangers ask any one of them. */
export async function handToServers(
  pool: ServerPool,
  servers: readonly string[],
  { key, value }: { key: Uint8Array; value: Uint8Array },
): Promise<number> {
  const answers = await Promise.allSettled(
    servers.map((address) =>
      pool.withServer(address, TIMEOUT_MS, async ({ client }) => {
        const known = await client.getRecord(key)
        // handing in costs postage: not again when the server has it
        if (known.status === 'ok' && equal(known.record, value)) return known
        return await client.putRecord({ key, record: value })
      }),
    ),
  )
  const taken = answers.filter((answer) => answer.status === 'fulfilled' && answer.value.status === 'ok').length
  return taken === servers.length ? taken : 0
}

/**
 * How many of these servers sign now that a record, by its hash, is the best that they know at its place.
 * @param now seconds
 */
export async function countReceipts(
  pool: ServerPool,
  servers: readonly string[],
  { key, hash, now }: { key: Uint8Array; hash: Uint8Array; now: number },
): Promise<number> {
  const answers = await Promise.allSettled(
    servers
      .slice(0, MAX_WITNESSES)
      .map((address) => pool.withServer(address, TIMEOUT_MS, async ({ client }) => await client.getRecord(key))),
  )
  // one server under two addresses is one word
  const agreeing = new Set<string>()
  for (const answer of answers) {
    if (answer.status !== 'fulfilled' || answer.value.status !== 'ok') continue
    const { receipt } = answer.value
    const isOfNow = Math.abs(receipt.time - now) <= RECEIPT_SECONDS
    if (isOfNow && equal(receipt.hash, hash)) agreeing.add(toHex(receipt.server))
  }
  return agreeing.size
}
