/** What a person's node is told when it is made, with what holds where nothing is said. */
import type { Problem } from '../api/service.ts'
import type { DirectMode } from '../delivery/direct-links.ts'
import type { TrustMode } from '../friendship/key-changes.ts'
import type { RequestPolicy } from '../friendship/request-box.ts'

export interface NodeOptions {
  /** Multiaddrs of the relays where this person reads mail, at most 4. */
  relays: readonly string[]
  /** `light` joins no gossip topic; `privacy` waits longer before it says anything. @default 'normal' */
  profile?: 'privacy' | 'normal' | 'light'
  /** Bits of the bucket topics: a parameter of the network. @default 2 */
  bucketBits?: number
  /** The home may be an older one or a copy: nothing leaves in sessions that are there now. @default false */
  isHomeChanged?: boolean
  /** What is wrong with the machine's part: the store. */
  problems?: () => Problem[]
  /** Whether friends write at this node itself, and this node at theirs. @default 'never' */
  direct?: DirectMode
  /** What happens when a friend's keys change: nothing is sent until they are accepted, or it is only told. @default 'pin' */
  trust?: TrustMode
  /** Who may ask to be a friend: who has an invite, or anybody who knows the ID. @default 'invite' */
  requests?: RequestPolicy
  /** 32-byte Ed25519 seed of the transport key, which signs receipts; without it the node serves no mailbox. */
  signingSeed?: Uint8Array
}

/** The options with every default filled in. */
export type Settings = Required<Omit<NodeOptions, 'signingSeed'>>

/** What the network uses at first (PROTOCOL 5). */
export const BUCKET_BITS = 2

export function settingsOf(options: NodeOptions): Settings {
  return {
    profile: 'normal',
    bucketBits: BUCKET_BITS,
    isHomeChanged: false,
    problems: () => [],
    direct: 'never',
    trust: 'pin',
    requests: 'invite',
    ...options,
  }
}
