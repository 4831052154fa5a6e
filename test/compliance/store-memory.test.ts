import { createMemoryStore } from '../support/memory-store.ts'
import { storeCompliance } from './store.ts'

storeCompliance('in memory, for tests', async () => {
  const store = createMemoryStore()
  return { store, close: async () => store.close() }
})
