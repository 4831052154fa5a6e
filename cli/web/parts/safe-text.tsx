/**
 * What others wrote, as text nodes and nothing else (T45). Controls show as pictures, marks that would reorder or hide are
 * left out, and each piece stands in an isolate of its own, so that it orders nothing beside it.
 */
import { sanitiseLine, sanitiseLines } from '../../sanitise.ts'
import { inOneLine } from '../state/excerpt.ts'
import { linkParts } from '../state/links.ts'
import { dialog } from '../state/page.ts'

/** A name or another text of one line. */
export function Name({ text }: { text: string }) {
  return <bdi>{sanitiseLine(text)}</bdi>
}

/** The beginning of a text of several lines, in one. */
export function Preview({ text }: { text: string }) {
  return <bdi>{inOneLine(text)}</bdi>
}

/**
 * A message of several lines; its addresses are shown whole, and open after a question.
 * @param isReachable Tab comes to its addresses
 */
export function MessageText({ text, isReachable = true }: { text: string; isReachable?: boolean }) {
  const parts = linkParts(sanitiseLines(text).join('\n'))
  return (
    <p class="message-text" dir="auto">
      {parts.map((part) =>
        'href' in part ? <Address text={part.text} href={part.href} isReachable={isReachable} /> : part.text,
      )}
    </p>
  )
}

function Address({ text, href, isReachable }: { text: string; href: string; isReachable: boolean }) {
  const ask = (event: MouseEvent): void => {
    event.preventDefault()
    dialog.value = { kind: 'link', href, shown: text }
  }
  // the middle button and "open in a new tab" go past the question; what they open is what stands there
  return (
    <a href={href} target="_blank" rel="noreferrer noopener" dir="ltr" tabIndex={isReachable ? 0 : -1} onClick={ask}>
      {text}
    </a>
  )
}
