/** Beside the list while no conversation is open. */
import { conversations } from '../state/page.ts'

export function Welcome() {
  const isEmpty = conversations.value?.length === 0
  return (
    <main class="welcome" id="main">
      <div class="welcome-text">
        <h1 tabIndex={-1}>{isEmpty ? 'Nobody here yet' : 'Choose a conversation'}</h1>
        {isEmpty ? (
          <>
            <p>Give a friend an invite, or use one that you were given.</p>
            <a class="button primary" href="#/add">
              Add a friend
            </a>
          </>
        ) : (
          <p>
            Or press <kbd>?</kbd> to see every key.
          </p>
        )}
      </div>
    </main>
  )
}
