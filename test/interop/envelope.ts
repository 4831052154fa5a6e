/*
 * Sections 4 and 5: envelopes, message IDs, conversations, tags and their window, topics, postage, the validator of gossip.
 */
import { byteAt, compare, concat, cut, L, leadingZeroBits, must, readUint, toHex, u8 } from './bytes.ts'
import { mailboxUpdateBody, payload, profileBody, textBody } from './maps.ts'
import { H } from './primitives.ts'

/** The sizes that an envelope has. */
export const ENVELOPE_BYTES = [4096, 16384, 65536] as const
/** Tags known ahead of the highest counter seen, and up to it. */
const TAG_WINDOW = 128
/** Longest life of an envelope. */
const MAX_ENVELOPE_DAYS = 30
const ENVELOPE_POSTAGE_BITS = 10
const OVERHEAD = 28 + 1341 + 40 + 1
const DAY = 86_400
const SEEN_SECONDS = 600

/** Types of payloads. */
export const TYPE = { text: 1, receipt: 2, profile: 3, mailboxUpdate: 4 } as const

/** Name of a message, over the bytes that were sealed. */
export function messageIdOf(sealedPayload: Uint8Array): Uint8Array {
  return cut(H(L('mid'), sealedPayload), 0, 16)
}

/** Name of the conversation of two people. */
export function conversationOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  return cut(H(L('conversation'), ...(compare(a, b) < 0 ? [a, b] : [b, a])), 0, 16)
}

/** The body of a payload by its type; undefined when it is empty. */
export function readBody(type: number, body: Uint8Array): unknown {
  if (type === TYPE.text) return textBody.decode(body)
  if (type === TYPE.profile) return profileBody.decode(body)
  if (type === TYPE.mailboxUpdate) return mailboxUpdateBody.decode(body)
  must(type === TYPE.receipt && body.length === 0, 'a type that is known')
  return undefined
}

/** Reads a payload of this version; what is refused is shown as unsupported. */
export function readPayload(bytes: Uint8Array) {
  const value = payload.decode(bytes)
  must(value.version === 1, 'the version is 1')
  return value
}

/** Largest payload of an envelope of a size. */
export function largestPayload(size: number): number {
  return size - OVERHEAD
}

/** The smallest size that a payload fits. */
export function sizeFor(payloadBytes: number): number {
  const size = ENVELOPE_BYTES.find((one) => payloadBytes <= largestPayload(one))
  must(size !== undefined, 'a payload that fits an envelope')
  return size
}

/** Expiry days that a writer may set: the day rounded up, plus 30, minus 0 or 1. */
export function expiryDays(now: number): number[] {
  const day = Math.ceil(now / DAY) + MAX_ENVELOPE_DAYS
  return [day, day - 1]
}

/** An envelope, cut into its fields. */
interface Envelope {
  prefix: Uint8Array
  version: number
  kind: number
  tag: Uint8Array
  expiryDay: number
  postageNonce: Uint8Array
  body: Uint8Array
  eid: Uint8Array
}

/** Cuts an envelope; its size is checked, its version and kind are not. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  must(
    ENVELOPE_BYTES.some((size) => size === bytes.length),
    'one of the three sizes',
  )
  const [prefix, body] = [cut(bytes, 0, 20), cut(bytes, 28, bytes.length)]
  return {
    prefix,
    version: byteAt(bytes, 0),
    kind: byteAt(bytes, 1),
    tag: cut(bytes, 2, 18),
    expiryDay: readUint(bytes, 18, 2),
    postageNonce: cut(bytes, 20, 28),
    body,
    eid: H(L('env'), prefix, body),
  }
}

/** Hash of the postage of an envelope. */
export function postageOf(nonce: Uint8Array, eid: Uint8Array): Uint8Array {
  return H(L('postage'), nonce, eid)
}

/** Bits that an envelope of a size costs. */
export function postageBits(size: number): number {
  return ENVELOPE_POSTAGE_BITS + Math.log2(size / 4096)
}

/** First and last counter whose tags are known, with the highest one seen. */
export function windowOf(highestSeen: number): { first: number; last: number } {
  return { first: Math.max(0, highestSeen - (TAG_WINDOW - 1)), last: highestSeen + TAG_WINDOW }
}

/** Hash whose top bits are the bucket of an ID. */
export function bucketHash(id: Uint8Array): Uint8Array {
  return H(L('bucket'), id)
}

/** Topic of an ID in a network of 2^b buckets. */
export function topicOf(id: Uint8Array, bits: number): { index: number; text: string } {
  const index = readUint(bucketHash(id), 0, 2) >> (16 - bits)
  return { index, text: `/${toText(L('mail'))}/${bits}/${index}` }
}

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** What a validator does with a message. */
type Admission = 'accept' | 'reject' | 'ignore'

/** The validator of gossip, without the rate of neighbours. */
export class Validator {
  readonly #seen = new Map<string, number>()

  /** Judges the data of a message. */
  judge(data: Uint8Array, now: number): Admission {
    if (!ENVELOPE_BYTES.some((size) => size === data.length)) return 'reject'
    const { version, kind, expiryDay, postageNonce, eid } = readEnvelope(data)
    if (version !== 1 || (kind !== 1 && kind !== 2)) return 'reject'
    const today = Math.floor(now / DAY)
    if (expiryDay < today - 1 || expiryDay > today + 33) return 'ignore'
    if (leadingZeroBits(postageOf(postageNonce, eid)) < postageBits(data.length)) return 'reject'
    const name = toHex(concat(eid, u8(kind)))
    const before = this.#seen.get(name)
    this.#seen.set(name, now)
    return before !== undefined && now - before < SEEN_SECONDS ? 'ignore' : 'accept'
  }
}
