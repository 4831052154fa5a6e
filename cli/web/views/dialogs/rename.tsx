/** The name by which one calls a friend; nobody else sees it. */
import { useState } from 'preact/hooks'
import { closeDialog, Dialog } from '../../parts/dialog.tsx'
import { conversations } from '../../state/page.ts'
import { rename } from '../../state/people.ts'

export function RenameDialog({ id }: { id: string }) {
  const row = conversations.value?.find((other) => other.id === id)
  const [name, setName] = useState(row?.petname ?? '')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (await rename(id, name.trim())) closeDialog()
  }
  return (
    <Dialog title="Change the name">
      <form onSubmit={(event) => void submit(event)}>
        <label class="field">
          <span>What you call them</span>
          <input
            value={name}
            dir="auto"
            autoComplete="off"
            required
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <small>Only you see this name.</small>
        </label>
        <div class="actions">
          <button type="submit" class="button primary">
            Save
          </button>
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  )
}
