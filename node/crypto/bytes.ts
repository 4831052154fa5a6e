/** Byte strings: joining, comparing, fixed-width big-endian integers, hex. Nothing here keeps a reference to its input. */

/** Joins byte strings into a new one. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Compares without an early exit, so that time tells only whether the lengths differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** Orders byte strings lexicographically: negative, zero or positive. Not constant time. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** 1 byte. @throws RangeError when `value` is not an integer in 0..2^8-1 */
export function u8(value: number): Uint8Array {
  return bigEndian(value, 1)
}

/** 2 bytes, big-endian. @throws RangeError when `value` is not an integer in 0..2^16-1 */
export function u16(value: number): Uint8Array {
  return bigEndian(value, 2)
}

/** 4 bytes, big-endian. @throws RangeError when `value` is not an integer in 0..2^32-1 */
export function u32(value: number): Uint8Array {
  return bigEndian(value, 4)
}

/** 8 bytes, big-endian. @throws RangeError when `value` is not an integer in 0..2^53-1 */
export function u64(value: number): Uint8Array {
  return bigEndian(value, 8)
}

function bigEndian(value: number, width: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0 || (width < 7 && value >= 2 ** (8 * width))) {
    throw new RangeError(`expected an unsigned integer of ${width} bytes, got ${value}`)
  }
  const bytes = new Uint8Array(width)
  let rest = value
  for (let i = width - 1; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

/**
 * Reads `width` bytes as an unsigned big-endian integer.
 * @throws RangeError when the bytes end early or the number is above 2^53-1
 */
export function readUint(bytes: Uint8Array, offset: number, width: number): number {
  if (offset + width > bytes.length) throw new RangeError(`expected ${offset + width} bytes, got ${bytes.length}`)
  let value = 0
  for (let i = offset; i < offset + width; i++) value = value * 256 + bytes[i]!
  if (!Number.isSafeInteger(value)) throw new RangeError('expected an integer of at most 53 bits')
  return value
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** @throws RangeError when `text` is not an even number of hexadecimal digits */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text))
    throw new RangeError('expected an even number of hexadecimal digits')
  return new Uint8Array(Buffer.from(text, 'hex'))
}

const encoder = new TextEncoder()

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Number of leading zero bits, counted from the most significant bit of the first byte. */
export function leadingZeroBits(bytes: Uint8Array): number {
  let bits = 0
  for (const byte of bytes) {
    if (byte !== 0) return bits + Math.clz32(byte) - 24
    bits += 8
  }
  return bits
}
