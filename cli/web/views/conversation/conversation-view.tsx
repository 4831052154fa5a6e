/** One conversation: who it is with, its messages, and where one writes. */
import { BackLink } from '../../parts/panel.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Identicon } from '../../parts/identicon.tsx'
import { Name } from '../../parts/safe-text.tsx'
import type { Conversation } from '../../api/table.ts'
import { dialog, nameOf, openConversation, thread } from '../../state/page.ts'
import { trustKeys } from '../../state/people.ts'
import { Composer } from './composer.tsx'
import { MessageLog } from './message-log.tsx'

export function ConversationView() {
  const row = openConversation.value
  if (row === undefined) {
    return (
      <main class="welcome" id="main">
        <div class="welcome-text">
          <BackLink />
          <h1 tabIndex={-1}>Nobody is known by this ID</h1>
        </div>
      </main>
    )
  }
  const open = thread.value
  return (
    <main class="conversation" id="main">
      <Head row={row} />
      {row.keysChanged === true && <KeysChanged row={row} />}
      {open !== undefined && open.id === row.id ? <MessageLog thread={open} name={nameOf(row)} /> : <div class="log" />}
      <Composer key={row.id} row={row} />
    </main>
  )
}

function Head({ row }: { row: Conversation }) {
  const claimed = row.petname !== '' && row.name !== '' && row.name !== row.petname ? row.name : undefined
  return (
    <header class="conversation-head">
      <BackLink />
      <Identicon id={row.id} size={36} />
      <div class="head-text">
        <h1 tabIndex={-1}>
          <Name text={nameOf(row)} />
        </h1>
        <p>
          {row.online ? 'There now' : 'Not there now'}
          {claimed !== undefined && (
            <>
              {' · calls themselves '}
              <Name text={claimed} />
            </>
          )}
        </p>
      </div>
      <button
        type="button"
        class={row.verified ? 'button quiet trust-button is-verified' : 'button quiet trust-button'}
        onClick={() => (dialog.value = { kind: 'verify', id: row.id })}
      >
        <Icon name={row.verified ? 'shield' : 'unverified'} size={18} />
        <span class="trust-word">{row.verified ? 'Verified' : 'Verify'}</span>
      </button>
      <details class="menu" onKeyDown={closeOnEscape} onFocusOut={closeOnLeave}>
        <summary class="icon-button" aria-label="More about this friend">
          <Icon name="more" />
        </summary>
        <div class="menu-items">
          <MenuItem text="Change the name" onClick={() => (dialog.value = { kind: 'rename', id: row.id })} />
          <MenuItem
            text="End the friendship"
            onClick={() => (dialog.value = { kind: 'end', id: row.id, how: 'remove' })}
          />
          <MenuItem text="Block" onClick={() => (dialog.value = { kind: 'end', id: row.id, how: 'block' })} />
        </div>
      </details>
    </header>
  )
}

function MenuItem({ text, onClick }: { text: string; onClick: () => void }) {
  const act = (event: MouseEvent): void => {
    ;(event.currentTarget as HTMLElement).closest('details')?.removeAttribute('open')
    onClick()
  }
  return (
    <button type="button" onClick={act}>
      {text}
    </button>
  )
}

function closeOnEscape(event: KeyboardEvent): void {
  const menu = event.currentTarget as HTMLDetailsElement
  if (event.key !== 'Escape' || !menu.open) return
  event.stopPropagation()
  menu.open = false
  menu.querySelector('summary')?.focus()
}

function closeOnLeave(event: FocusEvent): void {
  const menu = event.currentTarget as HTMLDetailsElement
  if (!menu.contains(event.relatedTarget as Node | null)) menu.open = false
}

function KeysChanged({ row }: { row: Conversation }) {
  return (
    <div class="alarm" role="alert">
      <Icon name="warning" />
      <p>
        <strong>
          The keys of <Name text={nameOf(row)} /> changed.
        </strong>{' '}
        Nothing is sent before you compare the safety number, or accept the new keys without it.
      </p>
      <button type="button" class="button" onClick={() => (dialog.value = { kind: 'verify', id: row.id })}>
        Compare
      </button>
      <button type="button" class="button quiet" onClick={() => void trustKeys(row.id)}>
        Accept
      </button>
    </div>
  )
}
