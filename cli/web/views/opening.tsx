/** Before anything can be shown, and when the node does not know this page. */
import { isGone } from '../state/page.ts'

export function Opening() {
  return (
    <main class="alone" aria-busy="true">
      <Brand />
      <p role="status">{isGone.value ? 'The node does not answer. Waiting for it …' : 'Opening …'}</p>
    </main>
  )
}

export function Refused() {
  return (
    <main class="alone">
      <Brand />
      <h1>This page is not open any more</h1>
      <p>
        A page belongs to the terminal that opened it, and its key works once. Run <code>kith ui</code> again, and use
        the new address.
      </p>
    </main>
  )
}

export function Brand() {
  return (
    <p class="brand">
      <svg width="36" height="36" viewBox="0 0 32 32" aria-hidden="true">
        <rect class="brand-ground" width="32" height="32" rx="9" />
        <path class="brand-stroke" d="M11 8v16M21.5 9.5 13.5 16l8 6.5" />
      </svg>
      Kith
    </p>
  )
}
