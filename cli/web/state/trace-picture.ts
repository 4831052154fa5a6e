/** The way of a message as a drawing: which relays it touched, and what is known of each stretch. Pure. */
import type { Trace, TraceStep } from '../api/table.ts'

/** `done`: signed for or told; `open`: tried, or waited for; `bad`: refused, lost, caught. */
export type Stretch = 'none' | 'open' | 'done' | 'bad'

export interface TracePlace {
  /** An address or peer ID of a relay, or `gossip`. */
  by: string
  label: string
  /** From this node to there, from there to the friend. */
  to: Stretch
  from: Stretch
}

export interface TracePicture {
  places: TracePlace[]
  isDelivered: boolean
}

/** More would not be told apart in a picture; the list below it names all. */
const MAX_PLACES = 4
const LABEL = 8

const TO: Record<string, Stretch> = {
  published: 'done',
  receipt: 'done',
  held: 'done',
  fetched: 'done',
  released: 'done',
  refused: 'bad',
  lost: 'bad',
  missing: 'bad',
  caught: 'bad',
  waiting: 'open',
}

export function tracePicture({ steps, state }: Trace): TracePicture {
  const isDelivered = state === 'delivered' || state === 'read'
  const places = new Map<string, TracePlace>()
  for (const step of steps) {
    if (!isPlace(step)) continue
    const place = places.get(step.by) ?? { by: step.by, label: labelOf(step.by), to: 'none', from: 'none' }
    const to = TO[step.step]
    // waiting at a relay that has signed already is waiting for the friend
    if (to === 'open') place.to = place.to === 'done' ? 'done' : 'open'
    else if (to !== undefined) place.to = to
    if (step.step === 'fetched' || step.step === 'released' || (isDirect(step) && isDelivered)) place.from = 'done'
    if (isDirect(step)) place.label = 'their node'
    places.set(step.by, place)
  }
  return { places: [...places.values()].slice(0, MAX_PLACES), isDelivered }
}

/** The friend's own node took it, by the protocol of a relay. */
export function isDirect({ step, detail }: TraceStep): boolean {
  return step === 'receipt' && detail === "at the friend's own node"
}

function isPlace({ by, step }: TraceStep): boolean {
  return by !== '' && by !== 'me' && !by.startsWith('kith1') && step in TO
}

/** The end of a peer ID tells relays apart. */
export function labelOf(by: string): string {
  return by === 'gossip' ? 'gossip' : by.slice(-LABEL)
}
