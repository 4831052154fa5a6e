/** Asked once before a friendship ends. */
import { closeDialog, Dialog } from '../../parts/dialog.tsx'
import { Name } from '../../parts/safe-text.tsx'
import { conversations, nameOf } from '../../state/page.ts'
import { block, remove } from '../../state/people.ts'

export function EndDialog({ id, how }: { id: string; how: 'remove' | 'block' }) {
  const row = conversations.value?.find((other) => other.id === id)
  const isBlock = how === 'block'
  const act = async (): Promise<void> => {
    if (await (isBlock ? block(id) : remove(id))) closeDialog()
  }
  return (
    <Dialog title={isBlock ? 'Block this person?' : 'End this friendship?'}>
      <p>
        <strong>
          <Name text={row === undefined ? id : nameOf(row)} />
        </strong>{' '}
        {isBlock
          ? 'can write to you no more, and can not ask again. What you wrote each other stays here.'
          : 'can write to you no more, but may ask again. What you wrote each other stays here.'}
      </p>
      <div class="actions">
        <button type="button" class="button danger" onClick={() => void act()}>
          {isBlock ? 'Block' : 'End it'}
        </button>
        <button type="button" class="button" onClick={closeDialog}>
          Cancel
        </button>
      </div>
    </Dialog>
  )
}
