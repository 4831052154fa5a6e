/** Frames of the local API: one JSON text a line, ended by `\n`. Bytes come in any pieces; a line is bounded. */
import { PeerError } from '../errors.ts'

const NEWLINE = 0x0a

/** Cuts a stream of bytes into lines, without the newline; empty lines are left out. */
export class LineSplitter {
  readonly #maxBytes: number
  #pieces: Uint8Array[] = []
  #length = 0

  /** @param maxBytes longest line, newline not counted */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The lines that are complete now.
   * @throws PeerError `FRAME_TOO_LONG`, or `NOT_UTF8`; nothing more can be read after it
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      this.#take(chunk.subarray(start, end === -1 ? chunk.length : end))
      if (end === -1) return lines
      const line = this.#line()
      if (line.trim() !== '') lines.push(line)
      start = end + 1
    }
  }

  #take(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#length += piece.length
    if (this.#length > this.#maxBytes) {
      throw new PeerError('FRAME_TOO_LONG', `a line has at most ${this.#maxBytes} bytes`)
    }
    this.#pieces.push(piece)
  }

  #line(): string {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length)
    this.#pieces = []
    this.#length = 0
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch (cause) {
      throw new PeerError('NOT_UTF8', 'a line is UTF-8', { cause })
    }
  }
}
