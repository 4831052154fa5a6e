/** Where in the page somebody is: the fragment of the address, so that back and reload work. */

export type Route =
  | { view: 'home' }
  | { view: 'conversation'; id: string }
  | { view: 'requests' | 'add' | 'search' | 'network' | 'settings' }

const PLAIN = ['requests', 'add', 'search', 'network', 'settings'] as const

export function parseRoute(fragment: string): Route {
  const [, first, second] = fragment.replace(/^#/, '').split('/')
  if (first === 'with' && second !== undefined && /^[a-z0-9]{1,200}$/.test(second)) {
    return { view: 'conversation', id: second }
  }
  const view = PLAIN.find((name) => name === first)
  return view === undefined ? { view: 'home' } : { view }
}

export function fragmentOf(route: Route): string {
  if (route.view === 'home') return '#/'
  return route.view === 'conversation' ? `#/with/${route.id}` : `#/${route.view}`
}

/** The one-time key of an address that `kith ui` printed. */
export function keyOf(fragment: string): string | undefined {
  return /^#key=([\w.~-]{1,200})$/.exec(fragment)?.[1]
}
