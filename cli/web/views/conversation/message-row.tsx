/** One message with what stands above it. */
import { DeliveryMark } from '../../parts/delivery-mark.tsx'
import { MessageText, Name } from '../../parts/safe-text.tsx'
import { dialog } from '../../state/page.ts'
import type { MessageRow } from '../../state/rows.ts'
import { discard, sendAgain } from '../../state/talk.ts'
import type { ShownMessage } from '../../state/thread.ts'
import { clockTime, dayLine, fullTime } from '../../state/times.ts'

interface Props {
  row: MessageRow
  name: string
  /** Tab comes here; the arrows go on. */
  isReachable: boolean
}

export function MessageItem({ row, name, isReachable }: Props) {
  const { message, startsDay, startsUnread, startsGroup } = row
  const classes = ['message', message.direction, message.type, startsGroup ? 'starts' : '', `is-${message.state}`]
  return (
    <>
      {startsDay && (
        <li class="day">
          <span>{dayLine(message.sentAt, new Date())}</span>
        </li>
      )}
      {startsUnread && (
        <li class="unread-line">
          <span>New messages</span>
        </li>
      )}
      {message.missing !== undefined && message.missing > 0 && (
        <li class="gap">
          <span>At least {message.missing} not here: on the way, or lost</span>
        </li>
      )}
      <li class={classes.join(' ')} data-key={message.key} tabIndex={isReachable ? 0 : -1}>
        {message.type === 'notice' ? (
          <Notice message={message} />
        ) : (
          <Bubble row={row} name={name} isReachable={isReachable} />
        )}
      </li>
    </>
  )
}

function Notice({ message }: { message: ShownMessage }) {
  return (
    <p class="notice-line">
      <Name text={message.text} /> <Time iso={message.sentAt} />
    </p>
  )
}

function Bubble({ row: { message, showsState }, name, isReachable }: Props) {
  const isOwn = message.direction === 'out'
  return (
    <>
      <div class="bubble">
        <span class="aside">{isOwn ? 'You: ' : <Name text={`${name}: `} />}</span>
        {message.type === 'unsupported' ? (
          <p class="message-text unsupported-text">This version cannot show this message.</p>
        ) : (
          <MessageText text={message.text} isReachable={isReachable} />
        )}
      </div>
      <div class="meta">
        <Time iso={message.sentAt} />
        {isOwn && <State message={message} isWordShown={showsState} />}
      </div>
      {message.state === 'unsent' && <Unsent message={message} />}
    </>
  )
}

function Time({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={fullTime(iso)}>
      {clockTime(iso)}
    </time>
  )
}

/** The mark leads to the way that the message took. */
function State({ message, isWordShown }: { message: ShownMessage; isWordShown: boolean }) {
  if (message.messageId === undefined) return <DeliveryMark state={message.state} isWordShown />
  return (
    <button type="button" class="state" tabIndex={-1} onClick={() => (dialog.value = { kind: 'trace', message })}>
      <DeliveryMark state={message.state} isWordShown={isWordShown || message.reason !== undefined} />
      <span class="aside">, show its way</span>
    </button>
  )
}

function Unsent({ message }: { message: ShownMessage }) {
  return (
    <div class="unsent" role="alert">
      <span>{message.reason}</span>
      <button type="button" class="button small" onClick={() => void sendAgain(message.key)}>
        Send again
      </button>
      <button type="button" class="button small quiet" onClick={() => discard(message.key)}>
        Discard
      </button>
    </div>
  )
}
