/** A text as a QR code, dark on light in every theme, because cameras expect it. */
import { encode } from 'uqr'

/** Modules of quiet ground around the code (ISO/IEC 18004, section 6.3.8). */
const BORDER = 4

export function QrCode({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: BORDER })
  const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])))
  return (
    <svg class="qr-code" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      <rect width={size} height={size} fill="#ffffff" />
      <path d={dark.join('')} fill="#000000" shape-rendering="crispEdges" />
    </svg>
  )
}
