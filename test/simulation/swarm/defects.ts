/** Defects. */
import type { Ports } from '../../../node/ports.ts'
import type { World } from '../world.ts'
export interface Life {
  life: number
  world: World
  name: string
}
export interface Defect {
  name: string
  person?: (ports: Ports, life: Life) => Ports
  relay?: (ports: Ports, life: Life) => Ports
}
