/*
 * ML-KEM-768 encapsulation with given coins (FIPS 203, Encaps_internal): node:crypto draws its own, so it is written
 * out here with SHA3 and SHAKE of node:crypto. Decapsulation is node's (keys.ts), which checks this one.
 */
import { createHash } from 'node:crypto'
import { byteAt, concat, cut, must, u8, zeros } from './bytes.ts'

const Q = 3329
const N = 256
const K = 3

const sha3 = (name: string, ...parts: Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHash(name)
      .update(concat(...parts))
      .digest(),
  )

const shake = (name: string, length: number, ...parts: Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHash(name, { outputLength: length })
      .update(concat(...parts))
      .digest(),
  )

type Poly = number[]

const reverse7 = (x: number): number => {
  let out = 0
  for (let i = 0; i < 7; i++) out |= ((x >> i) & 1) << (6 - i)
  return out
}

const powers: number[] = [1]
for (let i = 1; i < 256; i++) powers.push(((powers[i - 1] ?? 0) * 17) % Q)
const zeta = (i: number): number => powers[reverse7(i)] ?? 0
const gamma = (i: number): number => powers[2 * reverse7(i) + 1] ?? 0
const mod = (x: number): number => ((x % Q) + Q) % Q
const get = (f: Poly, i: number): number => f[i] ?? 0

function ntt(f: Poly): Poly {
  const out = [...f]
  let k = 1
  for (let width = 128; width >= 2; width >>= 1)
    for (let start = 0; start < N; start += 2 * width) {
      const z = zeta(k++)
      for (let j = start; j < start + width; j++) {
        const t = (z * get(out, j + width)) % Q
        out[j + width] = mod(get(out, j) - t)
        out[j] = mod(get(out, j) + t)
      }
    }
  return out
}

function inverseNtt(f: Poly): Poly {
  const out = [...f]
  let k = 127
  for (let width = 2; width <= 128; width <<= 1)
    for (let start = 0; start < N; start += 2 * width) {
      const z = zeta(k--)
      for (let j = start; j < start + width; j++) {
        const t = get(out, j)
        out[j] = mod(t + get(out, j + width))
        out[j + width] = mod(z * (get(out, j + width) - t))
      }
    }
  return out.map((x) => mod(x * 3303))
}

function multiply(f: Poly, g: Poly): Poly {
  const out: Poly = Array.from({ length: N }, () => 0)
  for (let i = 0; i < 128; i++) {
    const [a0, a1, b0, b1] = [get(f, 2 * i), get(f, 2 * i + 1), get(g, 2 * i), get(g, 2 * i + 1)]
    out[2 * i] = mod(a0 * b0 + ((a1 * b1) % Q) * gamma(i))
    out[2 * i + 1] = mod(a0 * b1 + a1 * b0)
  }
  return out
}

const add = (f: Poly, g: Poly): Poly => f.map((x, i) => mod(x + get(g, i)))
const sum = (list: Poly[]): Poly =>
  list.reduce(
    add,
    Array.from({ length: N }, () => 0),
  )

function sampleNtt(rho: Uint8Array, j: number, i: number): Poly {
  const stream = shake('shake128', 1680, rho, u8(j), u8(i))
  const out: Poly = []
  for (let at = 0; out.length < N; at += 3) {
    const [a, b, c] = [byteAt(stream, at), byteAt(stream, at + 1), byteAt(stream, at + 2)]
    const [d1, d2] = [a + 256 * (b % 16), (b >> 4) + 16 * c]
    if (d1 < Q) out.push(d1)
    if (d2 < Q && out.length < N) out.push(d2)
  }
  return out
}

function noise(seed: Uint8Array, n: number): Poly {
  const bytes = shake('shake256', 128, seed, u8(n))
  const bit = (i: number): number => (byteAt(bytes, i >> 3) >> (i & 7)) & 1
  return Array.from({ length: N }, (_, i) => mod(bit(4 * i) + bit(4 * i + 1) - bit(4 * i + 2) - bit(4 * i + 3)))
}

function decode12(bytes: Uint8Array): Poly {
  const out: Poly = []
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [byteAt(bytes, i), byteAt(bytes, i + 1), byteAt(bytes, i + 2)]
    out.push(a + 256 * (b & 15), (b >> 4) + 16 * c)
  }
  return out
}

function compressed(f: Poly, bits: number): Uint8Array {
  const out = zeros(32 * bits)
  f.forEach((x, i) => {
    const value = Math.floor((x * 2 ** bits + (Q - 1) / 2) / Q) % 2 ** bits
    for (let b = 0; b < bits; b++) {
      const at = i * bits + b
      out[at >> 3] = (out[at >> 3] ?? 0) | (((value >> b) & 1) << (at & 7))
    }
  })
  return out
}

function encrypt(key: Uint8Array, message: Uint8Array, coins: Uint8Array): Uint8Array {
  const t = [0, 1, 2].map((i) => decode12(cut(key, 384 * i, 384 * (i + 1))))
  const rho = cut(key, 1152, 1184)
  const y = [0, 1, 2].map((i) => ntt(noise(coins, i)))
  const u = [0, 1, 2].map((i) => {
    const products = y.map((yj, j) => multiply(sampleNtt(rho, i, j), yj))
    return add(inverseNtt(sum(products)), noise(coins, K + i))
  })
  const bits = Array.from({ length: N }, (_, i) => ((byteAt(message, i >> 3) >> (i & 7)) & 1) * 1665)
  const inner = inverseNtt(sum(t.map((ti, i) => multiply(ti, y[i] ?? []))))
  const v = add(add(inner, noise(coins, 2 * K)), bits)
  return concat(...u.map((f) => compressed(f, 10)), compressed(v, 4))
}

/** Ciphertext and shared secret of an encapsulation key and coins `m`. */
export function encapsulate(key: Uint8Array, m: Uint8Array): { ciphertext: Uint8Array; secret: Uint8Array } {
  must(key.length === 1184 && m.length === 32, 'widths of ML-KEM-768')
  const g = sha3('sha3-512', m, sha3('sha3-256', key))
  return { ciphertext: encrypt(key, m, cut(g, 32, 64)), secret: cut(g, 0, 32) }
}
