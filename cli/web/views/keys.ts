/** The keys of the whole page, by the one table of `state/keys.ts`. */
import { useEffect } from 'preact/hooks'
import { neighbour, nextUnread } from '../state/conversation-list.ts'
import { actionOf, type KeyAction } from '../state/keys.ts'
import { conversations, dialog, openId } from '../state/page.ts'
import { fragmentOf } from '../state/route.ts'

export function useKeys(): void {
  useEffect(() => {
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}

function onKey(event: KeyboardEvent): void {
  if (event.isComposing || dialog.value !== undefined) return
  const action = actionOf(event, isTyping(event.target))
  if (action === undefined) return
  if (action === 'back' && openId.value === undefined) return
  event.preventDefault()
  act(action)
}

function act(action: KeyAction): void {
  const rows = conversations.value ?? []
  if (action === 'help') dialog.value = { kind: 'keys' }
  else if (action === 'search') location.hash = '#/search'
  else if (action === 'invite') location.hash = '#/add'
  else if (action === 'compose' || action === 'back') document.querySelector<HTMLElement>('.composer textarea')?.focus()
  else if (action === 'unread') goTo(nextUnread(rows, openId.value))
  else goTo(neighbour(rows, openId.value, action === 'next' ? 1 : -1))
}

function goTo(id: string | undefined): void {
  if (id !== undefined) location.hash = fragmentOf({ view: 'conversation', id })
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
}
