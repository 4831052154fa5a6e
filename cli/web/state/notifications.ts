/** Desktop notifications: off until somebody asks for them, and without a name or a text in them. */
import { preferences, setPreference } from './preferences.ts'

/** Whether this browser could show them. */
export function canNotify(): boolean {
  return 'Notification' in window && Notification.permission !== 'denied'
}

/** Asks the browser; on when it agrees. Called by a click. */
export async function turnOn(): Promise<boolean> {
  const isGranted = canNotify() && (await Notification.requestPermission()) === 'granted'
  setPreference('notifications', isGranted)
  return isGranted
}

/** A notification that a message came, unless somebody looks at the page. */
export function notify(conversation: string): void {
  if (!preferences.value.notifications || !canNotify() || Notification.permission !== 'granted') return
  if (document.visibilityState === 'visible' && document.hasFocus()) return
  const shown = new Notification('Kith', { body: 'You have a new message', tag: conversation, silent: false })
  shown.addEventListener('click', () => {
    window.focus()
    window.location.hash = `#/with/${conversation}`
    shown.close()
  })
}
