/**
 * What a file of test/vectors/kith is made of: the version it was made for, the sections of docs/PROTOCOL.md that it shows,
 * cases with every input and intermediate value, and what must be refused with the reason. Bytes become lower-case hexadecimal.
 */
import { concat, toHex, u32, utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { KithError } from '../../../node/errors.ts'
import { PROTOCOL_VERSION } from '../../../node/limits.ts'

/** Protocol time of all files, seconds: 2027-01-15T08:00:00Z. */
export const NOW = 1_800_000_000
export const DAY = 86_400
/** Rises when a file gets another shape; a change of bytes is one of the protocol's version. */
export const VECTORS_VERSION = 2

/** What a maker writes down; an undefined field is left out. */
export type Value =
  | string
  | number
  | boolean
  | Uint8Array
  | readonly Value[]
  | { readonly [name: string]: Value | undefined }

export type Fields = Readonly<Record<string, Value | undefined>>

export interface VectorFile {
  /** File name without `.json`. */
  name: string
  /** Headings of the protocol document, without their marks. */
  shows: string[]
  about: string
  cases: (Fields & { name: string })[]
  refused: (Fields & { name: string; reason: string; error: string })[]
}

/** Bytes that follow from a public seed and the number of the call alone. */
export function publicRandom(seed: string): { readonly bytes: (length: number) => Uint8Array } {
  let calls = 0
  return {
    bytes(length) {
      const call = concat(utf8(seed), u32(calls++))
      const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) => sha256(call, u32(block)))
      return concat(...blocks).slice(0, length)
    },
  }
}

/** 32 bytes, or as many as told, that follow from a public name. */
export function drawn(name: string, length = 32): Uint8Array {
  return publicRandom(`kith vectors: ${name}`).bytes(length)
}

/** A Random that hands out what was drawn before, in this order, and nothing else. */
export function handingOut(...values: Uint8Array[]): (length: number) => Uint8Array {
  const left = [...values]
  return (length) => {
    const value = left.shift()
    if (value?.length !== length) throw new RangeError(`expected to be asked for ${value?.length} bytes, not ${length}`)
    return value.slice()
  }
}

/** Something that must be refused: `run` shows that the code does, and gives our error's code. */
export function refused(
  name: string,
  reason: string,
  given: Fields,
  run: () => unknown,
): Fields & { name: string; reason: string; error: string } {
  return { name, reason, error: errorOf(name, run), ...given }
}

/** Something that is dropped without an error. @param isDropped what the code says of it */
export function dropped(name: string, reason: string, given: Fields, isDropped: boolean) {
  if (!isDropped) throw new Error(`${name} was not dropped`)
  return { name, reason, error: 'none', ...given }
}

function errorOf(name: string, run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof KithError) return error.code
    throw error
  }
  throw new Error(`${name} was not refused`)
}

/** @throws Error when two ways to the same bytes differ: then the file would be wrong, whatever it says */
export function same(what: string, a: Uint8Array, b: Uint8Array): Uint8Array {
  if (toHex(a) !== toHex(b)) throw new Error(`${what} differs`)
  return a
}

/** A copy with one bit turned. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = bytes.slice()
  const place = at < 0 ? copy.length + at : at
  copy[place] = copy[place]! ^ (1 << bit)
  return copy
}

/** Keys under which a string is text. Under every other key it is bytes in hexadecimal. */
export const TEXT_KEYS: ReadonlySet<string> = new Set(
  'name reason error about shows map text side status admission relays addresses note contact'.split(' '),
)

function checkTexts(key: string, value: unknown): void {
  if (typeof value === 'string' && !TEXT_KEYS.has(key)) throw new Error(`text under the key ${key}`)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  for (const [name, part] of Object.entries(value)) checkTexts(Array.isArray(value) ? key : name, part)
}

/** The file as JSON: text stays text, bytes become lower-case hexadecimal. */
export function rendered({ name: _name, shows, about, cases, refused: bad }: VectorFile): string {
  const file = { protocol: PROTOCOL_VERSION, vectors: VECTORS_VERSION, shows, about, time: NOW, cases, refused: bad }
  checkTexts('', file)
  const json = JSON.stringify(file, (_key, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value), 2)
  return `${json}\n`
}
