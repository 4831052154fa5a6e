/**
 * Server-sent events out of pieces of text (WHATWG HTML, section 9.2.6): fields `id`, `event`, `data`; comments keep
 * the line open and say nothing.
 */

export interface ServerSentEvent {
  /** The last `id` so far; empty before the first. */
  id: string
  /** `message` when the server names none. */
  event: string
  data: string
}

/** More than this without an end of line is no event of ours. */
const MAX_LINE = 4_000_000

export class SseParser {
  #rest = ''
  #id = ''
  #event = ''
  #data: string[] = []

  /** The events that a piece completes. @throws RangeError when a line is too long */
  push(piece: string): ServerSentEvent[] {
    const lines = (this.#rest + piece).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > MAX_LINE) throw new RangeError(`expected a line of at most ${MAX_LINE} characters`)
    return lines.flatMap((line) => this.#take(line.endsWith('\r') ? line.slice(0, -1) : line))
  }

  #take(line: string): ServerSentEvent[] {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    return []
  }

  #dispatch(): ServerSentEvent[] {
    const data = this.#data
    const event = this.#event === '' ? 'message' : this.#event
    this.#data = []
    this.#event = ''
    return data.length === 0 ? [] : [{ id: this.#id, event, data: data.join('\n') }]
  }
}
