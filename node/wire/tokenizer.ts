/**
 * Reads CBOR item by item and refuses what no message of Kith holds before it is built in memory: other types than
 * unsigned integers, byte strings, text, arrays and maps, deeper nesting, more items than the largest answer has
 * (PROTOCOL 2). Canonical form beyond that is `schema.ts`'s, which encodes again and compares.
 */
import { type Token, Tokenizer, Type } from 'cborg'
import { MAX_CBOR_DEPTH, MAX_CBOR_ITEMS } from '../limits.ts'

// cborg's own decoder drops a byte order mark and repairs broken UTF-8: then a text would not be the bytes sent
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const PLAIN_MAJORS: readonly number[] = [Type.uint, Type.bytes, Type.string, Type.array, Type.map].map((t) => t.major)

/** How the tokenizer and the decoder around it are set: strict, no indefinite lengths, no numbers above 2^53-1. */
export const DECODE_OPTIONS = {
  strict: true,
  useMaps: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
} as const

/** One pass over `data`; every fault is thrown as a plain Error that the decoder turns into a PeerError. */
export class PlainTokenizer extends Tokenizer {
  #items = 0
  /** Items that each open container still waits for, the innermost last. */
  readonly #open: number[] = []

  constructor(data: Uint8Array) {
    // a plain view: slices of a Buffer would share the caller's memory
    super(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), DECODE_OPTIONS)
  }

  override next(): Token {
    const token = super.next()
    if (!PLAIN_MAJORS.includes(token.type.major)) throw new Error(`type ${token.type.name} is not used`)
    if (++this.#items > MAX_CBOR_ITEMS) throw new Error(`more than ${MAX_CBOR_ITEMS} items`)
    this.#track(token)
    if (token.byteValue !== undefined) token.value = utf8.decode(token.byteValue)
    return token
  }

  #track(token: Token): void {
    const open = this.#open
    while (open.at(-1) === 0) open.pop()
    if (open.length > 0) open[open.length - 1]! -= 1
    const perEntry = Type.equals(token.type, Type.map) ? 2 : Type.equals(token.type, Type.array) ? 1 : 0
    if (perEntry === 0) return
    open.push(token.value * perEntry)
    if (open.length > MAX_CBOR_DEPTH) throw new Error(`nested deeper than ${MAX_CBOR_DEPTH}`)
  }
}
