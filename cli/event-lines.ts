/** Events of a node as data and as lines for people. */
import type { EventView } from '../node/api/methods.ts'
import type { Told } from '../node/api/client.ts'
import { block } from './layout.ts'
import { localTime } from './local-time.ts'
import type { Output } from './output.ts'
import { sanitiseLine, sanitiseLines } from './sanitise.ts'

/** What every line has; a field of an event never takes its place. */
const OWN_FIELDS = new Set(['v', 'cursor', 'event', 'at'])

/** Prints one event: `{cursor, event, at, …}` with its fields beside them, or a line. */
export async function tellEvent(out: Output, told: Told): Promise<void> {
  if ('lagged' in told) {
    const { from, to } = told.lagged
    if (out.json) await out.object({ event: 'lagged', from, to })
    else out.note(`events ${from} to ${to} are gone from the log`)
    return
  }
  if (out.json) {
    const { cursor, event, at, detail } = told
    const fields = Object.entries(detail).filter(([key]) => !OWN_FIELDS.has(key))
    await out.object({ cursor, event, at, ...Object.fromEntries(fields) })
  } else {
    await out.lines(eventLines(out, told))
  }
}

function eventLines(out: Output, { event, at, detail }: EventView): string[] {
  const { text, ...fields } = detail
  const who = fields.petname ?? fields.name
  const rest = Object.entries(fields)
    .filter(([key]) => key !== 'petname' && key !== 'name')
    .map(([key, value]) => `${sanitiseLine(key)}=${sanitiseLine(String(value))}`)
    .join(' ')
  const head = `${localTime(at)}  ${sanitiseLine(event)}${who === undefined ? '' : `  ${sanitiseLine(String(who))}`}`
  if (typeof text !== 'string') return [`${head}${rest === '' ? '' : `  ${out.style('dim', rest)}`}`]
  return block(`${head}: `, sanitiseLines(text), out.columns)
}
