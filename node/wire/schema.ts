/**
 * Canonical CBOR (PROTOCOL 2): integer keys, definite lengths, shortest integers, sorted keys; no floats, tags,
 * undefined, null or booleans; depth at most 8 (`tokenizer.ts`). A shape names the fields of a map, and its TypeScript type follows from it.
 * Decoding checks the size first, then the shape, then encodes again and compares: one value has one encoding.
 */
import { decode as cborDecode, encode as cborEncode } from 'cborg'
import { equal, utf8 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { DECODE_OPTIONS, PlainTokenizer } from './tokenizer.ts'

type Cbor = number | string | Uint8Array | Cbor[] | Map<number, Cbor>

/** Turns values of type T into CBOR and back; `read` throws a PeerError `MALFORMED` for anything else. */
export interface Shape<T> {
  write(value: T): Cbor
  read(value: unknown): T
  readonly optional?: true
}

export type Infer<S> = S extends Shape<infer T> ? T : never

function malformed(expected: string): never {
  throw new PeerError('MALFORMED', `expected ${expected}`)
}

/** Unsigned integer of at most `max`. */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  const check = (value: unknown): number =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
      ? value
      : malformed(`an unsigned integer of at most ${max}`)
  return { write: check, read: check }
}

/** Byte string of exactly `length` bytes. */
export function bytes(length: number): Shape<Uint8Array> {
  return bytesBetween(length, length)
}

/** Byte string of `min` to `max` bytes. */
export function bytesBetween(min: number, max: number): Shape<Uint8Array> {
  const check = (value: unknown): Uint8Array =>
    value instanceof Uint8Array && value.length >= min && value.length <= max
      ? value
      : malformed(min === max ? `${min} bytes` : `${min} to ${max} bytes`)
  return { write: check, read: check }
}

/** Text of at most `maxBytes` in UTF-8. */
export function text(maxBytes: number): Shape<string> {
  const check = (value: unknown): string =>
    typeof value === 'string' && value.isWellFormed() && utf8(value).length <= maxBytes
      ? value
      : malformed(`text of at most ${maxBytes} bytes`)
  return { write: check, read: check }
}

/** Array of `min` to `max` items. */
export function list<T>(item: Shape<T>, max: number, min = 0): Shape<T[]> {
  const check = (length: number): void => {
    if (length < min || length > max) malformed(`${min} to ${max} items`)
  }
  return {
    write(value) {
      if (!Array.isArray(value)) malformed('an array')
      check(value.length)
      return value.map((entry) => item.write(entry))
    },
    read(value) {
      if (!Array.isArray(value)) malformed('an array')
      const entries = value as unknown[]
      check(entries.length)
      return entries.map((entry) => item.read(entry))
    },
  }
}

/** A field that may be absent; absent is `undefined`. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> & { readonly optional: true } {
  return { optional: true, write: (value) => shape.write(value as T), read: (value) => shape.read(value) }
}

// oxlint-disable-next-line typescript/no-explicit-any -- Shape is invariant in T: no other type admits all shapes
type Fields = Record<string, readonly [key: number, shape: Shape<any>]>
type OptionalNames<F extends Fields> = {
  [N in keyof F]: F[N][1] extends { readonly optional: true } ? N : never
}[keyof F]
type StructOf<F extends Fields> = { [N in Exclude<keyof F, OptionalNames<F>>]: Infer<F[N][1]> } & {
  [N in OptionalNames<F>]?: Infer<F[N][1]>
}

/** Map with the named fields, each under its integer key. Unknown keys are refused. */
export function struct<const F extends Fields>(fields: F): Shape<{ [K in keyof StructOf<F>]: StructOf<F>[K] }> {
  const entries = Object.entries(fields).toSorted(([, [a]], [, [b]]) => a - b)
  const known = new Set(entries.map(([, [key]]) => key))
  return {
    write(value) {
      if (typeof value !== 'object' || value === null) malformed('an object')
      const map = new Map<number, Cbor>()
      for (const [name, [key, shape]] of entries) {
        const field = (value as Record<string, unknown>)[name]
        if (field === undefined && shape.optional) continue
        map.set(key, shape.write(field))
      }
      return map
    },
    read(value) {
      if (!(value instanceof Map)) malformed('a map')
      const map = value as Map<unknown, unknown>
      for (const key of map.keys()) if (!known.has(key as number)) malformed('no unknown key')
      const result: Record<string, unknown> = {}
      for (const [name, [key, shape]] of entries) {
        if (map.has(key)) result[name] = shape.read(map.get(key))
        else if (!shape.optional) malformed(`the key ${key} (${name})`)
      }
      return result as { [K in keyof StructOf<F>]: StructOf<F>[K] }
    },
  }
}

/** The canonical encoding. @throws PeerError `MALFORMED` when the value does not fit the shape (the caller's mistake) */
export function encode<T>(shape: Shape<T>, value: T): Uint8Array {
  const encoded = cborEncode(shape.write(value))
  // it may be a Buffer, whose slices would share its memory
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength)
}

/**
 * Decodes at most `maxBytes`.
 * @throws PeerError `OVERSIZED` before parsing, `MALFORMED` for anything that is not the canonical encoding of the shape
 */
export function decode<T>(shape: Shape<T>, encoded: Uint8Array, maxBytes: number): T {
  if (encoded.length > maxBytes) {
    throw new PeerError('OVERSIZED', `expected at most ${maxBytes} bytes, got ${encoded.length}`)
  }
  let raw: unknown
  try {
    raw = cborDecode(encoded, { ...DECODE_OPTIONS, tokenizer: new PlainTokenizer(encoded) })
  } catch (cause) {
    throw new PeerError('MALFORMED', 'expected canonical cbor', { cause })
  }
  const value = shape.read(raw)
  if (!equal(encode(shape, value), encoded)) malformed('the canonical encoding')
  return value
}
