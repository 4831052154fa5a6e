/** The contract of the Network port on real libp2p nodes over loopback TCP. */
import { setTimeout as pause } from 'node:timers/promises'
import { loopbackNode } from '../support/libp2p-nodes.ts'
import { networkCompliance } from './network.ts'

networkCompliance('libp2p over loopback TCP', async (count) => {
  const networks = Array.from({ length: count }, () => loopbackNode().network)
  const addressOf = (index: number): string => networks[index]!.addresses()[0]!
  return {
    networks,
    addressOf,
    async connectAll() {
      for (const [i, network] of networks.entries()) {
        for (let j = 0; j < i; j++) (await network.connect(addressOf(j))).close()
      }
    },
    settle: () => pause(20),
    async stop() {
      await Promise.all(networks.map((network) => network.stop()))
    },
  }
})
