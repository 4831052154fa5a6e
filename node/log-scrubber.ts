/**
 * What may stand in a log (ATTACKS 40): identities, invites and keys never in full, addresses and peer IDs only when
 * somebody asked for debugging. Meaning is kept where it helps: the last four characters tell two peers apart.
 */
import { isIPv6 } from 'node:net'

const MAX_TEXT = 2000
const MAX_DEPTH = 4
const MAX_ITEMS = 32

/** Fields that hold what people wrote or must stay secret, whatever the value is. */
const PRIVATE_FIELD =
  /^(text|note|name|petname|words|phrase|entropy|body|payload|message|invite|contact)$|passphrase|secret|seed|token|privatekey/i

/** 40 characters and more without a break are an ID, a peer ID, a key or a signature in some encoding. */
const LONG_RUN = /[A-Za-z0-9+_-]{40,}={0,2}/g
const KITH_NAME = /kith(?:invite)?1[a-z0-9]{8,}/gi
const PEER_ID = /^(?:12D3KooW|16Uiu2|Qm|bafz|k51)/
const IPV4 = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g
const IPV6 = /(?<![\w:])[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*/gi
const HOST = /(\/dns(?:4|6|addr)?\/)[^/\s]+/g
// Terminals act on C1 controls, and texts can be turned round by bidi marks; JSON escapes neither.
const UNPRINTABLE = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** `text` without what does not belong into a log; `debugging` lets network addresses and peer IDs stand. */
export function scrubText(text: string, debugging: boolean): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  const scrubbed = short
    .replaceAll(UNPRINTABLE, '?')
    .replaceAll(KITH_NAME, (found) => `kith1…${found.slice(-4)}`)
    .replaceAll(LONG_RUN, (found) => {
      if (!PEER_ID.test(found)) return `…${found.slice(-4)}`
      return debugging ? found : `${found.slice(0, 4)}…${found.slice(-4)}`
    })
  if (debugging) return scrubbed
  return scrubbed
    .replaceAll(HOST, '$1[host]')
    .replaceAll(IPV4, '[ip]')
    .replaceAll(IPV6, (found) => (isIPv6(found.replace(/[:.]$/, '')) || isIPv6(found) ? '[ip]' : found))
}

/** A value for a log line: bytes become their length, errors their text, private fields a mark; depth and size are bounded. */
export function scrubValue(value: unknown, debugging: boolean, depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value, debugging)
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null) return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return typeof value
  if (depth >= MAX_DEPTH) return '…'
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Error) return scrubError(value, debugging, depth)
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => scrubValue(item, debugging, depth + 1))
  const text = ownText(value)
  if (text !== undefined) return scrubText(text, debugging)
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([name, item]) => [name, PRIVATE_FIELD.test(name) ? '[private]' : scrubValue(item, debugging, depth + 1)]),
  )
}

function scrubError(error: Error, debugging: boolean, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown }
  return {
    error: error.name,
    code: scrubValue(code, debugging, depth + 1),
    reason: scrubText(error.message, debugging),
    stack: error.stack === undefined ? undefined : scrubText(error.stack, debugging),
    cause: scrubValue(error.cause, debugging, depth + 1),
  }
}

/** Peer IDs, multiaddrs, URLs, dates: their own text says more than their fields. */
function ownText(value: { toString?: unknown }): string | undefined {
  const { toString } = value
  if (typeof toString !== 'function' || toString === Object.prototype.toString) return undefined
  return String(toString.call(value))
}
