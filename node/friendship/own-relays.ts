/**
 * The relays of this person over time (PROTOCOL 6, reader): when they change, friends are told, and the former ones are
 * read for as long as an envelope that was put there may live. Which relays they are is configuration's word.
 */
import { utf8 } from '../crypto/bytes.ts'
import { MAX_ENVELOPE_DAYS, MAX_RELAYS } from '../limits.ts'
import { type RowKey, type Store, TABLE } from '../ports.ts'
import { address, relays as relaysShape } from '../wire/records.ts'
import { decode, encode, list, struct, uint } from '../wire/schema.ts'

const DAY = 86_400
const MAX_FORMER = 2 * MAX_RELAYS
const ROW: RowKey = { table: TABLE.meta, scope: utf8('relays'), position: new Uint8Array(0) }
const row = struct({
  relays: [1, relaysShape],
  former: [2, list(struct({ address: [1, address], until: [2, uint()] }), MAX_FORMER)],
})

/** What follows from the relays of this run and those of earlier ones. */
export interface OwnRelays {
  /** Former relays that may still hold mail. */
  former: string[]
  /** Whether friends have to be told. */
  changed: boolean
  /** Remembers this run's relays, once friends were told. */
  remember(): Promise<void>
}

/** @param now protocol time in seconds */
export async function ownRelays(store: Store, relays: readonly string[], now: number): Promise<OwnRelays> {
  const value = await store.get(ROW)
  const before = value && decode(row, value, 4096)
  const left = before?.relays.filter((old) => !relays.includes(old)) ?? []
  const former = [
    ...left.map((old) => ({ address: old, until: Math.floor(now) + MAX_ENVELOPE_DAYS * DAY })),
    ...(before?.former ?? []).filter((old) => old.until > now && !relays.includes(old.address)),
  ].slice(0, MAX_FORMER)
  return {
    former: former.map((old) => old.address),
    changed: before !== undefined && before.relays.join() !== relays.join(),
    remember: async () => await store.write([{ key: ROW, value: encode(row, { relays: [...relays], former }) }]),
  }
}
