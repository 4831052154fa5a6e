/** The simulated network keeps the contract of the port. */
import type { Network } from '../../node/ports.ts'
import { createWorld } from '../simulation/world.ts'
import { networkCompliance } from './network.ts'

let seed = 0

networkCompliance('simulated network', async (count) => {
  const world = createWorld(++seed)
  const networks: Network[] = []
  let settling: Promise<void> | undefined
  for (let i = 0; i < count; i++) {
    const node = await world.start(`n${i}`, (ports) => ports)
    networks.push(node.it.network)
  }
  return {
    networks,
    addressOf: (index) => networks[index]!.addresses()[0]!,
    connectAll: async () => {},
    // The suite may wait at two places at once; the world runs once for both.
    settle: async () => {
      settling ??= world.run({ forMs: 50 }).finally(() => {
        settling = undefined
      })
      await settling
    },
    stop: async () => {
      await Promise.all(networks.map((network) => network.stop()))
    },
  }
})
