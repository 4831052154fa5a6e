/** What is still to happen in a simulation: a heap ordered by time, then by a seeded tie, then by insertion. */
import type { Timer } from '../../node/ports.ts'

/** Something that will happen; cancelled ones are skipped. */
export interface SimEvent {
  /** Virtual milliseconds since 1970. */
  readonly at: number
  readonly tie: number
  readonly order: number
  readonly run: () => void
  state: 'waiting' | 'cancelled' | 'taken'
}

/** Cancelled events are swept out when they are more than this and more than half. */
const SWEEP_FROM = 1024

export class EventQueue {
  #heap: SimEvent[] = []
  #order = 0
  #cancelled = 0

  /** Events that wait, those cancelled lately included. */
  get size(): number {
    return this.#heap.length
  }

  push(at: number, tie: number, run: () => void): Timer {
    const event: SimEvent = { at, tie, order: this.#order++, run, state: 'waiting' }
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
    return { cancel: () => this.#cancel(event) }
  }

  /** The next event, left where it is. */
  peek(): SimEvent | undefined {
    while (this.#heap[0]?.state === 'cancelled') {
      this.#removeFirst()
      this.#cancelled--
    }
    return this.#heap[0]
  }

  /** Takes the event that `peek` showed. */
  pop(): SimEvent | undefined {
    const event = this.peek()
    if (event === undefined) return undefined
    event.state = 'taken'
    this.#removeFirst()
    return event
  }

  #cancel(event: SimEvent): void {
    if (event.state !== 'waiting') return
    event.state = 'cancelled'
    this.#cancelled++
    if (this.#cancelled < SWEEP_FROM || this.#cancelled * 2 < this.#heap.length) return
    this.#heap = this.#heap.filter((each) => each.state === 'waiting').sort((a, b) => (before(a, b) ? -1 : 1))
    this.#cancelled = 0
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink()
  }

  #rise(from: number): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(this.#heap[index]!, this.#heap[parent]!)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #sink(): void {
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      let first = index
      for (const child of [left, left + 1]) {
        if (child < this.#heap.length && before(this.#heap[child]!, this.#heap[first]!)) first = child
      }
      if (first === index) return
      this.#swap(index, first)
      index = first
    }
  }

  #swap(a: number, b: number): void {
    const moved = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = moved
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  if (a.at !== b.at) return a.at < b.at
  return a.tie === b.tie ? a.order < b.order : a.tie < b.tie
}
