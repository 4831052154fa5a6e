/**
 * Makes payloads and envelopes (PROTOCOL 4 and 8): fills in what is delivery's of a payload, lets receipts ride where they
 * cost no larger envelope, seals in a lane under a fresh tag, and pays the postage.
 */
import { concat, equal } from '../crypto/bytes.ts'
import * as limits from '../limits.ts'
import { mintEnvelopePostage, pay } from '../mailbox/postage.ts'
import { tag } from '../mailbox/tags.ts'
import type { Clock, Random } from '../ports.ts'
import { drawFrom } from '../session/draw.ts'
import { nextPosition, payloadRoom, sealEnvelope } from '../session/triple-ratchet.ts'
import { wipeReplaced } from '../session/session-state.ts'
import { ENVELOPE_KIND, ENVELOPE_NONCE_BYTES, envelopeId } from '../wire/envelope.ts'
import { payload as payloadShape, payloadMessageId } from '../wire/payload.ts'
import type { Head } from '../wire/records.ts'
import { encode } from '../wire/schema.ts'
import { type Channel, type Lane, putLane } from './channel.ts'
import type { Draft } from './contract.ts'
import type { Transaction } from './journal.ts'
import type { OutboxEntry } from './outbox.ts'

export interface SealerInit {
  clock: Clock
  random: Random
  /** Seconds. */
  protocolTime: () => number
  headsFor: (friend: Uint8Array) => { mine: Head; yours: Head | undefined }
}

const DAY = 86_400
/** A message ID in CBOR; the array's own head is at most 3 bytes, the map key 1. */
const RIDING_ID_BYTES = 17
const RIDING_HEAD_BYTES = 4
/**
 * Counts below the newest that the reader keeps although nothing of them is in the outbox: receipts leave the outbox
 * with the relays' word, and must still open when a later message overtook them. Higher costs the reader stored keys.
 */
const FLOOR_TOLERANCE = 256

export class Sealer {
  readonly #init: SealerInit

  constructor(init: SealerInit) {
    this.#init = init
  }

  /** The payload of a draft, and the receipts that ride on it. */
  payload(channel: Channel, draft: Draft): { messageId: Uint8Array; encoded: Uint8Array; riding: Uint8Array[] } {
    const { protocolTime, random } = this.#init
    const { mine, yours } = this.#init.headsFor(channel.friend)
    const base = {
      version: limits.PROTOCOL_VERSION,
      type: draft.type,
      salt: random.bytes(16),
      conversation: draft.conversation,
      lamport: draft.lamport,
      parents: draft.parents,
      sentAt: Math.max(0, Math.floor(protocolTime() * 1000)),
      body: draft.body,
      lifetime: draft.lifetime,
      mine,
      ...(yours && { yours }),
    }
    const bare = encode(payloadShape, base)
    const size = limits.ENVELOPE_BYTES.find((bytes) => payloadRoom(bytes) >= bare.length) ?? limits.ENVELOPE_BYTES[2]
    const room = Math.floor((payloadRoom(size) - bare.length - RIDING_HEAD_BYTES) / RIDING_ID_BYTES)
    const riding = channel.receiptsDue.slice(0, Math.max(0, Math.min(room, limits.MAX_RECEIPT_IDS)))
    const encoded = riding.length > 0 ? encode(payloadShape, { ...base, acknowledged: riding }) : bare
    return { messageId: payloadMessageId(encoded), encoded, riding }
  }

  /**
   * Seals a payload in a lane and writes the lane into the transaction; memory follows after the commit.
   * @throws UsageError `TOO_LONG`
   */
  async seal(
    tx: Transaction,
    channel: Channel,
    lane: Lane,
    entry: OutboxEntry,
    encoded: Uint8Array,
  ): Promise<{ entry: OutboxEntry; envelope: Uint8Array }> {
    const { random, clock } = this.#init
    // the day that is not over yet, and a random one so that the day of writing does not show
    const expiryDay = Math.ceil(this.#init.protocolTime() / DAY) + limits.MAX_ENVELOPE_DAYS - (random.bytes(1)[0]! & 1)
    const tagCounter = lane.tagCounter
    const before = lane.session
    const sealed = sealEnvelope(before, {
      random: drawFrom(random),
      now: Math.floor(clock.now() / 1000),
      payload: encoded,
      kind: ENVELOPE_KIND.pairwise,
      tag: tag(lane.tagKeyOut, tagCounter),
      tagCounter,
      expiryDay,
      floor: floorOf(channel, lane),
    })
    const unpaid = concat(sealed.prefix, new Uint8Array(ENVELOPE_NONCE_BYTES), sealed.body)
    const nonce = await pay(mintEnvelopePostage(envelopeId(unpaid), unpaid.length, random.bytes(8)), () =>
      clock.yield(),
    )
    unpaid.set(nonce, sealed.prefix.length)
    const { behind, window } = lane
    const progress = { session: sealed.session, tagCounter: tagCounter + 1, highestTag: window.highest, behind }
    putLane(tx, channel.friend, lane, progress)
    tx.afterCommit(() => {
      lane.session = sealed.session
      lane.tagCounter = tagCounter + 1
      wipeReplaced(before, sealed.session)
    })
    return {
      entry: { ...entry, lane: lane.id, chain: sealed.chain, count: sealed.count, expiryDay },
      envelope: unpaid,
    }
  }
}

/** Lowest count of the current chain that may still arrive. */
function floorOf(channel: Channel, lane: Lane): number {
  const { chain, count } = nextPosition(lane.session)
  let floor = Math.max(0, count - FLOOR_TOLERANCE)
  for (const entry of channel.entries.values()) {
    if (entry.lane && equal(entry.lane, lane.id) && entry.chain === chain) {
      floor = Math.min(floor, entry.count ?? floor)
    }
  }
  return floor
}
