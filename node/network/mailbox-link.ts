/** The calling end of a mailbox stream (PROTOCOL 6): pipelined calls, matched to answers by correlation id. */
import type { Stream } from '@libp2p/interface'
import { InternalError, NetworkError } from '../errors.ts'
import { MAX_FRAME_BYTES } from '../limits.ts'
import type { Link } from '../ports.ts'
import { FrameStream } from './frame-stream.ts'

interface Call {
  resolve(answer: Uint8Array): void
  reject(error: Error): void
  timer: NodeJS.Timeout | undefined
}

export class MailboxLink implements Link {
  readonly peerId: Uint8Array
  readonly #frames: FrameStream
  readonly #calls = new Map<number, Call>()
  #listeners: (() => void)[] = []
  #nextId = 0

  /** @param peerId multihash bytes of the authenticated peer */
  constructor(stream: Stream, peerId: Uint8Array) {
    this.peerId = peerId
    this.#frames = new FrameStream({
      stream,
      onFrame: (id, answer) => this.#onAnswer(id, answer),
      onClose: () => this.#onClose(),
    })
  }

  call(frame: Uint8Array, timeoutMs?: number): Promise<Uint8Array> {
    if (frame.length > MAX_FRAME_BYTES) {
      return Promise.reject(
        new InternalError('FRAME_TOO_LARGE', `expected at most ${MAX_FRAME_BYTES} bytes, got ${frame.length}`),
      )
    }
    if (this.#frames.isClosed) return Promise.reject(linkClosed())
    const id = this.#nextId
    this.#nextId = (id + 1) % 2 ** 32
    return new Promise((resolve, reject) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.#onTimeout(id, timeoutMs), timeoutMs)
      this.#calls.set(id, { resolve, reject, timer })
      // A failed write closes the stream, and that rejects every call.
      this.#frames.send(id, frame, () => this.#calls.has(id)).catch(() => this.close())
    })
  }

  onClose(listener: () => void): void {
    if (this.#frames.isClosed) queueMicrotask(listener)
    else this.#listeners.push(listener)
  }

  close(): void {
    this.#frames.abort('closed')
  }

  #onAnswer(id: number, answer: Uint8Array): void {
    // An unknown id is an answer that came after its call had timed out.
    this.#take(id)?.resolve(answer)
  }

  #onTimeout(id: number, timeoutMs: number): void {
    this.#take(id)?.reject(new NetworkError('TIMED_OUT', `no answer within ${timeoutMs} ms`))
  }

  #onClose(): void {
    for (const id of this.#calls.keys()) this.#take(id)?.reject(linkClosed())
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    clearTimeout(call?.timer)
    return call
  }
}

function linkClosed(): NetworkError {
  return new NetworkError('LINK_CLOSED', 'the link is closed')
}
