/** The two ways to a friend: an invite of one's own, or one that somebody gave. */
import { useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import type { Invite } from '../api/table.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { Panel } from '../parts/panel.tsx'
import { QrCode } from '../parts/qr-code.tsx'
import { useAnswer } from '../parts/use-answer.ts'
import { attempt, tell } from '../state/failure.ts'
import { add, makeInvite } from '../state/people.ts'
import { fullTime } from '../state/times.ts'

const DAY_SECONDS = 86_400
const LIVES = [
  { days: 1, text: 'one day' },
  { days: 7, text: 'one week' },
  { days: 30, text: '30 days' },
]
const USES = [1, 5, 20]

export function AddFriend() {
  return (
    <Panel title="Add a friend">
      <InviteCard />
      <UseCard />
    </Panel>
  )
}

function InviteCard() {
  const [days, setDays] = useState(7)
  const [uses, setUses] = useState(1)
  const [made, setMade] = useState<Invite>()
  const make = (event: Event): void => {
    event.preventDefault()
    void attempt(async () => setMade(await makeInvite(uses, days * DAY_SECONDS)))
  }
  return (
    <section class="card" aria-labelledby="invite-title">
      <h2 id="invite-title">Invite somebody</h2>
      <p>Give it to them over a line that you trust. Who has it may ask; you decide.</p>
      <form class="in-a-row" onSubmit={make}>
        <label class="field">
          <span>Holds for</span>
          <select value={String(days)} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {LIVES.map((life) => (
              <option key={life.days} value={String(life.days)}>
                {life.text}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>For</span>
          <select value={String(uses)} onChange={(event) => setUses(Number(event.currentTarget.value))}>
            {USES.map((number) => (
              <option key={number} value={String(number)}>
                {number === 1 ? 'one friend' : `${number} friends`}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="button primary">
          Make an invite
        </button>
      </form>
      {made !== undefined && <MadeInvite invite={made} />}
      <LiveInvites key={made?.inviteId} />
    </section>
  )
}

function MadeInvite({ invite: { invite: link, expires } }: { invite: Invite }) {
  return (
    <div class="invite" role="group" aria-label="Your new invite">
      {/* in capitals, which mean the same, it needs far fewer dots */}
      <QrCode text={link.toUpperCase()} label="The invite as a QR code" />
      <div class="invite-text">
        <p class="link-text" dir="ltr">
          {link}
        </p>
        <CopyButton text={link} what="The invite" />
        <p class="weak">Until {fullTime(expires)}</p>
      </div>
    </div>
  )
}

function LiveInvites() {
  const [revoked, setRevoked] = useState(0)
  const answer = useAnswer(() => call('invite.list', {}), String(revoked))
  if (answer.state !== 'there' || answer.value.length === 0) return null
  const revoke = (inviteId: string): void => {
    void attempt(async () => {
      await call('invite.revoke', { inviteId })
      setRevoked((count) => count + 1)
      tell('The invite has ended.')
    })
  }
  return (
    <details class="more">
      <summary>Invites that are alive ({answer.value.length})</summary>
      <ul class="lines">
        {answer.value.map(({ inviteId, expires, used }) => (
          <li key={inviteId}>
            <span>
              <code>{inviteId.slice(0, 12)}</code> · used {used} {used === 1 ? 'time' : 'times'} · until{' '}
              {fullTime(expires)}
            </span>
            <button type="button" class="button small" onClick={() => revoke(inviteId)}>
              End<span class="aside"> invite {inviteId.slice(0, 12)}</span>
            </button>
          </li>
        ))}
      </ul>
    </details>
  )
}

function UseCard() {
  const [target, setTarget] = useState('')
  const [petname, setPetname] = useState('')
  const [note, setNote] = useState('')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (!(await add(target.trim(), petname.trim(), note.trim()))) return
    setTarget('')
    setPetname('')
    setNote('')
  }
  return (
    <section class="card" aria-labelledby="use-title">
      <h2 id="use-title">I was given an invite</h2>
      <form onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>The invite, or an ID</span>
          <textarea
            rows={3}
            required
            dir="ltr"
            spellcheck={false}
            value={target}
            onInput={(event) => setTarget(event.currentTarget.value)}
          />
        </label>
        <details class="more">
          <summary>A name for them, a word for them</summary>
          <label class="field">
            <span>What you call them</span>
            <input
              value={petname}
              dir="auto"
              autoComplete="off"
              onInput={(event) => setPetname(event.currentTarget.value)}
            />
            <small>Only you see this name.</small>
          </label>
          <label class="field">
            <span>What they read with your request</span>
            <input value={note} dir="auto" autoComplete="off" onInput={(event) => setNote(event.currentTarget.value)} />
          </label>
        </details>
        <div class="actions">
          <button type="submit" class="button primary">
            Ask
          </button>
        </div>
      </form>
    </section>
  )
}
