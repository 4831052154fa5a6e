/** Whether the terminal has the person's eyes: reports of focus are taken out of what it sends, before anybody reads keys. */
import type { Readable } from 'node:stream'

/** Asks a terminal to report focus, and not to any more. */
export const REPORT_FOCUS = '\u001b[?1004h'
export const IGNORE_FOCUS = '\u001b[?1004l'
// oxlint-disable-next-line no-control-regex -- it is what terminals send
const REPORT = /\u001b\[([IO])/g

/** The same stream without the reports, as a reader that calls `read` sees it. */
export function withoutFocusReports<S extends Readable>(stdin: S, onFocus: (focused: boolean) => void): S {
  const read = (): unknown => {
    const chunk: unknown = stdin.read()
    if (typeof chunk !== 'string') return chunk
    return chunk.replace(REPORT, (_, which: string) => {
      onFocus(which === 'I')
      return ''
    })
  }
  return new Proxy(stdin, {
    get: (target, name) => {
      if (name === 'read') return read
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
    },
  })
}
