/**
 * The trace of a simulation: one SHA-256 over all that crossed a port, in order, with the virtual time. Two runs that
 * did the same have the same hash; the last lines are kept for reading when a run fails.
 */
import { createHash } from 'node:crypto'

/** What is hashed of an argument. */
export type TracePart = Uint8Array | string | number | undefined

/** Lines kept for people. */
const MAX_RECENT_LINES = 40

export class Trace {
  readonly #hash = createHash('sha256')
  readonly #recent: string[] = []
  /** Lines so far. */
  count = 0
  /** All lines with the length and start of their bytes, when asked for: to compare two runs that should be equal. */
  readonly lines: string[] | undefined

  /** @param record whether all lines are kept @default false */
  constructor(record = false) {
    this.lines = record ? [] : undefined
  }

  add(at: number, what: string, parts: readonly TracePart[] = []): void {
    this.count++
    const line = `${at} ${what}`
    this.#hash.update(`\n${line} ${parts.length}`)
    for (const part of parts) {
      if (part instanceof Uint8Array) this.#hash.update(` b${part.length}:`).update(part)
      else this.#hash.update(` ${typeof part} ${String(part).length}:${String(part)}`)
    }
    if (this.#recent.length >= MAX_RECENT_LINES) this.#recent.shift()
    this.#recent.push(line)
    this.lines?.push([line, ...parts.map(shown)].join(' '))
  }

  /** Hexadecimal hash of everything so far. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }

  /** The last lines, oldest first. */
  recent(): string {
    return this.#recent.join('\n')
  }
}

function shown(part: TracePart): string {
  if (!(part instanceof Uint8Array)) return String(part)
  return `${part.length}:${Buffer.from(part.subarray(0, 8)).toString('hex')}`
}
