/** One started peer of the simulated network, and what links, gossip and the DHT ask of the whole. */
import type { Inbound } from '../../node/ports.ts'
import type { Incarnation } from './incarnation.ts'

export interface Endpoint {
  readonly life: Incarnation
  /** Multihash bytes. */
  readonly peerId: Uint8Array
  /** The peer ID as text. */
  readonly name: string
  readonly inbound: Inbound
  readonly topics: Set<string>
  /** Hashes of gossip envelopes seen, with the time of the first sight. */
  readonly seen: Map<string, number>
}

export interface Wire {
  /** All peers that are up, whoever can reach them, in the order of their starts. */
  endpoints(): Endpoint[]
  /** Whether a peer is started, neither stopped nor crashed since. */
  isUp(endpoint: Endpoint): boolean
  /** Whether what `a` sends arrives at `b`: both up, online and on the same side of every partition. */
  reaches(a: Endpoint, b: Endpoint): boolean
}
