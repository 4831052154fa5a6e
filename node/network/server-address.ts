/** Multiaddrs of mailbox servers: text that ends in `/p2p/…`, and what it says. Dialling them is the network's. */
import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { UsageError } from '../errors.ts'

/** Longest text that is parsed; what records may hold is shorter. */
const MAX_TEXT = 512

export interface ServerAddress {
  address: Multiaddr
  peerId: PeerId
}

/** @throws UsageError `BAD_ADDRESS` */
export function parseServerAddress(text: string): ServerAddress {
  if (text.length > MAX_TEXT) throw badAddress(`expected at most ${MAX_TEXT} characters, got ${text.length}`)
  try {
    const address = multiaddr(text)
    const last = address.getComponents().at(-1)
    if (last?.name !== 'p2p' || last.value === undefined) throw badAddress('expected a multiaddr that ends in /p2p/…')
    return { address, peerId: peerIdFromString(last.value) }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw badAddress('expected a multiaddr that ends in /p2p/…', error)
  }
}

function badAddress(message: string, cause?: unknown): UsageError {
  return new UsageError('BAD_ADDRESS', message, {
    hint: 'an address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…',
    cause,
  })
}
