/** The picture of a message's way: this node above, relays between, the friend below. The steps beside it say it in words. */
import { sanitiseLine } from '../../../sanitise.ts'
import type { Stretch, TracePicture } from '../../state/trace-picture.ts'

const WIDTH = 360
const MIDDLE = WIDTH / 2
const TOP = 30
const BETWEEN = 112
const BOTTOM = 194
const RADIUS = 15
const MAX_NAME = 24

export function Way({ picture: { places, isDelivered }, friend }: { picture: TracePicture; friend: string }) {
  const step = WIDTH / Math.max(places.length, 1)
  const name = sanitiseLine(friend)
  return (
    <svg class="way-picture" viewBox={`0 0 ${WIDTH} 224`} role="img" aria-label={inWords(places.length, isDelivered)}>
      {places.length === 0 && <Line from={[MIDDLE, TOP]} to={[MIDDLE, BOTTOM]} kind={isDelivered ? 'done' : 'none'} />}
      {places.map(({ by, to, from }, i) => (
        <g key={by}>
          <Line from={[MIDDLE, TOP]} to={[step * (i + 0.5), BETWEEN]} kind={to} />
          <Line from={[step * (i + 0.5), BETWEEN]} to={[MIDDLE, BOTTOM]} kind={from} />
        </g>
      ))}
      {places.map(({ by, label, to }, i) => (
        <g key={by}>
          <title>{by}</title>
          <circle class={`way-place is-${to}`} cx={step * (i + 0.5)} cy={BETWEEN} r={RADIUS} />
          <text class="way-mark" x={step * (i + 0.5)} y={BETWEEN + 5}>
            {MARKS[to]}
          </text>
          <text class="way-label" x={step * (i + 0.5)} y={BETWEEN + RADIUS + 15}>
            {label}
          </text>
        </g>
      ))}
      <End y={TOP} isReached label="You" above />
      <End y={BOTTOM} isReached={isDelivered} label={name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name} />
    </svg>
  )
}

const MARKS: Record<Stretch, string> = { none: '', open: '…', done: '✓', bad: '×' }

function inWords(places: number, isDelivered: boolean): string {
  const end = isDelivered ? 'your friend has it' : 'your friend has not said yet that it came'
  return `From you by ${places} ${places === 1 ? 'place' : 'places'}; ${end}. The steps are listed below.`
}

function Line({ from, to, kind }: { from: [number, number]; to: [number, number]; kind: Stretch }) {
  const middle = (from[1] + to[1]) / 2
  const path = `M${from[0]} ${from[1]}C${from[0]} ${middle} ${to[0]} ${middle} ${to[0]} ${to[1]}`
  return <path class={`way-line is-${kind}`} d={path} fill="none" />
}

interface EndProps {
  y: number
  label: string
  isReached: boolean
  above?: boolean
}

function End({ y, label, isReached, above = false }: EndProps) {
  return (
    <g>
      <circle class={`way-end ${isReached ? 'is-done' : 'is-none'}`} cx={MIDDLE} cy={y} r={9} />
      <text class="way-name" x={MIDDLE} y={above ? y - 16 : y + 26}>
        {label}
      </text>
    </g>
  )
}
