/** The way of a message: a picture of it, and every step in words. */
import { call } from '../../api/client.ts'
import type { TraceStep } from '../../api/table.ts'
import { DeliveryMark } from '../../parts/delivery-mark.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Name } from '../../parts/safe-text.tsx'
import { useAnswer } from '../../parts/use-answer.ts'
import { nameOf, openConversation, thread } from '../../state/page.ts'
import { STATE_MEANINGS } from '../../state/states.ts'
import type { ShownMessage } from '../../state/thread.ts'
import { clockTime, fullTime } from '../../state/times.ts'
import { isDirect, labelOf, tracePicture } from '../../state/trace-picture.ts'
import { Way } from './way.tsx'

const STEP_WORDS: Record<string, string> = {
  queued: 'Safe on your disk',
  sealed: 'Sealed for your friend',
  published: 'Handed to neighbours on gossip',
  receipt: 'A relay signed for it',
  refused: 'A relay did not take it',
  held: 'A relay was asked, and still holds it',
  fetched: 'Your friend read it at a relay',
  released: 'Your friend gave the mailbox up',
  lost: 'A relay holds it no more; it is put again',
  missing: 'A relay does not show it; it is asked again',
  caught: 'A relay dropped it although it had signed',
  delivered: 'Your friend’s device has it',
  expired: 'Nobody fetched it in time',
  failed: 'It cannot reach your friend any more',
  waiting: 'Waiting',
}

export function TraceDialog({ message }: { message: ShownMessage }) {
  // the message as it is now: its way goes on while somebody looks
  const now = thread.value?.messages.find(({ messageId }) => messageId === message.messageId) ?? message
  const answer = useAnswer(() => call('message.trace', { messageId: message.messageId! }), now.state)
  const friend = openConversation.value === undefined ? 'Friend' : nameOf(openConversation.value)
  return (
    <Dialog title="The way of this message">
      <p class="trace-state">
        <DeliveryMark state={now.state} isWordShown /> {STATE_MEANINGS[now.state]}
      </p>
      {answer.state === 'asking' && <p role="status">Asking the node …</p>}
      {answer.state === 'failed' && <p role="alert">{answer.why}</p>}
      {answer.state === 'there' && (
        <>
          <Way picture={tracePicture(answer.value)} friend={friend} />
          <ol class="steps">
            {answer.value.steps.map((step, i) => (
              <Step key={i} step={step} />
            ))}
          </ol>
        </>
      )}
    </Dialog>
  )
}

function Step({ step: told }: { step: TraceStep }) {
  const { step, at, by, until } = told
  const words = isDirect(told) ? 'Your friend’s own node took it' : (STEP_WORDS[step] ?? step)
  const detail = isDirect(told) ? '' : told.detail
  return (
    <li class={`step step-${step}`}>
      <time dateTime={at} title={fullTime(at)}>
        {clockTime(at)}
      </time>
      <div>
        <strong>{words}</strong>
        {by !== 'me' && by !== '' && !by.startsWith('kith1') && <code title={by}>{labelOf(by)}</code>}
        {detail !== '' && (
          <span class="step-detail">
            <Name text={detail} />
          </span>
        )}
        {until !== undefined && <span class="step-detail">until {fullTime(until)}</span>}
      </div>
    </li>
  )
}
