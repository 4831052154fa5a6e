/**
 * A picture of an ID: the same for the same ID everywhere. It helps to tell friends apart at a glance; that they are who
 * they say is what the safety number shows.
 */
const CELLS = 5
const HUES = 12

export function Identicon({ id, size = 40 }: { id: string; size?: number }) {
  const bits = mixed(id)
  const cells: string[] = []
  for (let column = 0; column < 3; column++) {
    for (let row = 0; row < CELLS; row++) {
      if (((bits.pattern >>> (column * CELLS + row)) & 1) === 0) continue
      cells.push(`M${column + 1} ${row + 1}h1v1h-1z`)
      if (column < 2) cells.push(`M${CELLS - column} ${row + 1}h1v1h-1z`)
    }
  }
  return (
    <svg class={`identicon hue-${bits.hue}`} width={size} height={size} viewBox="0 0 7 7" aria-hidden="true">
      <rect class="identicon-ground" width="7" height="7" rx="2.2" />
      <path class="identicon-cells" d={cells.join('')} shape-rendering="crispEdges" />
    </svg>
  )
}

/** Fifteen bits of pattern and a hue (FNV-1a, then a final mix): spread well, and of no use as a proof. */
function mixed(id: string): { pattern: number; hue: number } {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  const hue = (hash >>> 16) % HUES
  // nearly empty and nearly full ones look alike
  while (!isTelling(hash & 0x7fff)) hash = Math.imul(hash, 0x01000193) + 0x3779
  return { pattern: hash & 0x7fff, hue }
}

function isTelling(pattern: number): boolean {
  const cells = pattern.toString(2).replaceAll('0', '').length
  return cells >= 6 && cells <= 10
}
