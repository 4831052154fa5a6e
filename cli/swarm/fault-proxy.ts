/**
 * Every connection between processes of a swarm passes here: one listener for each process. The source address says who
 * dials, so a partition closes what crosses it and refuses what would, or, when it is silent, swallows both; links can be
 * slow, lossy and break. What is not of the swarm is refused.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { NetworkError } from '../../node/errors.ts'
import { FaultyLine, type LinkState } from './faulty-line.ts'
import { type Loopback, SWARM_PORT } from './loopback.ts'
import { type DelayRange, RATES, type RateName } from './options.ts'
import type { Fault, Name } from './schedule.ts'
import { SeededRandom } from './seeded-random.ts'

/** What the proxy does of a fault. */
export type LinkFault = Pick<Fault, 'kind' | 'groups' | 'silent' | 'rate'>

interface Pair {
  from: Name
  to: Name
  ends: Socket[]
  lines: FaultyLine[]
  /** Bytes of it were swallowed: what follows would be read as something else, so nothing passes any more. */
  isHollow: boolean
}

export interface FaultProxyInit {
  loopback: Loopback
  delayMs: DelayRange
  seed: number
}

export class FaultProxy {
  /**
   * Connections that were passed on, that were refused for a partition, and that a silent one swallowed or emptied; chunks
   * that were lost at first, that broke their connection, and at which one stood still.
   */
  readonly counts = { opened: 0, refused: 0, swallowed: 0, lost: 0, broken: 0, stalled: 0 }
  readonly #loopback: Loopback
  readonly #seed: number
  readonly #link: LinkState
  readonly #servers: Server[] = []
  readonly #names = new Map<string, Name>()
  readonly #pairs = new Set<Pair>()
  readonly #faults = new Map<object, LinkFault>()
  /** By who dials whom: so that the draws of one pair are its own. */
  readonly #dials = new Map<string, number>()

  constructor({ loopback, delayMs, seed }: FaultProxyInit) {
    this.#loopback = loopback
    this.#seed = seed
    this.#link = { delayMs, loss: 0, breaks: 0, stalls: 0 }
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
   * Begins a fault of links, until the key is healed. Of several partitions each holds; of several rates the highest.
   * @param key names the fault
   */
  strike(key: object, fault: LinkFault): void {
    this.#faults.set(key, fault)
    this.#weigh()
    for (const pair of this.#pairs) if (this.#stateOf(pair) === 'cut') reset(pair)
  }

  heal(key: object): void {
    this.#faults.delete(key)
    this.#weigh()
  }

  /** Whether bytes pass between two processes: `cut` is told to both, `silent` to nobody. */
  between(a: Name, b: Name): 'open' | 'cut' | 'silent' {
    const across = [...this.#faults.values()].filter(
      ({ groups }) => groups !== undefined && groups[0].includes(a) !== groups[0].includes(b),
    )
    if (across.length === 0) return 'open'
    return across.every(({ silent }) => silent === true) ? 'silent' : 'cut'
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const pair of this.#pairs) reset(pair)
    await Promise.all(closed)
  }

  #weigh(): void {
    const highest = (rate: RateName): number =>
      Math.max(0, ...[...this.#faults.values()].map((fault) => (fault.kind === rate ? fault.rate! : 0)))
    for (const rate of RATES) this.#link[rate] = highest(rate)
  }

  #stateOf({ from, to }: Pair): ReturnType<FaultProxy['between']> {
    return this.between(from, to)
  }

  #accept(to: Name, dialled: Socket): void {
    dialled.on('error', () => dialled.destroy())
    const from = this.#names.get(dialled.remoteAddress ?? '')
    if (from === undefined || this.between(from, to) === 'cut') {
      this.counts.refused += 1
      dialled.resetAndDestroy()
      return
    }
    const pair: Pair = { from, to, ends: [dialled], lines: [], isHollow: false }
    this.#pairs.add(pair)
    if (this.between(from, to) === 'silent') return this.#swallow(pair, dialled)
    this.counts.opened += 1
    const onward = connect({
      host: this.#loopback.address(to),
      port: SWARM_PORT,
      localAddress: this.#loopback.address(from),
      allowHalfOpen: true,
      noDelay: true,
    })
    pair.ends.push(onward)
    for (const socket of pair.ends) {
      socket.on('error', () => this.#lose(pair))
      socket.on('close', (hadError) => {
        if (hadError) this.#lose(pair)
        this.#forgetIfClosed(pair)
      })
    }
    const number = (this.#dials.get(`${from} ${to}`) ?? 0) + 1
    this.#dials.set(`${from} ${to}`, number)
    pair.lines.push(
      this.#join(pair, dialled, onward, `${number} there`),
      this.#join(pair, onward, dialled, `${number} back`),
    )
  }

  #join(pair: Pair, source: Socket, target: Socket, label: string): FaultyLine {
    return new FaultyLine({
      source,
      target,
      random: new SeededRandom(this.#seed, `link ${pair.from} ${pair.to} ${label}`),
      state: () => this.#link,
      passes: () => this.#passes(pair),
      reset: () => reset(pair),
      counts: this.counts,
    })
  }

  /** Nobody answers, and nobody refuses. */
  #swallow(pair: Pair, dialled: Socket): void {
    this.#empty(pair)
    dialled.on('data', () => void this.#passes(pair))
    dialled.on('end', () => dialled.end())
    dialled.on('close', () => this.#forgetIfClosed(pair))
  }

  /** Whether what is here now may go on. Who speaks on an emptied connection when the silence is over is told so by a reset. */
  #passes(pair: Pair): boolean {
    const state = this.#stateOf(pair)
    if (state === 'silent') this.#empty(pair)
    else if (pair.isHollow) reset(pair)
    return state === 'open' && !pair.isHollow
  }

  #empty(pair: Pair): void {
    if (!pair.isHollow) this.counts.swallowed += 1
    pair.isHollow = true
  }

  /** One end is gone; the other one hears of it unless a silent partition lies between. */
  #lose(pair: Pair): void {
    if (this.#stateOf(pair) === 'silent') this.#empty(pair)
    else reset(pair)
  }

  #forgetIfClosed(pair: Pair): void {
    if (pair.ends.every(({ closed }) => closed)) this.#pairs.delete(pair)
  }
}

function reset({ ends, lines }: Pair): void {
  for (const line of lines) line.close()
  for (const end of ends) end.resetAndDestroy()
}
