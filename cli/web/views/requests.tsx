/** Who asks to be a friend. Name and note are what they claim. */
import { useState } from 'preact/hooks'
import type { Request } from '../api/table.ts'
import { Identicon } from '../parts/identicon.tsx'
import { Panel } from '../parts/panel.tsx'
import { MessageText, Name } from '../parts/safe-text.tsx'
import { requests } from '../state/page.ts'
import { accept, block, decline } from '../state/people.ts'
import { dayLine } from '../state/times.ts'

export function Requests() {
  const asking = requests.value
  return (
    <Panel title="Requests">
      {asking.length === 0 ? (
        <p class="empty">
          Nobody asks. Who uses an <a href="#/add">invite</a> of yours appears here.
        </p>
      ) : (
        <ul class="cards">
          {asking.map((request) => (
            <RequestCard key={request.id} request={request} />
          ))}
        </ul>
      )}
    </Panel>
  )
}

function RequestCard({ request: { id, name, note, receivedAt } }: { request: Request }) {
  const [petname, setPetname] = useState('')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (await accept(id, petname.trim())) location.hash = `#/with/${id}`
  }
  return (
    <li class="card">
      <div class="person">
        <Identicon id={id} size={44} />
        <div>
          <h2>
            <Name text={name} />
          </h2>
          <p class="weak">
            says so themselves · {dayLine(receivedAt, new Date())} · <code title={id}>{id.slice(0, 16)}…</code>
          </p>
        </div>
      </div>
      {note !== '' && (
        <blockquote>
          <MessageText text={note} />
        </blockquote>
      )}
      <form class="request-form" onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>Call them something else (optional)</span>
          <input
            value={petname}
            dir="auto"
            autoComplete="off"
            onInput={(event) => setPetname(event.currentTarget.value)}
          />
        </label>
        <div class="actions">
          <button type="submit" class="button primary">
            Accept
          </button>
          <button type="button" class="button" onClick={() => void decline(id)}>
            Decline
          </button>
          <button type="button" class="button quiet" onClick={() => void block(id)}>
            Block
          </button>
        </div>
      </form>
    </li>
  )
}
