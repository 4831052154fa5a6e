/** The conversations, newest activity first. One of them can be reached by Tab, the arrows go on from there. */
import { Icon } from '../../parts/icon.tsx'
import { Identicon } from '../../parts/identicon.tsx'
import { Name, Preview } from '../../parts/safe-text.tsx'
import { DeliveryMark } from '../../parts/delivery-mark.tsx'
import type { Conversation } from '../../api/table.ts'
import { conversations, nameOf, openId } from '../../state/page.ts'
import { fragmentOf } from '../../state/route.ts'
import { shortTime } from '../../state/times.ts'

export function ConversationList() {
  const rows = conversations.value ?? []
  const reachable = rows.some(({ id }) => id === openId.value) ? openId.value : rows[0]?.id
  if (rows.length === 0) return <p class="empty">No conversations yet.</p>
  return (
    <ul class="conversation-list" onKeyDown={onKey}>
      {rows.map((row) => (
        <Row key={row.id} row={row} isReachable={row.id === reachable} />
      ))}
    </ul>
  )
}

function onKey(event: KeyboardEvent): void {
  const links = [...document.querySelectorAll<HTMLElement>('.conversation-row')]
  const at = links.indexOf(document.activeElement as HTMLElement)
  const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }
  const next = to[event.key]
  if (event.altKey || at === -1 || next === undefined) return
  event.preventDefault()
  links[Math.min(Math.max(next, 0), links.length - 1)]?.focus()
}

function Row({ row, isReachable }: { row: Conversation; isReachable: boolean }) {
  const isOpen = row.id === openId.value
  return (
    <li>
      <a
        class={row.unread > 0 ? 'conversation-row has-unread' : 'conversation-row'}
        href={fragmentOf({ view: 'conversation', id: row.id })}
        aria-current={isOpen ? 'page' : undefined}
        tabIndex={isReachable ? 0 : -1}
      >
        <span class="avatar">
          <Identicon id={row.id} />
          {row.online && <span class="online" title="there now" />}
        </span>
        <span class="row-name">
          <Name text={nameOf(row)} />
          <Trust row={row} />
          {row.online && <span class="aside">, there now</span>}
        </span>
        {row.last !== undefined && <time dateTime={row.last.sentAt}>{shortTime(row.last.sentAt, new Date())}</time>}
        <span class="row-text">
          <Newest row={row} />
        </span>
        {row.unread > 0 && (
          <span class="badge">
            {row.unread > 999 ? '999+' : row.unread}
            <span class="aside"> unread</span>
          </span>
        )}
      </a>
    </li>
  )
}

function Trust({ row }: { row: Conversation }) {
  if (row.keysChanged === true || row.trust === 'changed') {
    return (
      <span class="trust trust-changed" title="their keys changed">
        <Icon name="warning" size={15} />
        <span class="aside">, their keys changed</span>
      </span>
    )
  }
  if (row.verified) {
    return (
      <span class="trust trust-verified" title="verified">
        <Icon name="shield" size={15} />
        <span class="aside">, verified</span>
      </span>
    )
  }
  return null
}

function Newest({ row }: { row: Conversation }) {
  const { last, draft, state } = row
  if (draft !== undefined) {
    return (
      <>
        <span class="draft-word">Draft: </span>
        <Preview text={draft} />
      </>
    )
  }
  if (last === undefined) return <>{WITHOUT_MESSAGES[state]}</>
  if (last.type === 'unsupported') return <>A message that this version cannot show</>
  return (
    <>
      {last.direction === 'out' && last.type === 'text' && <DeliveryMark state={last.state} isWordShown={false} />}
      <Preview text={last.text} />
    </>
  )
}

const WITHOUT_MESSAGES: Record<Conversation['state'], string> = {
  none: 'Not a friend',
  outgoing: 'Asked, no answer yet',
  incoming: 'Asks to be your friend',
  accepted: 'Accepted, not yet confirmed',
  friend: 'No messages yet',
  blocked: 'Blocked',
  failed: 'The request failed',
}
