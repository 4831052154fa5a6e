/*
 * Canonical CBOR of the protocol: a strict decoder and encoder for unsigned integers, bytes, text, arrays and maps, and
 * codecs over it that check the types and bounds of the tables of maps.
 */
import { byteAt, compare, concat, cut, must, Refused, same, u16, u32, u64, u8, utf8 } from './bytes.ts'

/** What canonical CBOR can hold. */
export type Value = number | string | Uint8Array | Value[] | Map<number, Value>

/** Nested containers. */
const MAX_CBOR_DEPTH = 8
/** Items of one message. */
const MAX_CBOR_ITEMS = 32768

const MAJOR = { uint: 0, bytes: 2, text: 3, array: 4, map: 5 }

function head(major: number, value: number): Uint8Array {
  const top = major << 5
  if (value < 24) return u8(top | value)
  if (value < 2 ** 8) return concat(u8(top | 24), u8(value))
  if (value < 2 ** 16) return concat(u8(top | 25), u16(value))
  if (value < 2 ** 32) return concat(u8(top | 26), u32(value))
  return concat(u8(top | 27), u64(value))
}

/** The one encoding of a value. */
export function encode(value: Value): Uint8Array {
  if (typeof value === 'number') return head(MAJOR.uint, value)
  if (typeof value === 'string') return concat(head(MAJOR.text, utf8(value).length), utf8(value))
  if (value instanceof Uint8Array) return concat(head(MAJOR.bytes, value.length), value)
  if (Array.isArray(value)) return concat(head(MAJOR.array, value.length), ...value.map(encode))
  const entries = [...value].sort(([a], [b]) => a - b).flatMap(([key, v]) => [encode(key), encode(v)])
  return concat(head(MAJOR.map, value.size), ...entries)
}

class Decoder {
  #at = 0
  #items = 0
  readonly #bytes: Uint8Array

  constructor(encoded: Uint8Array) {
    this.#bytes = encoded
  }

  all(): Value {
    const value = this.#value(0)
    must(this.#at === this.#bytes.length, 'a byte behind the value')
    return value
  }

  #take(n: number): Uint8Array {
    const part = cut(this.#bytes, this.#at, this.#at + n)
    this.#at += n
    return part
  }

  #argument(low: number): number {
    if (low < 24) return low
    must(low <= 27, 'lengths are definite, and there are no simple values')
    const value = [...this.#take(2 ** (low - 24))].reduce((sum, byte) => sum * 256 + byte, 0)
    must(Number.isSafeInteger(value), 'above 2^53 − 1')
    must(low === 24 ? value >= 24 : value >= 2 ** (8 * 2 ** (low - 25)), 'another than the shortest form')
    return value
  }

  #value(depth: number): Value {
    must(++this.#items <= MAX_CBOR_ITEMS, 'too many items')
    const first = byteAt(this.#take(1), 0)
    const major = first >> 5
    const argument = (major === 7 && 255) || this.#argument(first & 31)
    if (major === MAJOR.uint) return argument
    if (major === MAJOR.bytes) return this.#take(argument)
    if (major === MAJOR.text) return text(this.#take(argument))
    must(major === MAJOR.array || major === MAJOR.map, 'a type that there is not')
    must(depth < MAX_CBOR_DEPTH, 'too many nested containers')
    return major === MAJOR.array ? this.#array(argument, depth) : this.#map(argument, depth)
  }

  #array(length: number, depth: number): Value[] {
    const entries: Value[] = []
    for (let i = 0; i < length; i++) entries.push(this.#value(depth + 1))
    return entries
  }

  #map(length: number, depth: number): Map<number, Value> {
    const entries = new Map<number, Value>()
    let before = -1
    for (let i = 0; i < length; i++) {
      const key = this.#value(depth + 1)
      must(typeof key === 'number' && key > before, 'keys are unsigned integers, ascending, each once')
      before = key
      entries.set(key, this.#value(depth + 1))
    }
    return entries
  }
}

function text(utf8Bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(utf8Bytes)
  } catch {
    throw new Refused('well-formed UTF-8')
  }
}

/** Decodes one canonical value; other bytes for it are refused. */
export function decode(encoded: Uint8Array): Value {
  const value = new Decoder(encoded).all()
  must(compare(encode(value), encoded) === 0, 'another encoding of the same value')
  return value
}

/** Reads a CBOR value as a type of the tables, and back. */
interface Codec<T> {
  /** Checks type and bounds. */
  read(value: Value): T
  /** The CBOR value; bounds are checked here too. */
  write(value: T): Value
}

function checked<T extends Value>(check: (value: Value) => T): Codec<T> {
  return { read: check, write: check }
}

/** `uint`, up to a bound. */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Codec<number> {
  return checked((value) => {
    must(typeof value === 'number' && value <= max, `an unsigned integer up to ${max}`)
    return value
  })
}

/** Bytes with bounds of their number; one bound is both. */
export function bytes(min: number, max: number = min): Codec<Uint8Array> {
  return checked((value) => {
    must(value instanceof Uint8Array && value.length >= min && value.length <= max, `${min} to ${max} bytes`)
    return value
  })
}

/** Text of a number of bytes at most. */
export function textUpTo(max: number): Codec<string> {
  return checked((value) => {
    must(typeof value === 'string' && utf8(value).length <= max, `a text of ${max} bytes at most`)
    return value
  })
}

/** An array with bounds of its length. */
export function list<T>(of: Codec<T>, max: number, min = 0): Codec<T[]> {
  return {
    read(value) {
      must(Array.isArray(value) && value.length >= min && value.length <= max, `${min} to ${max} entries`)
      return value.map((entry) => of.read(entry))
    },
    write: (value) => value.map((entry) => of.write(entry)),
  }
}

/** A field of a map: its key, its type, and whether it may be absent. */
interface Field<T> {
  key: number
  codec: Codec<T>
  optional: boolean
}

/** A field that must be there. */
export function field<T>(key: number, codec: Codec<T>): Field<T> & { optional: false } {
  return { key, codec, optional: false }
}

/** A field that may be absent. */
export function optional<T>(key: number, codec: Codec<T>): Field<T> & { optional: true } {
  return { key, codec, optional: true }
}

type Fields = Record<string, Field<unknown>>
type TypeOf<F> = F extends Field<infer T> ? T : never
type Needed<F extends Fields> = { [N in keyof F]: F[N] extends { optional: true } ? never : N }[keyof F]
type Maybe<F extends Fields> = { [N in keyof F]: F[N] extends { optional: true } ? N : never }[keyof F]

/** The object that the fields of a map describe. */
type Shape<F extends Fields> = { [N in Needed<F>]: TypeOf<F[N]> } & { [N in Maybe<F>]?: TypeOf<F[N]> }

/** A map of the tables, as bytes and as a value inside another. */
interface MapCodec<T> extends Codec<T> {
  /** Size first, then the canonical form, then the fields. */
  decode(encoded: Uint8Array): T
  /** The one encoding. */
  encode(value: T): Uint8Array
}

/** A map by its fields; `most` bounds its encoded size. */
export function map<F extends Fields>(fields: F, most: number = Number.MAX_SAFE_INTEGER): MapCodec<Shape<F>> {
  const known = Object.entries<Field<unknown>>(fields)
  const read = (value: Value): Shape<F> => {
    must(value instanceof Map, 'a map')
    const out: Record<string, unknown> = {}
    let found = 0
    for (const [name, { key, codec, optional: mayMiss }] of known) {
      const entry = value.get(key)
      must(entry !== undefined || mayMiss, `${name} is missing`)
      if (entry === undefined) continue
      out[name] = codec.read(entry)
      found++
    }
    must(found === value.size, 'a key that the map does not have')
    return out as Shape<F>
  }
  const write = (value: Shape<F>): Value => {
    const out = new Map<number, Value>()
    for (const [name, { key, codec }] of known) {
      const entry: unknown = (value as Record<string, unknown>)[name]
      if (entry !== undefined) out.set(key, codec.write(entry))
    }
    return out
  }
  return {
    read,
    write,
    decode(encoded) {
      must(encoded.length <= most, `more than ${most} bytes`)
      return read(decode(encoded))
    },
    encode(value) {
      const encoded = encode(write(value))
      must(encoded.length <= most && same(encode(write(read(decode(encoded)))), encoded), 'what can be read again')
      return encoded
    },
  }
}

/** What a map codec reads. */
export type Of<M> = M extends MapCodec<infer T> ? T : never
