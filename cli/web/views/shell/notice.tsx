/** A sentence at the foot of the page, for some seconds; what went wrong stays until it was read. */
import { useEffect } from 'preact/hooks'
import { Icon } from '../../parts/icon.tsx'
import { notice } from '../../state/page.ts'

const SHOWN_MS = 5000

export function Notice() {
  const shown = notice.value
  useEffect(() => {
    if (shown === undefined || shown.isProblem) return undefined
    const timer = setTimeout(close, SHOWN_MS)
    return () => clearTimeout(timer)
  }, [shown])
  return (
    <div class="notice-place" role={shown?.isProblem === true ? 'alert' : 'status'}>
      {shown !== undefined && (
        <div class={shown.isProblem ? 'notice problem' : 'notice'}>
          <span>{shown.text}</span>
          <button type="button" class="icon-button small" aria-label="Dismiss" onClick={close}>
            <Icon name="close" size={16} />
          </button>
        </div>
      )}
    </div>
  )
}

function close(): void {
  notice.value = undefined
}
