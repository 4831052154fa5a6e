/** Before an address of a message opens: all of it, as the browser will take it. */
import { closeDialog, Dialog } from '../../parts/dialog.tsx'

export function LinkDialog({ href, shown }: { href: string; shown: string }) {
  const { host } = new URL(href)
  return (
    <Dialog title="Open this address?">
      <p>It leads out of Kith, to a server that learns your network address:</p>
      <p class="whole-address" dir="ltr">
        {href}
      </p>
      {!shown.toLowerCase().includes(host) && (
        <p class="warning-text">It is written with letters of other scripts. The server’s real name is {host}.</p>
      )}
      <div class="actions">
        <a class="button primary" href={href} target="_blank" rel="noreferrer noopener" onClick={closeDialog}>
          Open in a new tab
        </a>
        <button type="button" class="button" onClick={closeDialog}>
          Stay here
        </button>
      </div>
    </Dialog>
  )
}
