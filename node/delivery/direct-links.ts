/**
 * Links to mailbox servers that are no relays (PROTOCOL 6): a friend's own node, at whichever of its addresses answers, and
 * the server in this process. What friends are told of this node, and whom it dials, is decided here by one setting.
 */
import { equal } from '../crypto/bytes.ts'
import { NetworkError } from '../errors.ts'
import { MAX_ADDRESS_BYTES, MAX_ADDRESSES } from '../limits.ts'
import type { Link, Network } from '../ports.ts'
import { isLocalAddress, isLocalPrefix } from '../local-address.ts'

/** `lan`: addresses of the local network alone; `always`: every address; `never`: none are told, dialled or served. */
export type DirectMode = 'lan' | 'always' | 'never'

/** Where a person's node is reached, as profiles and legs say it; nothing when it is not told. */
export interface Reach {
  peerId?: Uint8Array | undefined
  addresses?: string[] | undefined
}

/** The server in this process, among names of servers. */
export const OWN_SERVER = 'own'
/** In front of the addresses of a friend's node, among names of servers. */
const DIRECT = 'direct:'
/** A multiaddr holds no comma. */
const SEPARATOR = ','
const LOOPBACK = /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/i

/** Whether the name of a server is one of a relay: its multiaddr. */
export function isRelay(server: string): boolean {
  return server !== OWN_SERVER && !server.startsWith(DIRECT)
}

export interface DirectLinksInit {
  network: Network
  mode: DirectMode
  /** A link to the own server; undefined when none is run. */
  openOwn?: (() => Link) | undefined
}

export class DirectLinks {
  readonly #init: DirectLinksInit

  constructor(init: DirectLinksInit) {
    this.#init = init
  }

  /** What friends are told now. */
  told(): Reach {
    const { network, openOwn } = this.#init
    if (!openOwn) return {}
    const addresses = network.addresses().filter((address) => this.#isAllowed(address))
    if (addresses.length === 0) return {}
    // the loopback is for friends on the same machine: after all others
    const order = addresses.toSorted((a, b) => Number(LOOPBACK.test(a)) - Number(LOOPBACK.test(b)))
    return { peerId: network.peerId, addresses: order.slice(0, MAX_ADDRESSES) }
  }

  /** The name under which `connect` finds a friend's node; undefined when it is not to be dialled. */
  serverOf({ peerId, addresses }: Reach): string | undefined {
    if (!peerId || !addresses || equal(peerId, this.#init.network.peerId)) return undefined
    const usable = addresses.filter((address) => this.#isAllowed(address) && this.#leadsTo(address, peerId))
    return usable.length > 0 ? DIRECT + usable.join(SEPARATOR) : undefined
  }

  /** Whether a caller is served. */
  admits(prefix: string): boolean {
    const { mode } = this.#init
    return mode === 'always' || (mode === 'lan' && isLocalPrefix(prefix))
  }

  /**
   * As `Network.connect`, for any name of a server.
   * @throws NetworkError `UNREACHABLE` or `TIMED_OUT`; UsageError `BAD_ADDRESS`
   */
  async connect(server: string): Promise<Link> {
    const { network, openOwn } = this.#init
    if (server === OWN_SERVER && openOwn) return openOwn()
    let problem: NetworkError | undefined
    for (const address of addressesOf(server)) {
      try {
        return await network.connect(address)
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
        problem = error
      }
    }
    throw problem ?? new NetworkError('UNREACHABLE', 'there is no address')
  }

  /** As `Network.serverId`, for any name of a server. */
  serverId(server: string): Uint8Array {
    const { network } = this.#init
    return server === OWN_SERVER ? network.peerId : network.serverId(addressesOf(server)[0]!)
  }

  #isAllowed(address: string): boolean {
    const { mode } = this.#init
    if (address.length > MAX_ADDRESS_BYTES || address.includes(SEPARATOR)) return false
    return mode === 'always' || (mode === 'lan' && isLocalAddress(address))
  }

  #leadsTo(address: string, peerId: Uint8Array): boolean {
    try {
      return equal(this.#init.network.serverId(address), peerId)
    } catch {
      return false
    }
  }
}

function addressesOf(server: string): string[] {
  return (server.startsWith(DIRECT) ? server.slice(DIRECT.length) : server).split(SEPARATOR)
}
