/**
 * Randomness of a simulation: SHA-256 in counter mode over a seed, so that one seed gives one stream on every machine.
 * Forks are independent of how much was drawn before; every part of the world draws from a fork of its own.
 */
import { sha256 } from '../../node/crypto/hash.ts'
import { concat, u64, utf8 } from '../../node/crypto/bytes.ts'

export class SeededRandom {
  readonly #seed: Uint8Array
  #counter = 0
  #block: Uint8Array = new Uint8Array(0)
  #used = 0

  /** @param seed bytes of any length, or a text */
  constructor(seed: Uint8Array | string) {
    this.#seed = sha256(typeof seed === 'string' ? utf8(seed) : seed)
  }

  /** A stream of its own for `label`; the same label gives the same stream. */
  fork(label: string): SeededRandom {
    return new SeededRandom(concat(this.#seed, utf8(label)))
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let offset = 0; offset < length; ) {
      if (this.#used === this.#block.length) this.#refill()
      const piece = this.#block.subarray(this.#used, this.#used + length - offset)
      bytes.set(piece, offset)
      offset += piece.length
      this.#used += piece.length
    }
    return bytes
  }

  /** From 0 up to, never reaching, 1; 32 bits of resolution. */
  fraction(): number {
    if (this.#used + 4 > this.#block.length) this.#refill()
    const word = new DataView(this.#block.buffer, this.#block.byteOffset + this.#used, 4).getUint32(0)
    this.#used += 4
    return word / 2 ** 32
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** True with the probability `rate`; draws nothing for 0 and 1. */
  chance(rate: number): boolean {
    if (rate <= 0) return false
    return rate >= 1 || this.fraction() < rate
  }

  /** A copy of `items` in another order. */
  shuffle<T>(items: Iterable<T>): T[] {
    const mixed = [...items]
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      const moved = mixed[i]!
      mixed[i] = mixed[j]!
      mixed[j] = moved
    }
    return mixed
  }

  #refill(): void {
    this.#block = sha256(this.#seed, u64(this.#counter++))
    this.#used = 0
  }
}
