/**
 * Frames on a libp2p stream, with back-pressure both ways (PROTOCOL 6): u32 length || u32 correlation id || frame, both
 * numbers big-endian, the length counting the id and the frame. What a frame means is for the link and the host.
 *
 * Traps of the library that this file answers:
 * - A reader that does not pause queues without bound; lpStream aborts at 4 MiB. Here `hold` pauses the stream.
 * - `pause()` inside a 'message' event that `resume()` set off is undone. Here it is called from a microtask.
 * - `stream.onDrain()` keeps its first promise for ever, so that from the second wait on it returns at once.
 */
import type { Stream } from '@libp2p/interface'
import { concat, readUint, u32 } from '../crypto/bytes.ts'
import { PeerError } from '../errors.ts'
import { MAX_FRAME_BYTES } from '../limits.ts'

const ID_BYTES = 4
const HEADER_BYTES = 4 + ID_BYTES
/** A frame that has begun must be complete by then. */
const FRAME_TIMEOUT_MS = 60_000
/** A writer that nothing is taken from for this long gives up. */
const STALL_TIMEOUT_MS = 60_000
/** Bytes that may wait in the stream before a writer waits. */
const WRITE_AHEAD_BYTES = 64 * 1024
const IDLE_BUFFER_BYTES = 64 * 1024

export interface FrameStreamInit {
  stream: Stream
  /** A whole frame; the bytes are the receiver's. May call `hold`. */
  onFrame(id: number, frame: Uint8Array): void
  /** Once, whoever closed. */
  onClose(): void
  /** @default 60 seconds */
  frameTimeoutMs?: number
  /** @default 60 seconds */
  stallTimeoutMs?: number
}

export class FrameStream {
  readonly #stream: Stream
  readonly #init: FrameStreamInit
  #buffer = new Uint8Array(0)
  #filled = 0
  #isHeld = false
  #isClosed = false
  #isPumpDue = false
  #lateFrame: NodeJS.Timeout | undefined
  #writes: Promise<void> = Promise.resolve()

  /** Must be made in the same tick in which the stream was handed over: without a listener it is reset. */
  constructor(init: FrameStreamInit) {
    this.#init = init
    this.#stream = init.stream
    this.#stream.addEventListener('message', (event) => this.#onMessage(event.data.subarray()))
    this.#stream.addEventListener('close', () => this.#onClose())
    // A link is used both ways or not at all: a peer that will send no more is gone.
    this.#stream.addEventListener('remoteCloseWrite', () => this.abort('closed by the other side'))
    if (this.#stream.status !== 'open') queueMicrotask(() => this.#onClose())
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Stops handing out frames; what the peer may still send is bounded by the receive window. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#schedulePump()
  }

  /**
   * Writes one frame after those that wait; resolves when the stream has room again.
   * @param isWanted asked when its turn comes
   * @throws PeerError `LINK_ABORTED` when the stream is closed before
   */
  send(id: number, frame: Uint8Array, isWanted: () => boolean = () => true): Promise<void> {
    const turn = this.#writes.then(() => (isWanted() ? this.#write(id, frame) : undefined))
    this.#writes = turn.catch(() => undefined)
    return turn
  }

  abort(reason: string): void {
    this.#stream.abort(new PeerError('LINK_ABORTED', reason))
    this.#onClose()
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#lateFrame)
    this.#buffer = new Uint8Array(0)
    this.#filled = 0
    this.#init.onClose()
  }

  // ---- reading ----

  #onMessage(bytes: Uint8Array): void {
    if (this.#isClosed) return
    const needed = this.#filled + bytes.length
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(2 * this.#buffer.length, HEADER_BYTES + MAX_FRAME_BYTES)))
      grown.set(this.#buffer.subarray(0, this.#filled))
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.#filled)
    this.#filled = needed
    this.#schedulePump()
  }

  #schedulePump(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      if (!this.#isClosed) this.#pump()
    })
  }

  #pump(): void {
    let offset = 0
    while (!this.#isHeld && !this.#isClosed && this.#filled - offset >= 4) {
      const length = readUint(this.#buffer, offset, 4)
      if (length < ID_BYTES || length > ID_BYTES + MAX_FRAME_BYTES) return this.abort(`frame of ${length} bytes`)
      if (this.#filled - offset < 4 + length) break
      const id = readUint(this.#buffer, offset + 4, ID_BYTES)
      const frame = this.#buffer.slice(offset + HEADER_BYTES, offset + 4 + length)
      offset += 4 + length
      this.#init.onFrame(id, frame)
    }
    if (this.#isClosed) return
    this.#discard(offset)
    this.#watchFrame(offset > 0)
    if (this.#isHeld && this.#stream.readStatus === 'readable') this.#stream.pause()
    else if (!this.#isHeld && this.#stream.readStatus === 'paused') this.#stream.resume()
  }

  #discard(bytes: number): void {
    if (bytes === 0) return
    this.#buffer.copyWithin(0, bytes, this.#filled)
    this.#filled -= bytes
    if (this.#filled === 0 && this.#buffer.length > IDLE_BUFFER_BYTES) this.#buffer = new Uint8Array(0)
  }

  /** The clock runs while a frame is incomplete and we are reading. */
  #watchFrame(isNewFrame: boolean): void {
    const isWaiting = this.#filled > 0 && !this.#isHeld
    if (this.#lateFrame !== undefined && (isNewFrame || !isWaiting)) {
      clearTimeout(this.#lateFrame)
      this.#lateFrame = undefined
    }
    if (!isWaiting || this.#lateFrame !== undefined) return
    this.#lateFrame = setTimeout(
      () => this.abort('a frame did not arrive in time'),
      this.#init.frameTimeoutMs ?? FRAME_TIMEOUT_MS,
    )
  }

  // ---- writing ----

  async #write(id: number, frame: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new PeerError('LINK_ABORTED', 'the link is closed')
    this.#stream.send(concat(u32(ID_BYTES + frame.length), u32(id), frame))
    while (this.#stream.writeBufferLength > WRITE_AHEAD_BYTES) await this.#drained()
  }

  #drained(): Promise<void> {
    const stream = this.#stream
    return new Promise((resolve, reject) => {
      const stalled = setTimeout(
        () => this.abort('the other side does not read'),
        this.#init.stallTimeoutMs ?? STALL_TIMEOUT_MS,
      )
      const settle = (): void => {
        clearTimeout(stalled)
        for (const event of ['drain', 'idle', 'close'] as const) stream.removeEventListener(event, settle)
        if (stream.status === 'open') resolve()
        else reject(new PeerError('LINK_ABORTED', 'the link was closed while writing'))
      }
      for (const event of ['drain', 'idle', 'close'] as const) stream.addEventListener(event, settle)
    })
  }
}
