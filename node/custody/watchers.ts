/** Which streams wait for mail at which address; bounded over all streams together. */
import { toHex } from '../crypto/bytes.ts'

export interface Watcher {
  arrived(address: Uint8Array): void
}

export class Watchers {
  readonly #max: number
  readonly #byAddress = new Map<string, Set<Watcher>>()
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  /** @returns false when there are too many */
  add(address: Uint8Array, watcher: Watcher): boolean {
    const name = toHex(address)
    const here = this.#byAddress.get(name) ?? new Set()
    if (here.has(watcher)) return true
    if (this.#count >= this.#max) return false
    this.#byAddress.set(name, here.add(watcher))
    this.#count++
    return true
  }

  remove(address: Uint8Array, watcher: Watcher): void {
    const name = toHex(address)
    const here = this.#byAddress.get(name)
    if (!here?.delete(watcher)) return
    this.#count--
    if (here.size === 0) this.#byAddress.delete(name)
  }

  arrived(address: Uint8Array): void {
    for (const watcher of this.#byAddress.get(toHex(address)) ?? []) watcher.arrived(address)
  }
}
