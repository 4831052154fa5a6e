/**
 * The validator of gossip (PROTOCOL 5), the same for people and relays: exact size, version and kind; expiry window;
 * postage; envelopes seen before; a rate for each neighbour. What is malformed or unpaid is rejected and scores the
 * neighbour; everything else that is not wanted is ignored, since an honest forwarder cannot know it.
 */
import { toHex } from '../crypto/bytes.ts'
import { ENVELOPE_BYTES, MAX_ENVELOPE_DAYS, MAX_GOSSIP_SEEN } from '../limits.ts'
import { checkEnvelopePostage } from '../mailbox/postage.ts'
import type { Admission, Clock } from '../ports.ts'
import { decodeEnvelope, type Envelope, envelopeId } from '../wire/envelope.ts'

const DAY_SECONDS = 86_400
/** An eid is remembered for ten minutes: longer than gossipsub's own cache, short enough to be bounded. */
const SEEN_MS = 600_000
/** Envelopes a neighbour may hand over in a burst and for each second after it. A lower rate would starve a busy bucket, a higher one lets a flooder take a core. */
const NEIGHBOUR_BURST = 400
const NEIGHBOUR_PER_SECOND = 100
const MAX_NEIGHBOURS = 2000

export interface GossipGateInit {
  clock: Clock
  /** Seconds. */
  protocolTime: () => number
  /** Takes an admitted envelope; synchronous and cheap. */
  deliver: (bytes: Uint8Array, envelope: Envelope, eid: Uint8Array) => void
}

export class GossipGate {
  readonly #init: GossipGateInit
  /** eid to the time it was seen, oldest first. */
  readonly #seen = new Map<string, number>()
  readonly #neighbours = new Map<string, { tokens: number; at: number }>()

  constructor(init: GossipGateInit) {
    this.#init = init
  }

  admit(bytes: Uint8Array, neighbour: string): Admission {
    if (!(ENVELOPE_BYTES as readonly number[]).includes(bytes.length)) return 'reject'
    if (!this.#takeToken(neighbour)) return 'ignore'
    let envelope: Envelope
    try {
      envelope = decodeEnvelope(bytes)
    } catch {
      return 'reject'
    }
    const today = Math.floor(this.#init.protocolTime() / DAY_SECONDS)
    // one day of slack each way for clocks that disagree, one for the random day of the sender
    if (envelope.expiryDay < today - 1 || envelope.expiryDay > today + MAX_ENVELOPE_DAYS + 3) return 'ignore'
    const eid = envelopeId(bytes)
    if (!checkEnvelopePostage(eid, envelope.nonce, bytes.length)) return 'reject'
    if (!this.#firstTime(toHex(eid))) return 'ignore'
    this.#init.deliver(bytes, envelope, eid)
    return 'accept'
  }

  #firstTime(name: string): boolean {
    const now = this.#init.clock.now()
    for (const [seen, at] of this.#seen) {
      if (this.#seen.size <= MAX_GOSSIP_SEEN && now - at < SEEN_MS) break
      this.#seen.delete(seen)
    }
    if (this.#seen.has(name)) return false
    this.#seen.set(name, now)
    return true
  }

  #takeToken(neighbour: string): boolean {
    const now = this.#init.clock.now()
    let bucket = this.#neighbours.get(neighbour)
    if (!bucket) {
      if (this.#neighbours.size >= MAX_NEIGHBOURS) this.#neighbours.delete(this.#neighbours.keys().next().value!)
      bucket = { tokens: NEIGHBOUR_BURST, at: now }
      this.#neighbours.set(neighbour, bucket)
    }
    bucket.tokens = Math.min(NEIGHBOUR_BURST, bucket.tokens + ((now - bucket.at) / 1000) * NEIGHBOUR_PER_SECOND)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}
