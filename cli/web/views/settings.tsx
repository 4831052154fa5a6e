/** How this page looks and speaks here, and how the node is set. */
import { useState } from 'preact/hooks'
import { call, closeSession } from '../api/client.ts'
import type { Setting } from '../api/table.ts'
import { Panel } from '../parts/panel.tsx'
import { useAnswer } from '../parts/use-answer.ts'
import { attempt, tell } from '../state/failure.ts'
import { canNotify, turnOn } from '../state/notifications.ts'
import { phase } from '../state/page.ts'
import { preferences, setPreference, type Theme, THEMES } from '../state/preferences.ts'

const THEME_WORDS: Record<Theme, string> = { auto: 'As the system', light: 'Light', dark: 'Dark' }

export function SettingsView() {
  return (
    <Panel title="Settings">
      <PageCard />
      <NodeSettings />
      <EndCard />
    </Panel>
  )
}

function PageCard() {
  const { theme, notifications } = preferences.value
  const toggle = (isOn: boolean): void => {
    if (!isOn) return setPreference('notifications', false)
    void turnOn().then((isGranted) => {
      if (!isGranted) tell('This browser does not allow notifications here.')
    })
  }
  return (
    <section class="card" aria-labelledby="page-title">
      <h2 id="page-title">This page</h2>
      <fieldset class="choice">
        <legend>Colours</legend>
        {THEMES.map((value) => (
          <label key={value}>
            <input
              type="radio"
              name="theme"
              value={value}
              checked={theme === value}
              onChange={() => setPreference('theme', value)}
            />
            <span>{THEME_WORDS[value]}</span>
          </label>
        ))}
      </fieldset>
      <label class="switch">
        <input
          type="checkbox"
          role="switch"
          checked={notifications}
          disabled={!canNotify() && !notifications}
          onChange={(event) => toggle(event.currentTarget.checked)}
        />
        <span>
          Tell me of new messages on the desktop
          <small>Without names and without what is in them.</small>
        </span>
      </label>
    </section>
  )
}

function NodeSettings() {
  const answer = useAnswer(() => call('settings.list', {}), '')
  return (
    <section class="card" aria-labelledby="node-settings-title">
      <h2 id="node-settings-title">Your node</h2>
      {answer.state === 'asking' && <p role="status">Asking the node …</p>}
      {answer.state === 'failed' && <p role="alert">{answer.why}</p>}
      {answer.state === 'there' && (
        <ul class="settings">
          {answer.value.map((setting) => (
            <SettingRow key={setting.key} first={setting} />
          ))}
        </ul>
      )}
    </section>
  )
}

function SettingRow({ first }: { first: Setting }) {
  const [setting, setSetting] = useState(first)
  const [text, setText] = useState(first.value ?? '')
  const isChanged = text !== (setting.value ?? '')
  const save = (value: string | null): void => {
    void attempt(async () => {
      const saved = await call('settings.set', { key: setting.key, value })
      setSetting(saved)
      setText(saved.value ?? '')
      tell(saved.restart ? 'Saved. It holds when the node starts again.' : 'Saved.')
    })
  }
  return (
    <li>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save(text)
        }}
      >
        <label class="field">
          <span>
            <code>{setting.key}</code> {setting.description}
          </span>
          <input value={text} dir="ltr" spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="setting-foot">
          <small>
            {ORIGINS[setting.origin] ?? setting.origin}
            {setting.restart && ' · holds after a restart'}
          </small>
          {isChanged && (
            <button type="submit" class="button small primary">
              Save<span class="aside"> {setting.key}</span>
            </button>
          )}
          {setting.origin === 'file' && !isChanged && (
            <button type="button" class="button small quiet" onClick={() => save(null)}>
              Back to the default<span class="aside"> of {setting.key}</span>
            </button>
          )}
        </div>
      </form>
    </li>
  )
}

const ORIGINS: Record<string, string> = {
  default: 'default',
  file: 'set in the file',
  environment: 'set by the environment',
  flag: 'set by the command line',
}

function EndCard() {
  const end = (): void => {
    void attempt(async () => {
      await closeSession()
      phase.value = 'refused'
    })
  }
  return (
    <section class="card" aria-labelledby="end-title">
      <h2 id="end-title">This browser</h2>
      <p>
        Ends what this browser may do. <code>kith ui</code> opens the page again. The node runs on.
      </p>
      <button type="button" class="button" onClick={end}>
        Sign out
      </button>
    </section>
  )
}
