/** The one dialog that is open, if any. */
import { dialog } from '../../state/page.ts'
import { EndDialog } from './end.tsx'
import { KeysDialog } from './keys.tsx'
import { LinkDialog } from './link.tsx'
import { RenameDialog } from './rename.tsx'
import { TraceDialog } from './trace.tsx'
import { VerifyDialog } from './verify.tsx'

export function Dialogs() {
  const open = dialog.value
  switch (open?.kind) {
    case 'keys':
      return <KeysDialog />
    case 'verify':
      return <VerifyDialog id={open.id} />
    case 'trace':
      return <TraceDialog message={open.message} />
    case 'link':
      return <LinkDialog href={open.href} shown={open.shown} />
    case 'rename':
      return <RenameDialog id={open.id} />
    case 'end':
      return <EndDialog id={open.id} how={open.how} />
    default:
      return null
  }
}
