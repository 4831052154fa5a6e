/**
 * Who gives way when something of a server's is full (PROTOCOL 6): what the source holds that holds most, and only for a
 * source that holds clearly less. Sources are known in memory alone: after a restart all that was there counts as one.
 */

/** After a restart nobody remembers whence something came. */
export const UNKNOWN_SOURCE = ''

/** Things of one sort by the source prefix that brought them. */
export class FairShares<T> {
  readonly #bySource = new Map<string, Map<string, T>>()
  readonly #sources = new Map<string, string>()

  get size(): number {
    return this.#sources.size
  }

  sourceOf(name: string): string | undefined {
    return this.#sources.get(name)
  }

  /** Adds a thing, or gives it another value; it stays with the source that is known. */
  set(name: string, value: T, source: string): void {
    const known = this.#sources.get(name) ?? source
    this.#sources.set(name, known)
    const held = this.#bySource.get(known)
    if (held) held.set(name, value)
    else this.#bySource.set(known, new Map([[name, value]]))
  }

  delete(name: string): void {
    const source = this.#sources.get(name)
    if (source === undefined) return
    this.#sources.delete(name)
    const held = this.#bySource.get(source)!
    held.delete(name)
    if (held.size === 0) this.#bySource.delete(source)
  }

  /** What the source holds that holds most, oldest first; empty when there is nothing. */
  largest(): T[] {
    let most: Map<string, T> | undefined
    for (const held of this.#bySource.values()) if (!most || held.size > most.size) most = held
    return [...(most?.values() ?? [])]
  }

  /** The same, if that source would still hold as much as `asker` when one of them gave way to it; else empty. */
  largestFor(asker: string): T[] {
    const most = this.largest()
    const own = this.#bySource.get(asker)?.size ?? 0
    return most.length > own + 1 ? most : []
  }
}
