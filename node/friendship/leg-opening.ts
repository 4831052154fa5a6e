/**
 * What of a leg 1 is the same whichever mailbox it lay in (PROTOCOL 7): opening it with the own prekeys, and the mark by
 * which it is known when it comes again.
 */
import { KithError } from '../errors.ts'
import { checkWindow, type IdentityView, readIdentityRecord } from '../identity/records.ts'
import * as limits from '../limits.ts'
import { type RowKey, type Store, TABLE } from '../ports.ts'
import { type OpenLeg1Init, openLeg1 } from '../session/leg1.ts'
import { encode, struct, uint } from '../wire/schema.ts'
import type { Transaction } from '../delivery/journal.ts'
import type { FriendshipInit } from './contract.ts'

const NO_SCOPE = new Uint8Array(0)
const DAY = 86_400
export const replayRow = struct({ until: [1, uint()] })

/**
 * A leg 1 that opened; `early` when it, or the record in it, was made by a clock more than an hour ahead of this one: it opens
 * later. Undefined for everything else, whatever is wrong with it.
 * @param readLeg gives the inner leg, or throws
 */
export function openedLeg1(
  init: Pick<FriendshipInit, 'self' | 'protocolTime' | 'logger'>,
  readLeg: () => Uint8Array,
): ReturnType<typeof openLeg1> | 'early' | undefined {
  const { self, protocolTime, logger } = init
  // opening the leg makes one error of every fault in it
  let isRecordAhead = false
  const readRecord: OpenLeg1Init['readRecord'] = (bytes) => {
    try {
      const { id, record } = readIdentityRecord(bytes, { now: protocolTime() })
      const { devices, revoked, minVersion, maxVersion } = record
      return { id, devices, revoked, minVersion, maxVersion }
    } catch (error) {
      isRecordAhead = error instanceof KithError && error.code === 'RECORD_AHEAD'
      throw error
    }
  }
  try {
    return openLeg1({
      leg: readLeg(),
      now: Math.floor(protocolTime()),
      findKeys: (device, prekeySeq, recordSeq) => self.findKeys({ device, prekeySeq, recordSeq }, protocolTime()),
      readRecord,
    })
  } catch (error) {
    if (!(error instanceof KithError)) throw error
    logger.debug('request does not open', { code: error.code })
    return isRecordAhead || error.code === 'TOO_EARLY' ? 'early' : undefined
  }
}

/** The row that says that a leg was seen. */
export function replayKey(store: Store, replayTag: Uint8Array): RowKey {
  return { table: TABLE.replay, scope: NO_SCOPE, position: store.blind(replayTag) }
}

/** Remembers a leg until its prekey is gone. @param now protocol time in seconds */
export function markReplay(tx: Transaction, { table, scope, position }: RowKey, now: number): void {
  tx.put(table, scope, position, encode(replayRow, { until: Math.floor(now) + limits.PREKEY_DESTROYED_DAYS * DAY }))
}

/** Whether others will believe the own record; after a start with a wrong clock it is renewed first. */
export function isInWindow(view: IdentityView, now: number): boolean {
  try {
    checkWindow(view, now)
    return true
  } catch {
    return false
  }
}
