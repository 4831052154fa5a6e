/** The safety number of a friendship, to be compared face to face or on a line that one trusts. */
import { call } from '../../api/client.ts'
import { closeDialog, Dialog } from '../../parts/dialog.tsx'
import { QrCode } from '../../parts/qr-code.tsx'
import { Name } from '../../parts/safe-text.tsx'
import { useAnswer } from '../../parts/use-answer.ts'
import { conversations, nameOf } from '../../state/page.ts'
import { confirmNumber } from '../../state/people.ts'

const GROUP = /\d{1,5}/g

export function VerifyDialog({ id }: { id: string }) {
  const row = conversations.value?.find((other) => other.id === id)
  const answer = useAnswer(() => call('friend.verify', { who: id }), id)
  const confirm = async (): Promise<void> => {
    if (await confirmNumber(id)) closeDialog()
  }
  return (
    <Dialog title="Safety number">
      <p>
        <Name text={row === undefined ? id : nameOf(row)} /> sees the same number, if nobody stands between you. Compare
        it when you meet, or on a call where you know the voice.
      </p>
      {answer.state === 'asking' && <p role="status">Asking the node …</p>}
      {answer.state === 'failed' && <p role="alert">{answer.why}</p>}
      {answer.state === 'there' && (
        <>
          <div class="safety">
            <QrCode text={answer.value.code ?? answer.value.safetyNumber} label="The safety number as a QR code" />
            <p class="safety-number">
              {(answer.value.safetyNumber.match(GROUP) ?? []).map((digits, i) => (
                <span key={i}>{digits} </span>
              ))}
            </p>
          </div>
          {answer.value.verified && <p class="good-text">You have verified this number.</p>}
          <div class="actions">
            {!answer.value.verified && (
              <button type="button" class="button primary" onClick={() => void confirm()}>
                The numbers match
              </button>
            )}
            <button type="button" class="button" onClick={closeDialog}>
              {answer.value.verified ? 'Close' : 'Not now'}
            </button>
          </div>
        </>
      )}
    </Dialog>
  )
}
