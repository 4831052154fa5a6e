/** Puts a text on the clipboard, and says so. */
import { attempt, tell } from '../state/failure.ts'
import { Icon } from './icon.tsx'

export function CopyButton({ text, what }: { text: string; what: string }) {
  const copy = (): void => {
    void attempt(async () => {
      await navigator.clipboard.writeText(text)
      tell(`${what} is on the clipboard.`)
    })
  }
  return (
    <button type="button" class="button" onClick={copy}>
      <Icon name="copy" size={16} /> Copy
    </button>
  )
}
