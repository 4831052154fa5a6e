/**
 * Every connection between processes of a swarm passes here: one listener for each process. The source address says who
 * dials, so a partition closes what crosses it and refuses what would; a delay holds every byte back for its time. What is
 * not of the swarm is refused.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { NetworkError } from '../../node/errors.ts'
import { type Loopback, SWARM_PORT } from './loopback.ts'
import type { Name } from './schedule.ts'

/** Bytes that wait in one direction of one connection until their delay is over; more push back. */
const MAX_WAITING_BYTES = 1024 * 1024

interface Pair {
  from: Name
  to: Name
  dialled: Socket
  onward: Socket
}

export class FaultProxy {
  /** Connections that were passed on, and that were refused for a partition. */
  readonly counts = { opened: 0, refused: 0 }
  readonly #loopback: Loopback
  readonly #delay: number
  readonly #servers: Server[] = []
  readonly #names = new Map<string, Name>()
  readonly #pairs = new Set<Pair>()
  readonly #cuts = new Map<object, readonly Name[]>()

  constructor(loopback: Loopback, delay: number) {
    this.#loopback = loopback
    this.#delay = delay
  }

  /** Listens for a process. @throws NetworkError `CANNOT_LISTEN` */
  async open(name: Name): Promise<void> {
    this.#names.set(this.#loopback.address(name), name)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(name, socket))
    const host = this.#loopback.proxied(name)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new NetworkError('CANNOT_LISTEN', `the proxy cannot listen on ${host}:${SWARM_PORT}`, { cause })),
      )
      server.listen({ host, port: SWARM_PORT }, resolve)
    })
    this.#servers.push(server)
  }

  /**
   * Cuts a group off from all others, until the key is healed.
   * @param key names the cut; several may hold at a time
   */
  cut(key: object, group: readonly Name[]): void {
    this.#cuts.set(key, group)
    for (const pair of this.#pairs) if (this.isCut(pair.from, pair.to)) reset(pair)
  }

  heal(key: object): void {
    this.#cuts.delete(key)
  }

  isCut(a: Name, b: Name): boolean {
    return [...this.#cuts.values()].some((group) => group.includes(a) !== group.includes(b))
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const pair of this.#pairs) reset(pair)
    await Promise.all(closed)
  }

  #accept(to: Name, dialled: Socket): void {
    dialled.on('error', () => dialled.destroy())
    const from = this.#names.get(dialled.remoteAddress ?? '')
    if (from === undefined || this.isCut(from, to)) {
      this.counts.refused += 1
      dialled.resetAndDestroy()
      return
    }
    this.counts.opened += 1
    const onward = connect({
      host: this.#loopback.address(to),
      port: SWARM_PORT,
      localAddress: this.#loopback.address(from),
      allowHalfOpen: true,
      noDelay: true,
    })
    const pair = { from, to, dialled, onward }
    this.#pairs.add(pair)
    for (const socket of [dialled, onward]) {
      socket.on('error', () => reset(pair))
      socket.on('close', (hadError) => {
        if (hadError) reset(pair)
        if (dialled.closed && onward.closed) this.#pairs.delete(pair)
      })
    }
    this.#join(dialled, onward)
    this.#join(onward, dialled)
  }

  #join(source: Socket, target: Socket): void {
    if (this.#delay === 0) source.pipe(target)
    else source.pipe(delayed(this.#delay)).pipe(target)
  }
}

function reset({ dialled, onward }: Pair): void {
  dialled.resetAndDestroy()
  onward.resetAndDestroy()
}

/** Passes every chunk on after a time, in order: timers of one length end in the order of their beginning. */
function delayed(ms: number): Transform {
  let waiting = 0
  let resume: (() => void) | undefined
  return new Transform({
    transform(chunk: Buffer, _, done) {
      waiting += chunk.length
      setTimeout(() => {
        waiting -= chunk.length
        if (!this.destroyed) this.push(chunk)
        resume?.()
        resume = undefined
      }, ms)
      if (waiting < MAX_WAITING_BYTES) done()
      else resume = done
    },
    flush(done) {
      setTimeout(done, ms)
    },
  })
}
