/** Which of its faces the page shows: opening, refused, first run, or the node with everything in it. */
import { useEffect } from 'preact/hooks'
import { conversations, openId, phase, route, unreadTotal } from '../state/page.ts'
import { AddFriend } from './add-friend.tsx'
import { ConversationView } from './conversation/conversation-view.tsx'
import { Dialogs } from './dialogs/dialogs.tsx'
import { FirstRun } from './first-run.tsx'
import { useKeys } from './keys.ts'
import { NetworkView } from './network.tsx'
import { Opening, Refused } from './opening.tsx'
import { Requests } from './requests.tsx'
import { SearchView } from './search.tsx'
import { SettingsView } from './settings.tsx'
import { Announcer } from './shell/announcer.tsx'
import { Banner } from './shell/banner.tsx'
import { Notice } from './shell/notice.tsx'
import { Sidebar } from './shell/sidebar.tsx'
import { Welcome } from './welcome.tsx'

export function App() {
  if (phase.value === 'opening') return <Opening />
  if (phase.value === 'refused') return <Refused />
  return (
    <>
      {phase.value === 'setup' ? <FirstRun /> : <NodePage />}
      <Notice />
    </>
  )
}

function NodePage() {
  useKeys()
  const unread = unreadTotal.value
  useEffect(() => {
    document.title = unread === 0 ? 'Kith' : `(${unread}) Kith`
  }, [unread])
  if (conversations.value === undefined) return <Opening />
  return (
    <div class={`shell shell-${route.value.view}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the conversation
      </a>
      <Banner />
      <Sidebar />
      <Main />
      <Dialogs />
      <Announcer />
    </div>
  )
}

/** The fragment of the address is taken, so the jump is made by hand. */
function skip(event: MouseEvent): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main textarea, #main h1, #main')?.focus()
}

function Main() {
  switch (route.value.view) {
    case 'conversation':
      return <ConversationView key={openId.value} />
    case 'requests':
      return <Requests />
    case 'add':
      return <AddFriend />
    case 'search':
      return <SearchView />
    case 'network':
      return <NetworkView />
    case 'settings':
      return <SettingsView />
    default:
      return <Welcome />
  }
}
