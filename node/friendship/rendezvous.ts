/**
 * Meeting again (PROTOCOL 9): who told a friend of a new place and heard nothing for a week says it in the DHT as well, for
 * that friend alone; who heard nothing of a friend for a week looks there. Two friends who lost all of each other's relays
 * find each other so.
 */
import type { Delivery } from '../delivery/delivery.ts'
import type { Reach } from '../delivery/direct-links.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import {
  compareRendezvous,
  createRendezvous,
  openRendezvous,
  type RendezvousKeys,
  rendezvousKeys,
  rendezvousWeek,
} from '../identity/rendezvous.ts'
import { KithError } from '../errors.ts'
import type { Network, Random } from '../ports.ts'
import type { Contact } from './contact.ts'

/** As long without a word, a friend may have gone where the relays do not lead. */
export const SILENCE_SECONDS = 7 * 86_400

export interface RendezvousInit {
  delivery: Delivery
  journal: Journal
  random: Random
  network: Pick<Network, 'putRecord' | 'getRecord'>
  /** Where this person is found now. */
  place: () => { relays: string[] } & Reach
  /** Seconds. */
  protocolTime: () => number
}

/** Says and looks what is due for these friends. Never throws for what others did. */
export async function meetAgain(init: RendezvousInit, friends: readonly Contact[]): Promise<void> {
  const now = Math.floor(init.protocolTime())
  for (const { id, reach = [] } of friends) {
    const silence = init.delivery.status.silence(id)
    if (!silence) continue
    const { toldAt, heardAt } = silence
    for (const secrets of reach) {
      if (toldAt !== undefined && toldAt + SILENCE_SECONDS <= now) await say(init, secrets.out, now)
      if (heardAt + SILENCE_SECONDS <= now) await look(init, id, { reachIn: secrets.in, heardAt, now })
    }
  }
}

async function say({ random, network, place }: RendezvousInit, secret: Uint8Array, now: number): Promise<void> {
  const keys = rendezvousKeys(secret, rendezvousWeek(now))
  const record = createRendezvous(keys, { seq: now, nonce: random.bytes(24), place: place() })
  await network.putRecord(keys.recordKey, record)
}

async function look(
  init: RendezvousInit,
  friend: Uint8Array,
  { reachIn, heardAt, now }: { reachIn: Uint8Array; heardAt: number; now: number },
): Promise<void> {
  // what was written late last week is good until late this week
  for (const week of [rendezvousWeek(now), rendezvousWeek(now) - 1]) {
    const keys = rendezvousKeys(reachIn, week)
    const values = await init.network.getRecord(keys.recordKey)
    const found = values
      .toSorted((a, b) => compareRendezvous(b, a))
      .map((value) => tryOpen(keys, value, now))
      .find((one) => one !== undefined)
    // what they said themselves since then is newer
    if (!found || found.seq <= heardAt) continue
    const { relays, peerId, addresses } = found.place
    await init.delivery.exclusively(friend, async () => {
      const tx = new Transaction()
      init.delivery.setPlaces(tx, friend, { relays, reach: { peerId, addresses } })
      await init.journal.commit(tx)
    })
    return
  }
}

function tryOpen(keys: RendezvousKeys, value: Uint8Array, now: number) {
  try {
    return openRendezvous(keys, value, now)
  } catch (error) {
    if (error instanceof KithError) return undefined
    throw error
  }
}
