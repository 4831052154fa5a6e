/*
 * bech32m (BIP350) of any length: five bits a character, zero bits to the end, one case throughout.
 */
import { concat, must, u8, zeros } from './bytes.ts'

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CONSTANT = 0x2bc830a3
const CHECKSUM = 6

function polymod(values: number[]): number {
  let sum = 1
  for (const value of values) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ value
    GENERATOR.forEach((g, i) => {
      if ((top >>> i) & 1) sum ^= g
    })
  }
  return sum >>> 0
}

function expanded(prefix: string): number[] {
  const codes = Array.from(prefix, (c) => c.charCodeAt(0))
  return [...codes.map((c) => c >> 5), 0, ...codes.map((c) => c & 31)]
}

/** Text of bytes under a prefix. */
export function toBech32m(prefix: string, bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const words = (bits.match(/.{1,5}/g) ?? []).map((five) => Number.parseInt(five.padEnd(5, '0'), 2))
  const sum = polymod([...expanded(prefix), ...words, ...zeros(CHECKSUM)]) ^ CONSTANT
  const check = [...Array(CHECKSUM).keys()].map((i) => (sum >>> (5 * (5 - i))) & 31)
  return `${prefix}1${[...words, ...check].map((word) => ALPHABET[word]).join('')}`
}

/** Bytes of a text that must have this prefix. */
export function fromBech32m(prefix: string, text: string): Uint8Array {
  must(text === text.toLowerCase() || text === text.toUpperCase(), 'one case')
  const lower = text.toLowerCase()
  const at = lower.lastIndexOf('1')
  must(lower.slice(0, at) === prefix, `the prefix is ${prefix}`)
  const words = Array.from(lower.slice(at + 1), (c) => ALPHABET.indexOf(c))
  must(words.length >= CHECKSUM && words.every((word) => word >= 0), 'characters of bech32')
  must(polymod([...expanded(prefix), ...words]) === CONSTANT, 'the checksum does not fit')
  const bits = words
    .slice(0, -CHECKSUM)
    .map((word) => word.toString(2).padStart(5, '0'))
    .join('')
  const whole = Math.floor(bits.length / 8)
  const filling = bits.slice(whole * 8)
  must(filling.length < 5 && !filling.includes('1'), 'zero bits to the end')
  return concat(...[...Array(whole).keys()].map((i) => u8(Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2))))
}
