/** How the node is: what is wrong, its relays, and how it is connected. */
import { call } from '../api/client.ts'
import type { Status } from '../api/table.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { Panel } from '../parts/panel.tsx'
import { Name } from '../parts/safe-text.tsx'
import { useAnswer } from '../parts/use-answer.ts'
import { attempt, tell } from '../state/failure.ts'
import { isGone, status } from '../state/page.ts'
import { refreshStatus } from '../state/session.ts'
import { fullTime, span } from '../state/times.ts'

export function NetworkView() {
  const told = status.value
  return (
    <Panel title="Network">
      {told === undefined ? (
        <p role="status">Asking the node …</p>
      ) : (
        <>
          <Problems problems={told.problems} />
          <Relays relays={told.relays} />
          <NodeCard told={told} />
          <Proofs />
        </>
      )}
    </Panel>
  )
}

function Problems({ problems }: { problems: Status['problems'] }) {
  const trust = (): void => {
    void attempt(async () => {
      await call('node.trust', {})
      await refreshStatus()
      tell('Sending goes on.')
    })
  }
  if (problems.length === 0) return null
  return (
    <section class="card problem-card" aria-labelledby="problems-title">
      <h2 id="problems-title">What is wrong</h2>
      <ul class="lines tall">
        {problems.map(({ code, message, hint }) => (
          <li key={`${code} ${message}`}>
            <div>
              <strong>
                <Name text={message} />
              </strong>
              <p class="weak">
                <Name text={hint} />
              </p>
            </div>
            {code === 'HOME_CHANGED' && (
              <button type="button" class="button" onClick={trust}>
                This is the only copy
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Relays({ relays }: { relays: Status['relays'] }) {
  return (
    <section class="card" aria-labelledby="relays-title">
      <h2 id="relays-title">Relays</h2>
      <p>They keep mail for you while you are away. They see sealed envelopes, and nothing in them.</p>
      {relays.length === 0 && (
        <p class="empty">
          None yet. Name one under <a href="#/settings">settings</a>.
        </p>
      )}
      <ul class="lines tall">
        {relays.map(({ address, connected, problem, standIn }) => (
          <li key={address}>
            <div>
              <span class={connected ? 'pill good' : 'pill bad'}>{connected ? 'Connected' : 'Not reached'}</span>
              {standIn === true && <span class="pill">Stands in</span>}
              <code class="address">{address}</code>
              {problem !== undefined && (
                <p class="weak">
                  <Name text={problem} />
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}

function NodeCard({ told }: { told: Status }) {
  return (
    <section class="card" aria-labelledby="node-title">
      <h2 id="node-title">This node</h2>
      <dl class="facts">
        <Fact name="State" value={isGone.value ? 'stopped' : `running for ${span(told.uptime)}`} />
        <Fact name="Other peers" value={told.peers === 0 ? 'none connected' : String(told.peers)} />
        <Fact name="Not yet delivered" value={String(told.unacknowledged)} />
        {told.recordsTaken !== undefined && <Fact name="Holders of your record" value={String(told.recordsTaken)} />}
        {told.clockCorrection !== undefined && told.clockCorrection !== 0 && (
          <Fact
            name="Clock of this machine"
            value={`${Math.abs(told.clockCorrection)} s ${told.clockCorrection > 0 ? 'slow' : 'fast'}`}
          />
        )}
      </dl>
      {told.id !== undefined && (
        <div class="own-id">
          <p>
            Your ID
            <code>{told.id}</code>
          </p>
          <CopyButton text={told.id} what="Your ID" />
        </div>
      )}
      <details class="more">
        <summary>Addresses</summary>
        <ul class="lines">
          {told.addresses.map((address) => (
            <li key={address}>
              <code class="address">{address}</code>
            </li>
          ))}
        </ul>
      </details>
    </section>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Proofs() {
  const answer = useAnswer(() => call('relay.proofs', {}), '')
  if (answer.state !== 'there' || answer.value.length === 0) return null
  return (
    <section class="card" aria-labelledby="proofs-title">
      <h2 id="proofs-title">Relays that dropped mail</h2>
      <p>They signed that they keep it, and did not. Anybody can check these proofs.</p>
      <ul class="lines tall">
        {answer.value.map(({ peerId, provenAt, proof }) => (
          <li key={peerId}>
            <div>
              <code class="address">{peerId}</code>
              <p class="weak">{fullTime(provenAt)}</p>
            </div>
            <CopyButton text={proof} what="The proof" />
          </li>
        ))}
      </ul>
    </section>
  )
}
