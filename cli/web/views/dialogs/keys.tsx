/** Every key of the page, out of the table that handles them. */
import { Dialog } from '../../parts/dialog.tsx'
import { KEYS, LOCAL_KEYS } from '../../state/keys.ts'

export function KeysDialog() {
  return (
    <Dialog title="Keys">
      <Table lines={KEYS} caption="Everywhere" />
      <Table lines={LOCAL_KEYS} caption="Where you are" />
    </Dialog>
  )
}

function Table({ lines, caption }: { lines: readonly { shown: string; does: string }[]; caption: string }) {
  return (
    <table class="keys">
      <caption>{caption}</caption>
      <tbody>
        {lines.map(({ shown, does }) => (
          <tr key={does}>
            <th scope="row">
              {shown.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </th>
            <td>{does}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
