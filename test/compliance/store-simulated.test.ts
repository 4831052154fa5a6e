/** The simulator's store keeps the contract of the port. */
import { createWorld } from '../simulation/world.ts'
import { storeCompliance } from './store.ts'

describe('simulated rows', () => {
  let stopPumping: (() => void) | undefined
  let seed = 0
  afterEach(() => stopPumping?.())

  storeCompliance('simulated disk', async () => {
    const world = createWorld(++seed, { guard: false })
    const node = await world.start('a', (ports) => ports)
    stopPumping = world.pump()
    return { store: node.it.store }
  })
})
