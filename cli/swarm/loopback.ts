/**
 * Addresses of a swarm. The machine's whole 127.0.0.0/8 is loopback (on Linux), so that every process has an address of
 * its own, in a /24 of its own: 127.S.n.1, where S is the swarm's. What is dialled as 127.S.n.1 arrives at the proxy, which
 * listens on 127.(S+1).n.1 for it (egress.ts turns it there).
 */
import { createServer, type Server } from 'node:net'
import { NetworkError, UsageError } from '../../node/errors.ts'
import { MAX_NODES } from './options.ts'
import type { Name } from './schedule.ts'

/** The port of every process, each at its own address. */
export const SWARM_PORT = 4301
const FIRST = 64
const LAST = 126
const OWN_HOST = 1

/** The place of one swarm on the loopback interface, held until it is closed. */
export class Loopback {
  readonly subnet: number
  /** Holds the place: nobody else can listen at its address. */
  readonly #door: Server

  private constructor(subnet: number, door: Server) {
    this.subnet = subnet
    this.#door = door
  }

  /**
   * Takes a free place, or the given one.
   * @param wanted S, an even number from 64 to 126
   * @throws NetworkError `SWARM_TAKEN`; UsageError where the loopback interface has one address only
   */
  static async take(wanted?: number): Promise<Loopback> {
    if (process.platform !== 'linux') {
      throw new UsageError('USAGE', 'a swarm needs Linux', { hint: 'it uses the addresses 127.x.y.1 and /proc' })
    }
    if (wanted !== undefined && !(wanted >= FIRST && wanted <= LAST && wanted % 2 === 0)) {
      throw new UsageError('USAGE', `subnet: expected an even number from ${FIRST} to ${LAST}, got ${wanted}`, {
        hint: 'leave it out, and a free one is taken',
      })
    }
    for (let subnet = wanted ?? FIRST; subnet <= (wanted ?? LAST); subnet += 2) {
      const door = await listen(`127.${subnet + 1}.0.${OWN_HOST}`)
      if (door !== undefined) return new Loopback(subnet, door)
    }
    const taken = wanted === undefined ? 'all addresses of swarms are' : `127.${wanted}.0.0/16 is`
    throw new NetworkError('SWARM_TAKEN', `${taken} taken`, { hint: 'another swarm runs; stop it first' })
  }

  /** Where a process listens, and where its connections come from. */
  address(name: Name): string {
    return `127.${this.subnet}.${place(name)}.${OWN_HOST}`
  }

  /** Where the proxy listens for it. */
  proxied(name: Name): string {
    return `127.${this.subnet + 1}.${place(name)}.${OWN_HOST}`
  }

  /** Multiaddr without peer ID. */
  multiaddr(name: Name): string {
    return `/ip4/${this.address(name)}/tcp/${SWARM_PORT}`
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#door.close(resolve))
  }
}

/** n1 to n200 are 1 to 200, r1 to r20 above them. */
function place(name: Name): number {
  return (name.startsWith('r') ? MAX_NODES : 0) + Number(name.slice(1))
}

async function listen(host: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  const isTaken = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(true))
    server.listen({ host, port: SWARM_PORT }, () => resolve(false))
  })
  return isTaken ? undefined : server
}
