/** Times for people, in their zone and in the manner of their browser's language. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const DAY_MS = 86_400_000

/** `09:56`. */
export function clockTime(iso: string): string {
  return CLOCK.format(new Date(iso))
}

/** Day and time to the second. */
export function fullTime(iso: string): string {
  return FULL.format(new Date(iso))
}

/** `Today`, `Yesterday`, a weekday and date, or a date with its year. */
export function dayLine(iso: string, now: Date): string {
  const date = new Date(iso)
  const days = daysBetween(date, now)
  if (days === 0) return 'Today'
  if (days === 1) return 'Yesterday'
  return date.getFullYear() === now.getFullYear() ? DAY.format(date) : DAY_AND_YEAR.format(date)
}

/** For the list: the time of today, else the day. */
export function shortTime(iso: string, now: Date): string {
  const date = new Date(iso)
  return daysBetween(date, now) === 0 ? CLOCK.format(date) : SHORT_DAY.format(date)
}

/** Whether two times are of the same day here. */
export function isSameDay(a: string, b: string): boolean {
  return daysBetween(new Date(a), new Date(b)) === 0
}

/** `3 h 12 min` of milliseconds. */
export function span(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000)
  if (minutes < 1) return 'less than a minute'
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

function daysBetween(a: Date, b: Date): number {
  const midnight = (date: Date): number => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return Math.round((midnight(b) - midnight(a)) / DAY_MS)
}
