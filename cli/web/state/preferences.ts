/** What this browser remembers of how somebody likes the page. Nothing of what is in it. */
import { signal } from '@preact/signals'

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

interface Preferences {
  theme: Theme
  notifications: boolean
}

const STORED = 'kith.page'
const DEFAULTS: Preferences = { theme: 'auto', notifications: false }

export const preferences = signal<Preferences>(DEFAULTS)

/** Reads what is remembered; what is not understood is the default. */
export function readPreferences(): void {
  let stored: Partial<Record<keyof Preferences, unknown>> = {}
  try {
    stored = (JSON.parse(localStorage.getItem(STORED) ?? '{}') ?? {}) as typeof stored
  } catch {
    stored = {}
  }
  const theme = THEMES.find((known) => known === stored.theme) ?? DEFAULTS.theme
  show({ theme, notifications: stored.notifications === true })
}

export function setPreference<K extends keyof Preferences>(key: K, value: Preferences[K]): void {
  show({ ...preferences.value, [key]: value })
  localStorage.setItem(STORED, JSON.stringify(preferences.value))
}

function show(next: Preferences): void {
  preferences.value = next
  if (next.theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next.theme
}
