/** The least of libp2p that carries a stream as a node's does: TCP, Noise, Yamux. */
import { noise } from '@chainsafe/libp2p-noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'

export const ECHO_PROTOCOL = '/kith-bench/echo/1.0.0'

/** Started; with no address it only dials. */
export async function createEchoNode(listen: string[]): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
}
