/**
 * Makes `test/vectors/ed25519-orders.json`: Ed25519 keys and signatures on which verifiers are known to disagree
 * (small and mixed order, second encodings, S above the group order), each with the verdict of Kith's one rule
 * (PROTOCOL 1). Everything follows from the counter below, so `node test/support/make-ed25519-orders.ts` repeats it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, toHex, u32, utf8 } from '../../node/crypto/bytes.ts'
import { sha512 } from '../../node/crypto/hash.ts'

export interface OrderCase {
  kind: string
  public: string
  message: string
  signature: string
  valid: boolean
}

const { Point } = ed25519
type EdPoint = InstanceType<typeof Point>
const L = Point.Fn.ORDER
const P = Point.Fp.ORDER

export const ED25519_ORDERS_FILE = join(import.meta.dirname, '..', 'vectors', 'ed25519-orders.json')

let counter = 0

/** The next scalar of the sequence, 1 to L-1. */
function scalar(): bigint {
  return (fromLittle(sha512(utf8('ed25519-orders'), u32(counter++))) % (L - 1n)) + 1n
}

function fromLittle(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}

function toLittle(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
}

function times(point: EdPoint, factor: bigint): EdPoint {
  let sum = Point.ZERO
  // plain double and add: noble's own multiplication reduces by L, which is wrong outside the subgroup
  for (let bit = factor.toString(2).length - 1; bit >= 0; bit--) {
    sum = sum.double()
    if ((factor >> BigInt(bit)) & 1n) sum = sum.add(point)
  }
  return sum
}

/** A generator of the eight points of small order. */
function torsionGenerator(): EdPoint {
  for (;;) {
    const y = toLittle(scalar())
    try {
      const point = times(Point.fromBytes(y), L)
      if (!times(point, 4n).is0()) return point
    } catch {
      // not on the curve: the next one
    }
  }
}

interface Signing {
  /** Point whose logarithm `a` is known, up to torsion. */
  key: Uint8Array
  a: bigint
  r: bigint
  R: Uint8Array
  message: Uint8Array
}

function challenge(s: Pick<Signing, 'key' | 'R' | 'message'>): bigint {
  return fromLittle(sha512(s.R, s.key, s.message)) % L
}

function signatureOf(s: Signing, extra = 0n): Uint8Array {
  return concat(s.R, toLittle(((s.r + challenge(s) * s.a) % L) + extra))
}

function entry(kind: string, s: Signing, valid: boolean, extra = 0n): OrderCase {
  return {
    kind,
    public: toHex(s.key),
    message: toHex(s.message),
    signature: toHex(signatureOf(s, extra)),
    valid,
  }
}

/** Draws messages until the challenge satisfies `wanted`. */
function withChallenge(s: Omit<Signing, 'message'>, wanted: (k: bigint) => boolean): Signing {
  for (let i = 0; ; i++) {
    const signing = { ...s, message: u32(i) }
    if (wanted(challenge(signing))) return signing
  }
}

function honest(): { a: bigint; A: EdPoint; r: bigint; R: EdPoint } {
  const [a, r] = [scalar(), scalar()]
  return { a, A: Point.BASE.multiply(a), r, R: Point.BASE.multiply(r) }
}

/** Second encodings of points: y + p where it fits into 255 bits, and a sign bit on x = 0. */
function otherEncodings(point: EdPoint): Uint8Array[] {
  const canonical = point.toBytes()
  const y = fromLittle(canonical) & ((1n << 255n) - 1n)
  const sign = fromLittle(canonical) >> 255n
  const found: Uint8Array[] = []
  if (y < 19n) found.push(toLittle(y + P + (sign << 255n)))
  if (point.toAffine().x === 0n) {
    found.push(toLittle(y + (1n << 255n)))
    if (y < 19n) found.push(toLittle(y + P + (1n << 255n)))
  }
  return found
}

export function makeOrderCases(): OrderCase[] {
  counter = 0
  const T = torsionGenerator()
  const torsion = Array.from({ length: 8 }, (_, i) => times(T, BigInt(i)))
  const cases: OrderCase[] = []
  const message = utf8('kith')

  for (let i = 0; i < 4; i++) {
    const { a, A, r, R } = honest()
    const signing = { key: A.toBytes(), a, r, R: R.toBytes(), message }
    cases.push(entry('honest', signing, true))
    cases.push({ ...entry('other message', signing, false), message: toHex(utf8('kin')) })
    for (const factor of [1n, 2n, 8n]) cases.push(entry('S above the order', signing, false, factor * L))
    for (const [order, t] of torsion.slice(1).entries()) {
      // the equation holds only after multiplication with the cofactor
      const shifted = { ...signing, R: R.add(t).toBytes() }
      cases.push(entry(`R with torsion ${order + 1}`, shifted, false))
      const key = A.add(t).toBytes()
      cases.push(entry(`mixed-order key ${order + 1}`, { ...signing, key }, false))
      // a multiple of 8 hides the torsion: here the equation holds without the cofactor as well
      const hidden = withChallenge({ key, a, r, R: R.toBytes() }, (k) => k % 8n === 0n)
      cases.push(entry(`mixed-order key ${order + 1}, torsion hidden`, hidden, false))
      const cancelled = withChallenge({ key, a, r, R: R.subtract(t).toBytes() }, (k) => k % 8n === 1n)
      cases.push(entry(`mixed-order key ${order + 1}, torsion cancelled by R`, cancelled, false))
    }
    // r = 0: R is the neutral element, which one release of OpenSSL takes and the next refuses
    cases.push(entry('R neutral', { ...signing, r: 0n, R: Point.ZERO.toBytes() }, false))
    for (const other of otherEncodings(Point.ZERO)) {
      cases.push(entry('R neutral in another encoding', { ...signing, r: 0n, R: other }, false))
    }
  }

  const { r, R } = honest()
  for (const [order, t] of torsion.entries()) {
    for (const key of [t.toBytes(), ...otherEncodings(t)]) {
      // anybody can sign for such a key: S = r
      const form = equalBytes(key, t.toBytes()) ? '' : ' in another encoding'
      const signing = { key, a: 0n, r, R: R.toBytes() }
      cases.push(entry(`small-order key ${order}${form}`, { ...signing, message }, false))
      cases.push(
        entry(
          `small-order key ${order}${form}, hidden`,
          withChallenge(signing, (k) => k % 8n === 0n),
          false,
        ),
      )
    }
  }

  for (let y = 0n; y < 19n; y++) {
    // keys of larger order whose y has a second encoding; nobody knows a logarithm, so the signature is none
    try {
      const point = Point.fromBytes(toLittle(y))
      if (point.isSmallOrder()) continue
      for (const key of otherEncodings(point)) {
        cases.push(entry('key in another encoding', { key, a: 0n, r, R: R.toBytes(), message }, false))
      }
    } catch {
      cases.push(entry('key off the curve', { key: toLittle(y), a: 0n, r, R: R.toBytes(), message }, false))
    }
  }
  return cases
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return toHex(a) === toHex(b)
}

if (import.meta.main) writeFileSync(ED25519_ORDERS_FILE, `${JSON.stringify(makeOrderCases(), undefined, 2)}\n`)
