/**
 * A mailbox stream of the simulated network. Like one over TCP it loses nothing in the middle: frames arrive in order,
 * and where one is lost the link is dead from there on, silently until both ends notice.
 */
import { MAX_FRAME_BYTES, MAX_PIPELINED_REQUESTS } from '../../node/limits.ts'
import { NetworkError } from '../../node/errors.ts'
import type { Link, LinkServer, Timer } from '../../node/ports.ts'
import type { Engine } from './engine.ts'
import type { Endpoint, Wire } from './sim-endpoint.ts'

/** Longest time until an end notices that the other is gone. */
export const MAX_NOTICE_MS = 30_000

interface Call {
  resolve: (answer: Uint8Array) => void
  reject: (error: Error) => void
  timer: Timer | undefined
}

/** One direction: deliveries wait in order, so that two of one instant cannot overtake. */
interface Pipe {
  waiting: (() => void)[]
  lastAt: number
}

export class SimLink {
  readonly client: Endpoint
  readonly server: Endpoint
  readonly #engine: Engine
  readonly #wire: Wire
  readonly #serving: LinkServer
  readonly #there: Pipe = { waiting: [], lastAt: 0 }
  readonly #back: Pipe = { waiting: [], lastAt: 0 }
  readonly #calls = new Map<number, Call>()
  readonly #listeners: (() => void)[] = []
  readonly #requests: { id: number; frame: Uint8Array }[] = []
  #nextCall = 0
  #working = 0
  #lost = false
  #clientOpen = true
  #serverOpen = true

  constructor(engine: Engine, wire: Wire, client: Endpoint, server: Endpoint, serving: LinkServer) {
    this.#engine = engine
    this.#wire = wire
    this.client = client
    this.server = server
    this.#serving = serving
  }

  /** Whether an end is still open. */
  get open(): boolean {
    return this.#clientOpen || this.#serverOpen
  }

  /** The client's end. */
  port(): Link {
    const { life } = this.client
    return {
      peerId: this.server.peerId.slice(),
      call: (frame, timeoutMs) =>
        life.call('link.call', [this.server.name, frame, timeoutMs], () =>
          this.#call(new Uint8Array(frame), timeoutMs),
        ),
      onClose: (listener) => {
        if (this.#clientOpen) this.#listeners.push(listener)
        else life.after(0, listener)
      },
      close: () => {
        if (life.alive) this.closeClient()
      },
    }
  }

  /** Everything sent from now on is lost; each end notices within `MAX_NOTICE_MS`. */
  lose(): void {
    if (this.#lost) return
    this.#lost = true
    this.#engine.faults.broken++
    this.#engine.schedule(this.#notice(), () => this.#endClient())
    this.#engine.schedule(this.#notice(), () => this.#endServer())
  }

  /** The client closes; the server is told, behind what was sent before. */
  closeClient(): void {
    if (!this.#clientOpen) return
    this.#endClient()
    this.#send(this.#there, this.client, this.server, () => this.#endServer())
  }

  /** The server closes; the client is told. */
  closeServer(): void {
    if (!this.#serverOpen) return
    this.#endServer()
    this.#send(this.#back, this.server, this.client, () => this.#endClient())
  }

  // Half of the broken connections are reset at once, the others found dead by a keep-alive.
  #notice(): number {
    return this.#engine.random.chance(0.5) ? this.#engine.delay() : this.#engine.random.int(0, MAX_NOTICE_MS)
  }

  #call(frame: Uint8Array, timeoutMs: number | undefined): Promise<Uint8Array> {
    const { life } = this.client
    return life.promise((resolve, reject) => {
      if (!this.#clientOpen) return reject(closed())
      const id = this.#nextCall++
      const timer = timeoutMs === undefined ? undefined : life.after(timeoutMs, () => this.#timeOut(id, timeoutMs))
      this.#calls.set(id, { resolve, reject, timer })
      this.#send(this.#there, this.client, this.server, () => this.#arrive(id, frame))
    })
  }

  #arrive(id: number, frame: Uint8Array): void {
    if (!this.#serverOpen) return
    if (frame.length > MAX_FRAME_BYTES) return this.closeServer()
    this.#requests.push({ id, frame })
    this.#work()
  }

  /** A server works on a bounded number of requests and reads no further meanwhile. */
  #work(): void {
    while (this.#working < MAX_PIPELINED_REQUESTS) {
      const request = this.#requests.shift()
      if (request === undefined) return
      this.#working++
      const { life } = this.server
      life.trace('serve.handle', [this.client.name, request.frame])
      new Promise<Uint8Array>((resolve) => resolve(this.#serving.handle(request.frame))).then(
        (answer) => this.#answer(request.id, new Uint8Array(answer)),
        (error: unknown) => {
          if (life.alive) this.#engine.fail(error)
        },
      )
    }
  }

  #answer(id: number, answer: Uint8Array): void {
    this.#working--
    if (!this.server.life.alive || !this.#serverOpen) return
    this.#work()
    this.#send(this.#back, this.server, this.client, () => {
      const call = this.#calls.get(id)
      if (call === undefined) return
      if (answer.length > MAX_FRAME_BYTES) return this.closeClient()
      this.#calls.delete(id)
      call.timer?.cancel()
      call.resolve(answer)
    })
  }

  #timeOut(id: number, timeoutMs: number): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    call?.reject(new NetworkError('TIMED_OUT', `no answer within ${timeoutMs} ms`))
  }

  #send(pipe: Pipe, from: Endpoint, to: Endpoint, deliver: () => void): void {
    if (this.#lost) return
    if (!this.#wire.reaches(from, to)) {
      this.#engine.faults.unreachable++
      return this.lose()
    }
    if (this.#engine.random.chance(this.#engine.rates.breakRate)) return this.lose()
    pipe.waiting.push(deliver)
    pipe.lastAt = Math.max(pipe.lastAt, this.#engine.now + this.#engine.delay())
    this.#engine.schedule(pipe.lastAt - this.#engine.now, () => {
      const next = pipe.waiting.shift()
      if (!this.#lost && to.life.alive) next?.()
    })
  }

  #endClient(): void {
    if (!this.#clientOpen) return
    this.#clientOpen = false
    for (const call of this.#calls.values()) {
      call.timer?.cancel()
      call.reject(closed())
    }
    this.#calls.clear()
    for (const listener of this.#listeners) this.client.life.after(0, listener)
  }

  #endServer(): void {
    if (!this.#serverOpen) return
    this.#serverOpen = false
    this.#requests.length = 0
    if (this.server.life.alive) this.#serving.close()
  }
}

function closed(): NetworkError {
  return new NetworkError('LINK_CLOSED', 'the link is closed')
}
