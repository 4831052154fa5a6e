/** What a screen reader speaks by itself: new messages alone. The history above is read when somebody goes there. */
import { announced } from '../../state/page.ts'

export function Announcer() {
  return (
    <div class="aside" role="log" aria-label="New messages" aria-live="polite">
      {announced.value.map(({ key, text }) => (
        <p key={key}>{text}</p>
      ))}
    </div>
  )
}
