/**
 * The report of a run: all that is needed to run its schedule again, and what was found (report-page.ts writes it). What is
 * read back is checked, since reports are passed around.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UsageError } from '../../node/errors.ts'
import type { Verdict } from './assertion.ts'
import type { Findings, Usage } from './metrics.ts'
import { RATES, type SwarmOptions } from './options.ts'
import { type Fault, type Name, type Schedule } from './schedule.ts'

/** A change that breaks readers raises it. */
export const REPORT_SCHEMA = 2
const MAX_REPORT_BYTES = 256 * 1024 * 1024

export interface Report {
  schema: typeof REPORT_SCHEMA
  seed: number
  options: SwarmOptions
  schedule: Schedule
  versions: { kith: string; node: string; system: string }
  /** When the run ended, ISO 8601 in UTC. */
  at: string
  passed: boolean
  assertions: Verdict[]
  findings: Findings
  usage: Record<Name, Usage>
}

const name = z.string().regex(/^[nr][1-9]\d{0,2}$/)
const when = z.number().int().min(0)
const fault: z.ZodType<Fault> = z
  .strictObject({
    kind: z.enum(['partition', 'kill', 'churn', ...RATES]),
    at: when,
    until: when.optional(),
    groups: z.tuple([z.array(name).min(1), z.array(name).min(1)]).optional(),
    who: name.optional(),
    signal: z.enum(['SIGTERM', 'SIGKILL']).optional(),
    silent: z.boolean().optional(),
    rate: z.number().positive().max(1).optional(),
  })
  .refine(({ kind, groups, who, signal, until, rate }) => {
    if (kind === 'partition') return groups !== undefined && until !== undefined
    if (kind === 'kill' || kind === 'churn') return who !== undefined && signal !== undefined
    return rate !== undefined && until !== undefined
  })
const schedule: z.ZodType<Schedule> = z.strictObject({
  nodes: z.array(name).min(2).max(200),
  relays: z.array(name).min(1).max(20),
  relaysOf: z.record(name, z.array(name).min(1)),
  friendships: z.array(z.tuple([name, name])).min(1),
  messages: z.array(z.strictObject({ at: when, from: name, to: name, text: z.string().min(1).max(1000) })),
  faults: z.array(fault),
})
const delay = z.number().int().min(0).max(60_000)
const window = z.strictObject({ at: when, lasts: when })
const rates = z.array(z.strictObject({ rate: z.number().positive().max(1), window: window.optional() }))
const options: z.ZodType<SwarmOptions> = z.strictObject({
  nodes: z.number(),
  relays: z.number(),
  friends: z.number(),
  messages: z.number(),
  duration: z.number(),
  churn: z.number(),
  partitions: z.array(z.strictObject({ ...window.shape, silent: z.boolean().optional() })),
  kills: z.array(
    z.strictObject({
      role: z.enum(['node', 'relay']),
      number: z.number().optional(),
      at: when,
      away: when.optional(),
    }),
  ),
  delayMs: z.tuple([delay, delay]).refine(([least, most]) => least <= most),
  loss: rates,
  breaks: rates,
  stalls: rates,
  seed: z.number(),
})
const replayable = z.object({ schema: z.literal(REPORT_SCHEMA), options, schedule })

/**
 * The options and the schedule of a report.
 * @param path of a `report.json` or of the directory that holds one
 * @throws UsageError when it is none
 */
export async function readReport(path: string): Promise<{ options: SwarmOptions; schedule: Schedule }> {
  try {
    const file = (await stat(path)).isDirectory() ? join(path, 'report.json') : path
    if ((await stat(file)).size > MAX_REPORT_BYTES) throw new Error(`larger than ${MAX_REPORT_BYTES} bytes`)
    const read = replayable.parse(JSON.parse(await readFile(file, 'utf8')))
    checkNames(read.schedule)
    return { options: read.options, schedule: read.schedule }
  } catch (cause) {
    const why = cause instanceof z.ZodError ? `${cause.issues[0]!.path.join('.')}: ${cause.issues[0]!.message}` : cause
    throw new UsageError('USAGE', `${path} is no report that can be run again (${String(why)})`, {
      hint: 'name a report.json that `kith swarm --report DIR` has written',
      cause,
    })
  }
}

function checkNames({ nodes, relays, relaysOf, friendships, messages, faults }: Schedule): void {
  const all = new Set([...nodes, ...relays])
  const friends = new Set(friendships.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]))
  const named = [
    ...friendships.flat(),
    ...Object.values(relaysOf).flat(),
    ...faults.flatMap(({ who, groups }) => [...(who === undefined ? [] : [who]), ...(groups ?? []).flat()]),
  ]
  const unknown = named.find((one) => !all.has(one)) ?? nodes.find((node) => relaysOf[node] === undefined)
  if (unknown !== undefined) throw new Error(`schedule: ${unknown} is not known`)
  const stranger = messages.find(({ from, to }) => !friends.has(`${from} ${to}`))
  if (stranger !== undefined) throw new Error(`schedule: ${stranger.from} and ${stranger.to} are no friends`)
}
