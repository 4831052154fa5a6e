/**
 * Before there is a node: name and passphrase make an identity, its words are shown once and one of them is asked for;
 * a locked home wants its passphrase. Three questions, then the conversations.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import { sanitiseLine } from '../../sanitise.ts'
import { failureText } from '../state/failure.ts'
import { isGone, setup } from '../state/page.ts'
import { lookAtSetup } from '../state/session.ts'
import { wordQuestion } from '../state/word-check.ts'
import { Brand } from './opening.tsx'

export function FirstRun() {
  const [words, setWords] = useState<string>()
  const state = setup.value?.state
  return (
    <main class="first-run">
      <Brand />
      {isGone.value && <p role="status">The node does not answer. Waiting for it …</p>}
      {words !== undefined && state !== 'starting' && <Words words={words} />}
      {words === undefined && state === 'new' && <Create onWords={setWords} />}
      {words === undefined && state === 'locked' && <Unlock name={setup.value?.name} />}
      {state === 'starting' && <Starting text="Your node starts" />}
    </main>
  )
}

function Starting({ text }: { text: string }) {
  return (
    <div class="starting" role="status">
      <span class="spinner" aria-hidden="true" />
      <p>{text} …</p>
    </div>
  )
}

/** A form that asks the node for something that takes a while. */
function useWork(): { isBusy: boolean; why?: string; run: (work: () => Promise<void>) => void } {
  const [isBusy, setBusy] = useState(false)
  const [why, setWhy] = useState<string>()
  const run = (work: () => Promise<void>): void => {
    setBusy(true)
    setWhy(undefined)
    work()
      .catch((error: unknown) => setWhy(failureText(error)))
      .finally(() => setBusy(false))
  }
  return { isBusy, why, run }
}

function Create({ onWords }: { onWords: (words: string) => void }) {
  const [name, setName] = useState('')
  const [passphrase, setPassphrase] = useState('')
  const [relay, setRelay] = useState('')
  const { isBusy, why, run } = useWork()
  const submit = (event: Event): void => {
    event.preventDefault()
    run(async () => {
      const relays = relay.split(/[\s,]+/).filter((address) => address !== '')
      const { words } = await call('setup.create', { name: name.trim(), passphrase, relays })
      onWords(words)
    })
  }
  return (
    <form class="card" onSubmit={submit}>
      <h1>Welcome</h1>
      <p>Kith has no accounts and no servers. What you make now lies on this machine alone.</p>
      <label class="field">
        <span>What should friends call you?</span>
        <input
          value={name}
          dir="auto"
          required
          autoFocus
          autoComplete="off"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <Passphrase
        label="A passphrase for this machine"
        value={passphrase}
        onInput={setPassphrase}
        isNew
        hint="It locks your messages here. Nobody can replace it; four or five words that do not belong together are good."
      />
      <details class="more">
        <summary>A relay that you were told of</summary>
        <label class="field">
          <span>Its address</span>
          <input
            value={relay}
            dir="ltr"
            spellcheck={false}
            autoComplete="off"
            placeholder="/ip4/…/tcp/…/p2p/…"
            onInput={(event) => setRelay(event.currentTarget.value)}
          />
          <small>
            Relays keep sealed mail while you or your friends are away; friends need one to reach you. The settings can
            name others later.
          </small>
        </label>
      </details>
      {why !== undefined && (
        <p class="problem-text" role="alert">
          {why}
        </p>
      )}
      {isBusy ? (
        <Starting text="Making your keys; the passphrase is made hard to guess" />
      ) : (
        <div class="actions">
          <button type="submit" class="button primary">
            Create my identity
          </button>
        </div>
      )}
    </form>
  )
}

interface PassphraseProps {
  label: string
  value: string
  hint?: string
  isNew?: boolean
  onInput: (value: string) => void
}

function Passphrase({ label, value, hint, isNew = false, onInput }: PassphraseProps) {
  const [isShown, setShown] = useState(false)
  // the types of the elements want to know which of both it is
  const type = (isShown ? 'text' : 'password') as 'password'
  return (
    <div class="field">
      <label for="passphrase">{label}</label>
      <div class="with-button">
        <input
          id="passphrase"
          type={type}
          value={value}
          required
          autoComplete={isNew ? 'new-password' : 'current-password'}
          aria-describedby={hint === undefined ? undefined : 'passphrase-hint'}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
        <button type="button" class="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
          Show
        </button>
      </div>
      {hint !== undefined && <small id="passphrase-hint">{hint}</small>}
    </div>
  )
}

function Words({ words }: { words: string }) {
  const [question] = useState(() => wordQuestion(words, Math.random()))
  const [isAsked, setAsked] = useState(false)
  const [answer, setAnswer] = useState('')
  const [isWrong, setWrong] = useState(false)
  const { isBusy, why, run } = useWork()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [isAsked])
  const submit = (event: Event): void => {
    event.preventDefault()
    if (!question.isRight(answer)) return setWrong(true)
    run(async () => {
      await call('setup.confirm', {})
      await lookAtSetup()
    })
  }
  if (!isAsked) {
    return (
      <div class="card">
        <h1 ref={heading} tabIndex={-1}>
          Your 24 words
        </h1>
        <p>
          They are your identity, whatever happens to this machine. They are shown once: write them on paper, and keep
          them from others.
        </p>
        <ol class="words">
          {words.split(' ').map((word, i) => (
            <li key={i}>{word}</li>
          ))}
        </ol>
        <div class="actions">
          <button type="button" class="button primary" onClick={() => setAsked(true)}>
            I have written them down
          </button>
        </div>
      </div>
    )
  }
  return (
    <form class="card" onSubmit={submit}>
      <h1 ref={heading} tabIndex={-1}>
        One of them, to be sure
      </h1>
      <label class="field">
        <span>Which word has the number {question.number}?</span>
        <input
          value={answer}
          required
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          aria-invalid={isWrong}
          onInput={(event) => {
            setAnswer(event.currentTarget.value)
            setWrong(false)
          }}
        />
      </label>
      {isWrong && (
        <p class="problem-text" role="alert">
          That is another word. Look at your paper, or at the words again.
        </p>
      )}
      {why !== undefined && (
        <p class="problem-text" role="alert">
          {why}
        </p>
      )}
      {isBusy ? (
        <Starting text="Your node starts" />
      ) : (
        <div class="actions">
          <button type="submit" class="button primary">
            Begin
          </button>
          <button type="button" class="button" onClick={() => setAsked(false)}>
            Show the words again
          </button>
        </div>
      )}
    </form>
  )
}

function Unlock({ name }: { name: string | undefined }) {
  const [passphrase, setPassphrase] = useState('')
  const { isBusy, why, run } = useWork()
  const submit = (event: Event): void => {
    event.preventDefault()
    run(async () => {
      await call('setup.unlock', { passphrase })
      await lookAtSetup()
    })
  }
  return (
    <form class="card" onSubmit={submit}>
      <h1>{name === undefined ? 'Welcome back' : `Welcome back, ${sanitiseLine(name)}`}</h1>
      <Passphrase label="Your passphrase" value={passphrase} onInput={setPassphrase} />
      {why !== undefined && (
        <p class="problem-text" role="alert">
          {why}
        </p>
      )}
      {isBusy ? (
        <Starting text="Opening; the passphrase takes a moment to check" />
      ) : (
        <div class="actions">
          <button type="submit" class="button primary">
            Unlock
          </button>
        </div>
      )}
    </form>
  )
}
