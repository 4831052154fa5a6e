/**
 * Names on the simulated network: real Ed25519 peer IDs (identity multihash of the protobuf of the key) and multiaddrs
 * of a private range, a prefix of its own for each host.
 */
import { base58 } from '@scure/base'
import { toHex } from '../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../node/crypto/ed25519.ts'
import { UsageError } from '../../node/errors.ts'
import { peerIdOf, peerIdPublicKey } from '../../node/wire/peer-id.ts'

export interface Host {
  /** For example `10.1.2.1`. */
  ip: string
  /** What a mailbox server is told of a caller from here. */
  prefix: string
}

/** Host number `index`, from 0 to 65,535. */
export function hostOf(index: number): Host {
  const network = `10.${(index >> 8) & 255}.${index & 255}`
  return { ip: `${network}.1`, prefix: `${network}.0/24` }
}

// worlds are many and their names few: what was worked out once is kept
const peerIds = new Map<string, Uint8Array>()
const parsed = new Map<string, PeerAddress>()

/** Multihash bytes, 38, of the peer ID that a 32-byte seed gives. */
export function peerIdOfSeed(seed: Uint8Array): Uint8Array {
  const name = toHex(seed)
  const peerId = peerIds.get(name) ?? peerIdOf(ed25519KeyPair(seed).public)
  peerIds.set(name, peerId)
  return peerId.slice()
}

/** The peer ID as people write it: `12D3KooW…`. */
export function peerIdText(peerId: Uint8Array): string {
  return base58.encode(peerId)
}

/** Where a peer listens on a host. */
export function multiaddrOf(host: Host, peerId: Uint8Array): string {
  return `/ip4/${host.ip}/tcp/4001/p2p/${peerIdText(peerId)}`
}

/** What a multiaddr says. */
export interface PeerAddress {
  /** Absent for an address that leads nowhere in a simulation, such as a DNS name. */
  ip: string | undefined
  /** A copy of its own for each caller. */
  peerId: Uint8Array
}

/** @throws UsageError `BAD_ADDRESS` */
export function parseMultiaddr(address: string): PeerAddress {
  const known = parsed.get(address) ?? parse(address)
  parsed.set(address, known)
  return { ...known, peerId: known.peerId.slice() }
}

function parse(address: string): PeerAddress {
  const parts = /^(?:\/ip4\/([0-9.]+)\/tcp\/\d+|(?:\/[a-z0-9-]+\/[^/]+)+)\/p2p\/([1-9A-HJ-NP-Za-km-z]+)$/.exec(address)
  const peerId = parts === null ? undefined : decodePeerId(parts[2]!)
  if (peerId === undefined) throw new UsageError('BAD_ADDRESS', 'expected a multiaddr that ends in /p2p/ and a peer ID')
  return { ip: parts?.[1], peerId }
}

function decodePeerId(name: string): Uint8Array | undefined {
  try {
    const bytes = base58.decode(name)
    peerIdPublicKey(bytes)
    return bytes
  } catch {
    return undefined // not base58, or not the peer ID of an Ed25519 key
  }
}
