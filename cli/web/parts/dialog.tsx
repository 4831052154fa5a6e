/** A window above the page: the browser keeps the focus inside, Escape closes it, and the focus goes back where it was. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { dialog } from '../state/page.ts'
import { Icon } from './icon.tsx'

export function closeDialog(): void {
  dialog.value = undefined
}

export function Dialog({ title, children }: { title: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    const shown = element.current!
    shown.showModal()
    return () => {
      shown.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  const onClick = (event: MouseEvent): void => {
    if (event.target === element.current) closeDialog()
  }
  return (
    <dialog ref={element} class="dialog" aria-labelledby="dialog-title" onClose={closeDialog} onClick={onClick}>
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={closeDialog}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
