/** Whether a node can do its work, part by part, for whoever watches it. */
import type { NodeService } from '../service.ts'

export type PartState = 'ok' | 'waiting' | 'failing'

export interface Readiness {
  ready: boolean
  parts: { store: PartState; network: PartState; relays: PartState }
}

export async function readinessOf(service: NodeService): Promise<Readiness> {
  const { addresses, peers, relays, problems } = await service.status()
  const isStoreFailing = problems.some(({ code }) => code.startsWith('STORE_'))
  const isReached = relays.length === 0 || relays.some(({ connected }) => connected)
  const parts = {
    store: isStoreFailing ? 'failing' : 'ok',
    network: addresses.length > 0 || peers > 0 ? 'ok' : 'waiting',
    relays: isReached ? 'ok' : 'waiting',
  } as const
  return { ready: Object.values(parts).every((state) => state === 'ok'), parts }
}
