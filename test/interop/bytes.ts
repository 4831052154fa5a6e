/*
 * Bytes and numbers as the notation of the protocol document has them: concatenation, big-endian integers,
 * labels, padding and leading zero bits. Everything that is refused anywhere in this reader is one `Refused`.
 */

/** What is thrown when bytes must not be taken, for whatever reason. */
export class Refused extends Error {}

/** Throws `Refused` unless the condition holds. */
export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refused(reason)
}

/** `a ‖ b ‖ …` */
export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Whether both have the same bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Order of bytes, as for sorting. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

/** Bytes of lower-case hexadecimal. */
export function fromHex(text: string): Uint8Array {
  must(/^([0-9a-f]{2})*$/.test(text), 'hexadecimal')
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** Lower-case hexadecimal of bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** UTF-8 of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** `n` zero bytes. */
export function zeros(n: number): Uint8Array {
  return new Uint8Array(n)
}

/** `L("x")`: the bytes of `kith/1/x`. */
export function L(name: string): Uint8Array {
  return utf8(`kith/1/${name}`)
}

function unsigned(value: number, width: number): Uint8Array {
  must(Number.isSafeInteger(value) && value >= 0, 'an unsigned integer')
  const out = zeros(width)
  let rest = value
  for (let i = width - 1; i >= 0; i--) {
    out[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  must(rest === 0, 'an integer that fits its width')
  return out
}

/** One byte. */
export const u8 = (value: number): Uint8Array => unsigned(value, 1)
/** Two bytes, big-endian. */
export const u16 = (value: number): Uint8Array => unsigned(value, 2)
/** Four bytes, big-endian. */
export const u32 = (value: number): Uint8Array => unsigned(value, 4)
/** Eight bytes, big-endian. */
export const u64 = (value: number): Uint8Array => unsigned(value, 8)

/** Big-endian integer at an offset; above 2^53 − 1 it is malformed. */
export function readUint(bytes: Uint8Array, offset: number, width: number): number {
  must(offset + width <= bytes.length, 'it ends early')
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + byteAt(bytes, offset + i)
  must(value <= Number.MAX_SAFE_INTEGER, 'above 2^53 − 1')
  return value
}

/** The byte at an offset. */
export function byteAt(bytes: Uint8Array, offset: number): number {
  const byte = bytes[offset]
  must(byte !== undefined, 'it ends early')
  return byte
}

/** `x[i..j]`; all of it must be there. */
export function cut(bytes: Uint8Array, from: number, to: number): Uint8Array {
  must(from >= 0 && from <= to && to <= bytes.length, 'it ends early')
  return bytes.slice(from, to)
}

/** Cuts bytes into parts of the given widths, which must add up. */
export function split<const W extends readonly number[]>(
  bytes: Uint8Array,
  widths: W,
): { -readonly [I in keyof W]: Uint8Array } {
  const parts: Uint8Array[] = []
  let at = 0
  for (const width of widths) {
    parts.push(cut(bytes, at, at + width))
    at += width
  }
  must(at === bytes.length, 'another length')
  return parts as { -readonly [I in keyof W]: Uint8Array }
}

/** Pads with 0x80 and zeros up to a length; at least one byte is added. */
export function pad(plaintext: Uint8Array, length: number): Uint8Array {
  must(plaintext.length < length, 'room for the padding')
  const out = zeros(length)
  out.set(plaintext)
  out[plaintext.length] = 0x80
  return out
}

/** Takes the padding off: the last byte that is not zero must be 0x80. */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = -1
  for (let i = 0; i < padded.length; i++) if (padded[i] !== 0) end = i
  must(end >= 0 && padded[end] === 0x80, 'no 0x80 followed by nothing but zeros')
  return padded.slice(0, end)
}

/** Leading zero bits, from the most significant bit of the first byte. */
export function leadingZeroBits(bytes: Uint8Array): number {
  let bits = 0
  for (const byte of bytes) {
    if (byte !== 0) return bits + Math.clz32(byte) - 24
    bits += 8
  }
  return bits
}

/** The name behind `kith/1/`. */
export function labelOf(label: Uint8Array): string {
  const text = Buffer.from(label).toString()
  must(text.startsWith('kith/1/'), 'a label')
  return text.slice(7)
}
