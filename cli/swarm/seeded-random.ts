/**
 * Randomness of a schedule: one stream for each seed and label, the same on every machine. Not for secrets. A part of the
 * schedule draws from a label of its own, so that one more fault does not move the messages.
 */

export class SeededRandom {
  #state: number

  constructor(seed: number, label: string) {
    // FNV-1a over seed and label: two labels give streams that have nothing in common.
    this.#state = 0x811c9dc5
    for (const byte of Buffer.from(`${seed}/${label}`)) this.#state = Math.imul(this.#state ^ byte, 0x01000193)
  }

  /** From 0 up to, never reaching, 1; 32 bits of resolution (splitmix32). */
  fraction(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    let mixed = this.#state ^ (this.#state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!
  }

  /** A copy in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const mixed = [...items]
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!]
    }
    return mixed
  }
}
