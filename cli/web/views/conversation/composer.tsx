/** Where one writes: several lines, Enter sends, what is not sent yet is kept as a draft. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Conversation } from '../../api/table.ts'
import { Icon } from '../../parts/icon.tsx'
import { sanitiseLine } from '../../../sanitise.ts'
import { nameOf } from '../../state/page.ts'
import { saveDraft, send } from '../../state/talk.ts'

const SAVE_AFTER_MS = 600
const MAX_HEIGHT_PX = 240

/** Why nothing can be written to somebody. */
const CLOSED: Partial<Record<Conversation['state'], string>> = {
  none: 'You are not friends.',
  incoming: 'They ask to be your friend. Answer under Requests.',
  outgoing: 'They have not answered your request yet.',
  blocked: 'You have blocked them.',
  failed: 'Your request did not reach them.',
}

export function Composer({ row }: { row: Conversation }) {
  const why = CLOSED[row.state]
  if (why !== undefined) return <p class="composer closed">{why}</p>
  return <OpenComposer row={row} />
}

function OpenComposer({ row }: { row: Conversation }) {
  const saved = row.draft ?? ''
  const field = useRef<HTMLTextAreaElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const [text, setText] = useState(saved)
  const written = useRef(saved)
  const lastSaved = useRef(saved)

  const write = (next: string): void => {
    written.current = next
    setText(next)
    clearTimeout(timer.current)
    timer.current = setTimeout(keep, SAVE_AFTER_MS)
  }
  const keep = (): void => {
    clearTimeout(timer.current)
    lastSaved.current = written.current
    void saveDraft(row.id, written.current)
  }
  useEffect(() => {
    field.current?.focus({ preventScroll: true })
    return keep
  }, [])
  // written in another face: taken over unless somebody writes here
  useEffect(() => {
    if (saved === lastSaved.current || written.current !== lastSaved.current) return
    lastSaved.current = saved
    written.current = saved
    setText(saved)
  }, [saved])
  useEffect(() => fit(field.current!), [text])

  const submit = (): void => {
    if (text.trim() === '') return
    write('')
    keep()
    void send(text)
    field.current?.focus()
  }
  const onKey = (event: KeyboardEvent): void => {
    if (event.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      submit()
    } else if (event.key === 'ArrowUp' && text === '' && !event.altKey) {
      event.preventDefault()
      document.querySelector<HTMLElement>('.messages li[data-key]:last-child')?.focus()
    }
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <textarea
        ref={field}
        rows={1}
        dir="auto"
        value={text}
        aria-label={`Message to ${sanitiseLine(nameOf(row))}`}
        placeholder="Write a message"
        onInput={(event) => write(event.currentTarget.value)}
        onBlur={keep}
        onKeyDown={onKey}
      />
      <button type="submit" class="send" aria-label="Send" disabled={text.trim() === ''}>
        <Icon name="send" />
      </button>
    </form>
  )
}

/** As high as what is in it, up to a bound. */
function fit(field: HTMLTextAreaElement): void {
  field.style.height = 'auto'
  field.style.height = `${Math.min(field.scrollHeight, MAX_HEIGHT_PX)}px`
}
