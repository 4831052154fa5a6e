/** Links in messages: only what a browser takes, and always shown whole before anything is opened. */

/** Longer ones are not handed to another program. */
const MAX_LINK = 2000
const LINK = /\bhttps?:\/\/[^\s<>"'`]+/iu

/** The first link of a text, as a browser would take it: in ASCII, so that no letter looks like another. */
export function linkIn(text: string): string | undefined {
  const found = LINK.exec(text)?.[0].replace(/[),.;:!?\]]+$/, '')
  if (found === undefined || found.length > MAX_LINK) return undefined
  try {
    const { href, protocol } = new URL(found)
    return protocol === 'http:' || protocol === 'https:' ? href : undefined
  } catch {
    return undefined
  }
}
