/** Finds messages in all conversations; a find opens where it stands. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import type { FoundMessage } from '../api/table.ts'
import { Identicon } from '../parts/identicon.tsx'
import { Panel } from '../parts/panel.tsx'
import { Name } from '../parts/safe-text.tsx'
import { useAnswer } from '../parts/use-answer.ts'
import { excerpt, inOneLine } from '../state/excerpt.ts'
import { attempt } from '../state/failure.ts'
import { conversations, nameOf } from '../state/page.ts'
import { openFound } from '../state/talk.ts'
import { fullTime } from '../state/times.ts'

const ASK_AFTER_MS = 250
const LIMIT = 50

export function SearchView() {
  const [typed, setTyped] = useState('')
  const [query, setQuery] = useState('')
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  useEffect(() => {
    const timer = setTimeout(() => setQuery(typed.trim()), ASK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <Panel title="Search">
      <form role="search" onSubmit={(event) => event.preventDefault()}>
        <label class="field">
          <span>Words of a message</span>
          <input
            ref={field}
            type="search"
            autoComplete="off"
            dir="auto"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      </form>
      {query !== '' && <Finds key={query} query={query} />}
    </Panel>
  )
}

function Finds({ query }: { query: string }) {
  const answer = useAnswer(() => call('history.search', { query, limit: LIMIT }), query)
  if (answer.state === 'asking') return <p role="status">Searching …</p>
  if (answer.state === 'failed') return <p role="alert">{answer.why}</p>
  const { messages } = answer.value
  return (
    <>
      <p role="status" class="weak">
        {messages.length === 0
          ? 'Nothing found.'
          : `${messages.length}${messages.length === LIMIT ? ' newest' : ''} found`}
      </p>
      <ul class="finds">
        {messages.map((message) => (
          <Find key={message.messageId} message={message} query={query} />
        ))}
      </ul>
    </>
  )
}

function Find({ message, query }: { message: FoundMessage; query: string }) {
  const row = conversations.value?.find(({ id }) => id === message.id)
  const { before, match, after } = excerpt(inOneLine(message.text), query)
  const open = (event: MouseEvent): void => {
    event.preventDefault()
    void attempt(async () => {
      await openFound(message)
      location.hash = `#/with/${message.id}`
    })
  }
  return (
    <li>
      <a class="find" href={`#/with/${message.id}`} onClick={open}>
        <Identicon id={message.id} size={32} />
        <span class="find-head">
          <strong>
            <Name text={row === undefined ? message.id.slice(0, 16) : nameOf(row)} />
          </strong>
          <time dateTime={message.sentAt}>{fullTime(message.sentAt)}</time>
        </span>
        <span class="find-text" dir="auto">
          {message.direction === 'out' && 'You: '}
          {before}
          <mark>{match}</mark>
          {after}
        </span>
      </a>
    </li>
  )
}
