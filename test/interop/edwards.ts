/*
 * The curve of Ed25519 (RFC 8032 §5.1), as far as the strict rule of the protocol needs it: canonical encodings and
 * points of prime order. Slow and plain; nothing secret passes through here.
 */

const P = 2n ** 255n - 19n

/** Order of the prime-order group. */
export const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

interface Point {
  X: bigint
  Y: bigint
  Z: bigint
  T: bigint
}

function mod(x: bigint): bigint {
  const rest = x % P
  return rest < 0n ? rest + P : rest
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = mod(base)
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

const D = mod(-121665n * power(121666n, P - 2n))
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n)

function add(p: Point, q: Point): Point {
  const a = mod((p.Y - p.X) * (q.Y - q.X))
  const b = mod((p.Y + p.X) * (q.Y + q.X))
  const c = mod(2n * p.T * q.T * D)
  const d = mod(2n * p.Z * q.Z)
  const [e, f, g, h] = [b - a, d - c, d + c, b + a]
  return { X: mod(e * f), Y: mod(g * h), Z: mod(f * g), T: mod(e * h) }
}

/** Little-endian integer. */
export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`)
}

function decode(encoded: Uint8Array): Point | undefined {
  if (encoded.length !== 32) return undefined
  const all = littleEndian(encoded)
  const y = all & (2n ** 255n - 1n)
  const sign = all >> 255n
  if (y >= P) return undefined
  const u = mod(y * y - 1n)
  const v = mod(D * y * y + 1n)
  let x = mod(u * v ** 3n * power(u * power(v, 7n), (P - 5n) / 8n))
  if (mod(v * x * x) !== u) x = mod(x * ROOT_OF_MINUS_ONE)
  if (mod(v * x * x) !== u) return undefined
  if (x === 0n && sign === 1n) return undefined
  if ((x & 1n) !== sign) x = mod(-x)
  return { X: x, Y: y, Z: 1n, T: mod(x * y) }
}

const isNeutral = (p: Point): boolean => p.X === 0n && p.Y === p.Z

function multiply(scalar: bigint, point: Point): Point {
  let result: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n }
  let doubled = point
  for (let s = scalar; s > 0n; s >>= 1n) {
    if (s & 1n) result = add(result, doubled)
    doubled = add(doubled, doubled)
  }
  return result
}

const verdicts = new Map<string, boolean>()

/** Whether bytes are the one canonical encoding of a point of prime order. */
export function isPrimeOrder(encoded: Uint8Array): boolean {
  const name = Buffer.from(encoded).toString('hex')
  const known = verdicts.get(name)
  if (known !== undefined) return known
  const point = decode(encoded)
  const verdict = point !== undefined && !isNeutral(point) && isNeutral(multiply(ORDER, point))
  verdicts.set(name, verdict)
  return verdict
}
