/** Durations as people write them: `30s 10m 4h 14d`. */

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const MAX_SECONDS = 3650 * 86_400

/** Said wherever a duration is not one. */
export const DURATION_RULE = 'write a duration as 30s, 10m, 4h or 14d'

/**
 * Seconds of a duration.
 * @returns undefined when it is not one, or longer than ten years
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  if (match === null) return undefined
  const seconds = Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS]
  return seconds <= MAX_SECONDS ? seconds : undefined
}
