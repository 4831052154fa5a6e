/** The left side: who I am and how my node is, the conversations, and the ways to everything else. */
import { Icon, type IconName } from '../../parts/icon.tsx'
import { Identicon } from '../../parts/identicon.tsx'
import { Name } from '../../parts/safe-text.tsx'
import { isGone, requests, route, status } from '../../state/page.ts'
import { ConversationList } from './conversation-list.tsx'

export function Sidebar() {
  const { id = '', name = '' } = status.value ?? {}
  return (
    <div class="sidebar">
      <header class="me">
        <Identicon id={id} size={36} />
        <div class="me-text">
          <span class="me-name">
            <Name text={name} />
          </span>
          <Line />
        </div>
      </header>
      <nav class="conversations" aria-label="Conversations">
        <ConversationList />
      </nav>
      <nav class="ways" aria-label="Everything else">
        <Way to="requests" icon="inbox" text="Requests" count={requests.value.length} />
        <Way to="add" icon="add" text="Add" />
        <Way to="search" icon="search" text="Search" />
        <Way to="network" icon="network" text="Network" />
        <Way to="settings" icon="settings" text="Settings" />
      </nav>
    </div>
  )
}

/** One line about the connection, in words. */
function Line() {
  const told = status.value
  const relays = told?.relays ?? []
  const reached = relays.filter(({ connected }) => connected).length
  if (isGone.value) return <Dot kind="bad" text="Node stopped" />
  if (told === undefined) return <Dot kind="weak" text="Asking the node" />
  if (told.problems.length > 0) return <Dot kind="bad" text="Something needs you" />
  if (relays.length === 0) return <Dot kind="weak" text="No relay" />
  if (reached === 0) return <Dot kind="weak" text="No relay reached" />
  return <Dot kind="good" text={`${reached} of ${relays.length} ${relays.length === 1 ? 'relay' : 'relays'}`} />
}

function Dot({ kind, text }: { kind: 'good' | 'weak' | 'bad'; text: string }) {
  return (
    <a class="line" href="#/network">
      <span class={`dot dot-${kind}`} aria-hidden="true" />
      {text}
    </a>
  )
}

interface WayProps {
  to: 'requests' | 'add' | 'search' | 'network' | 'settings'
  icon: IconName
  text: string
  count?: number
}

function Way({ to, icon, text, count = 0 }: WayProps) {
  return (
    <a class="way" href={`#/${to}`} aria-current={route.value.view === to ? 'page' : undefined}>
      <span class="way-icon">
        <Icon name={icon} />
        {count > 0 && (
          <span class="badge">
            {count}
            <span class="aside"> waiting</span>
          </span>
        )}
      </span>
      {text}
    </a>
  )
}
