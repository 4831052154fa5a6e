/** Real libp2p networks on loopback TCP, for tests of `network/`: any port, a memory store each, stopped all at once. */
import type { Logger } from '../../node/ports.ts'
import { createLibp2pNetwork, type Libp2pNetwork, type Libp2pNetworkInit } from '../../node/network/libp2p-network.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

/** Errors are bugs of ours and are thrown, so that the test that caused them fails. */
export const strictLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, detail) => {
    throw new Error(message, { cause: detail })
  },
}

export interface LoopbackNode {
  network: Libp2pNetwork
  store: MemoryStore
}

let seeds = 0

/** A node that was never seen before: each call gives another peer ID. */
export function loopbackNode(init: Partial<Libp2pNetworkInit> = {}): LoopbackNode {
  const store = createMemoryStore()
  seeds++
  const privateKeySeed = new Uint8Array(32)
  new DataView(privateKeySeed.buffer).setUint32(0, seeds)
  const network = createLibp2pNetwork({
    privateKeySeed,
    listen: [LOOPBACK],
    bootstrap: [],
    network: 'lan',
    role: 'node',
    store,
    logger: strictLogger,
    ...init,
  })
  return { network, store }
}
