/** Every key that does something: the one table that the handler reads and that `?` shows. */

export type KeyAction = 'help' | 'next' | 'previous' | 'unread' | 'search' | 'compose' | 'back' | 'invite'

export interface KeyLine {
  action: KeyAction
  /** As `KeyboardEvent.key`. */
  key: string
  alt?: boolean
  /** Control, or Command. */
  control?: boolean
  /** It works while somebody types, too. */
  typing: boolean
  shown: string
  does: string
}

export const KEYS: readonly KeyLine[] = [
  { action: 'help', key: '?', typing: false, shown: '?', does: 'show these keys' },
  { action: 'next', key: 'ArrowDown', alt: true, typing: true, shown: 'Alt ↓', does: 'next conversation' },
  { action: 'previous', key: 'ArrowUp', alt: true, typing: true, shown: 'Alt ↑', does: 'previous conversation' },
  { action: 'unread', key: 'a', alt: true, typing: true, shown: 'Alt A', does: 'next unread conversation' },
  { action: 'search', key: 'k', control: true, typing: true, shown: 'Ctrl K', does: 'search' },
  { action: 'compose', key: 'c', typing: false, shown: 'C', does: 'write in the open conversation' },
  { action: 'invite', key: 'n', typing: false, shown: 'N', does: 'add a friend' },
  { action: 'back', key: 'Escape', typing: true, shown: 'Esc', does: 'back to writing' },
]

/** Keys of one place alone: shown by `?`, handled where they work. */
export const LOCAL_KEYS: readonly { shown: string; does: string }[] = [
  { shown: 'Enter', does: 'send' },
  { shown: 'Shift Enter', does: 'new line' },
  { shown: '↑', does: 'in an empty message: to the messages' },
  { shown: '↑ ↓ Home End', does: 'among messages, or among conversations' },
  { shown: 'Enter', does: 'on a message: how it travelled' },
]

interface Pressed {
  key: string
  altKey: boolean
  ctrlKey: boolean
  metaKey: boolean
}

/** What a key does; undefined when it is not ours. */
export function actionOf(pressed: Pressed, isTyping: boolean): KeyAction | undefined {
  const control = pressed.ctrlKey || pressed.metaKey
  return KEYS.find(
    ({ key, alt = false, control: needsControl = false, typing }) =>
      key.toLowerCase() === pressed.key.toLowerCase() &&
      alt === pressed.altKey &&
      needsControl === control &&
      (typing || !isTyping),
  )?.action
}
