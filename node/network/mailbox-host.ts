/**
 * The serving end of mailbox streams (PROTOCOL 6): hands each frame to the node's LinkServer and writes the answers as
 * the peer takes them. Bounds: requests at work on one stream, answers waiting on all of them. Meaning is custody's.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { MAX_FRAME_BYTES, MAX_PIPELINED_REQUESTS } from '../limits.ts'
import type { Inbound, LinkServer, Logger } from '../ports.ts'
import { FrameStream } from './frame-stream.ts'
import { sourcePrefix } from './source-prefix.ts'

/** Answers that wait for slow readers, on all streams together; above it the slowest is cut off. */
export const MAX_WAITING_ANSWER_BYTES = 32 * 1024 * 1024

export interface MailboxHostInit {
  serve: Inbound['serve']
  logger: Logger
}

export class MailboxHost {
  readonly #init: MailboxHostInit
  /** Bytes of answers that wait, by stream. */
  readonly #waiting = new Map<FrameStream, number>()
  #waitingBytes = 0

  constructor(init: MailboxHostInit) {
    this.#init = init
  }

  /** Streams that are served now. */
  get size(): number {
    return this.#waiting.size
  }

  /** Takes over an inbound stream. */
  accept(stream: Stream, connection: Pick<Connection, 'remoteAddr'>): void {
    const server = this.#init.serve({ prefix: sourcePrefix(connection.remoteAddr) })
    if (server === undefined) {
      stream.abort(new Error('no mailboxes are served here'))
      return
    }
    let atWork = 0
    const frames: FrameStream = new FrameStream({
      stream,
      onFrame: (id, frame) => {
        atWork++
        if (atWork >= MAX_PIPELINED_REQUESTS) frames.hold()
        void this.#answer(server, frames, id, frame).finally(() => {
          atWork--
          if (atWork < MAX_PIPELINED_REQUESTS) frames.release()
        })
      },
      onClose: () => {
        this.#waitingBytes -= this.#waiting.get(frames) ?? 0
        this.#waiting.delete(frames)
        server.close()
      },
    })
    this.#waiting.set(frames, 0)
  }

  close(): void {
    for (const frames of this.#waiting.keys()) frames.abort('this node stops')
  }

  async #answer(server: LinkServer, frames: FrameStream, id: number, frame: Uint8Array): Promise<void> {
    try {
      const answer = await server.handle(frame)
      if (frames.isClosed) return
      if (answer.length > MAX_FRAME_BYTES) throw new RangeError(`answer of ${answer.length} bytes`)
      this.#count(frames, answer.length)
      this.#cutSlowest()
      await frames.send(id, answer).finally(() => this.#count(frames, -answer.length))
    } catch (error) {
      if (frames.isClosed) return
      this.#init.logger.error('a mailbox request failed', { error })
      frames.abort('request failed')
    }
  }

  #count(frames: FrameStream, bytes: number): void {
    const before = this.#waiting.get(frames)
    if (before === undefined) return
    this.#waiting.set(frames, before + bytes)
    this.#waitingBytes += bytes
  }

  #cutSlowest(): void {
    if (this.#waitingBytes <= MAX_WAITING_ANSWER_BYTES) return
    let slowest: FrameStream | undefined
    for (const [frames, bytes] of this.#waiting) {
      if (slowest === undefined || bytes > this.#waiting.get(slowest)!) slowest = frames
    }
    slowest?.abort('too many answers wait for this reader')
  }
}
