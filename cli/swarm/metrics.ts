/**
 * What a run says about delivery: counts, latencies, recovery. A pure function of what was recorded; judged by the
 * histories and event logs of the nodes alone, never by what the swarm hoped.
 */
import type { FaultProxy } from './fault-proxy.ts'
import type { Fault, Name } from './schedule.ts'

export const METRICS = [
  'planned',
  'accepted',
  'refused',
  'unanswered',
  'unsent',
  'arrived',
  'acknowledged',
  'lost',
  'undecided',
  'duplicated',
  'disordered',
  'custodyP50Ms',
  'custodyP95Ms',
  'custodyP99Ms',
  'deliveredP50Ms',
  'deliveredP95Ms',
  'deliveredP99Ms',
  'arrivalP50Ms',
  'arrivalP95Ms',
  'arrivalP99Ms',
  'arrivalMaxMs',
  'recoveryMaxMs',
  'unrecovered',
  'memoryMaxMiB',
  'cpuMaxSeconds',
  'startSeconds',
  'friendsSeconds',
  'settleSeconds',
  'heldBack',
  'connections',
  'refusedConnections',
  'swallowedConnections',
  'brokenConnections',
  'lostChunks',
  'stalledChunks',
] as const
export type MetricName = (typeof METRICS)[number]
/** Null is what was not measured, because nothing of the kind happened. */
export type Metrics = Record<MetricName, number | null>

/** Times in a recording are milliseconds from the beginning of the schedule. */
export interface SentMessage {
  from: Name
  to: Name
  text: string
  plannedAt: number
  /** When the node was asked; undefined when it never was up again. */
  sentAt?: number
  /** `unanswered`: the node ended while it was asked, so that nobody knows. */
  outcome: 'accepted' | 'refused' | 'unanswered' | 'unsent'
  messageId?: string
  /** Of the refusal. */
  code?: string
}

/** A row of a node's event log that concerns a message. */
export interface LoggedMessage {
  at: number
  messageId: string
  /** Shown to its author, shown to the friend, or a state that it reached. */
  kind: 'out' | 'in' | 'custody' | 'delivered' | 'other'
  /** Whom the conversation is with; a state says none. */
  friend?: Name
}

export interface Strike {
  fault: Fault
  /** When it really began and ended. */
  began: number
  ended?: number
}

/** What a process used in all of its lives. */
export interface Usage {
  memoryMaxBytes: number
  cpuMs: number
  starts: number
}

export interface Recording {
  messages: SentMessage[]
  /** By node, in the order of the log. */
  logs: Record<Name, LoggedMessage[]>
  /** By node and friend: message IDs as the history shows them; a node that is gone for good has none. */
  histories: Record<Name, Record<Name, string[]>>
  strikes: Strike[]
  /** By node: its relays. */
  relaysOf: Record<Name, Name[]>
  usage: Record<Name, Usage>
  seconds: { start: number; friends: number; settle: number }
  /** Messages that were offered again, because 1000 waited for the friend. */
  held: number
  links: FaultProxy['counts']
}

/** A message with the moments at which its states were reached. */
export interface Journey extends SentMessage {
  arrivedAt?: number
  custodyAt?: number
  deliveredAt?: number
  /** An end of it is gone for good: nobody can say. */
  undecided: boolean
  lost: boolean
}

export interface Recovery extends Strike {
  /** From its end (of a relay's absence: from its beginning) to the first message across it; undefined when none came, and of bad links. */
  recoveryMs?: number
}

export interface Findings {
  metrics: Metrics
  journeys: Journey[]
  recoveries: Recovery[]
  /** Texts of what must not be, for people: at most 100 of each. */
  lost: string[]
  duplicated: string[]
  disordered: string[]
}

const MAX_SHOWN = 100

export function evaluate(recording: Recording): Findings {
  const journeys = followMessages(recording)
  const recoveries = recording.strikes.map((strike) => recover(strike, journeys, recording))
  const lost = journeys.filter((journey) => journey.lost).map(({ text }) => text)
  const duplicated = findDuplicates(recording)
  const disordered = findDisorder(recording)
  const metrics = measure(recording, journeys, recoveries)
  Object.assign(metrics, { lost: lost.length, duplicated: duplicated.length, disordered: disordered.length })
  const shown = (all: string[]): string[] => all.slice(0, MAX_SHOWN)
  return {
    metrics,
    journeys,
    recoveries,
    lost: shown(lost),
    duplicated: shown(duplicated),
    disordered: shown(disordered),
  }
}

function followMessages({ messages, logs, histories }: Recording): Journey[] {
  const first = (name: Name, kind: LoggedMessage['kind']): Map<string, number> => {
    const found = new Map<string, number>()
    for (const row of logs[name] ?? [])
      if (row.kind === kind && !found.has(row.messageId)) found.set(row.messageId, row.at)
    return found
  }
  const names = Object.keys(logs)
  const arrivals = new Map(names.map((name) => [name, first(name, 'in')]))
  const custody = new Map(names.map((name) => [name, first(name, 'custody')]))
  const delivered = new Map(names.map((name) => [name, first(name, 'delivered')]))
  const shown = new Map(names.map((name) => [name, new Set(Object.values(histories[name] ?? {}).flat())]))
  return messages.map((message) => {
    const { from, to, messageId, outcome } = message
    const undecided = histories[from] === undefined || histories[to] === undefined
    if (messageId === undefined) return { ...message, undecided, lost: false }
    return {
      ...message,
      ...optional('arrivedAt', arrivals.get(to)?.get(messageId)),
      ...optional('custodyAt', custody.get(from)?.get(messageId)),
      ...optional('deliveredAt', delivered.get(from)?.get(messageId)),
      undecided,
      lost: outcome === 'accepted' && !undecided && !shown.get(to)!.has(messageId),
    }
  })
}

function optional<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>)
}

/** A message that a node showed twice, live or in its history. */
function findDuplicates({ logs, histories }: Recording): string[] {
  const found: string[] = []
  const twice = (where: string, ids: string[]): void => {
    const seen = new Set<string>()
    for (const id of ids) {
      if (seen.has(id)) found.push(`${id} twice in ${where}`)
      seen.add(id)
    }
  }
  for (const [name, log] of Object.entries(logs)) {
    const told = log.filter(({ kind }) => kind === 'in' || kind === 'out')
    twice(
      `the log of ${name}`,
      told.map(({ messageId }) => messageId),
    )
  }
  for (const [name, friends] of Object.entries(histories)) {
    for (const [friend, ids] of Object.entries(friends)) twice(`the history of ${name} with ${friend}`, ids)
  }
  return found
}

/**
 * A history that shows a message before one that its author had seen or written before it. What an author had seen is
 * the beginning of the author's log up to the message.
 */
function findDisorder({ logs, histories }: Recording): string[] {
  const found: string[] = []
  for (const [reader, friends] of Object.entries(histories)) {
    for (const [friend, ids] of Object.entries(friends)) {
      const place = new Map(ids.map((id, index) => [id, index]))
      for (const [author, other] of [
        [reader, friend],
        [friend, reader],
      ] as const) {
        let latest: { id: string; at: number } | undefined
        for (const { messageId, kind, friend: with_ } of logs[author] ?? []) {
          const at = place.get(messageId)
          if ((kind !== 'in' && kind !== 'out') || with_ !== other || at === undefined) continue
          if (kind === 'out' && latest !== undefined && at < latest.at) {
            found.push(`${reader} shows ${messageId} of ${author} before ${latest.id}, which ${author} knew`)
          }
          if (latest === undefined || at > latest.at) latest = { id: messageId, at }
        }
      }
    }
  }
  return found
}

function recover(strike: Strike, journeys: readonly Journey[], { relaysOf }: Recording): Recovery {
  const { fault, began, ended } = strike
  // bad links let messages through: there is nothing to recover from
  if (fault.rate !== undefined) return strike
  const isRelay = fault.who?.startsWith('r') === true
  const from = isRelay ? began : ended
  if (from === undefined) return strike
  const crosses = ({ from: author, to, sentAt = 0 }: Journey): boolean => {
    if (fault.groups !== undefined) return fault.groups[0].includes(author) !== fault.groups[0].includes(to)
    if (isRelay) return sentAt >= began && relaysOf[to]!.includes(fault.who!)
    return author === fault.who || to === fault.who
  }
  const arrivals = journeys.flatMap((one) =>
    one.arrivedAt !== undefined && one.arrivedAt >= from && crosses(one) ? [one.arrivedAt] : [],
  )
  return arrivals.length === 0 ? strike : { ...strike, recoveryMs: Math.min(...arrivals) - from }
}

function measure(recording: Recording, journeys: readonly Journey[], recoveries: readonly Recovery[]): Metrics {
  const count = (fits: (journey: Journey) => boolean): number => journeys.filter(fits).length
  const latency = (state: 'custodyAt' | 'deliveredAt' | 'arrivedAt'): number[] =>
    journeys.flatMap(({ sentAt, [state]: at }) =>
      sentAt === undefined || at === undefined ? [] : [Math.max(0, at - sentAt)],
    )
  const [custody, delivered, arrival] = [latency('custodyAt'), latency('deliveredAt'), latency('arrivedAt')]
  const usage = Object.values(recording.usage)
  const { seconds, links, held } = recording
  return {
    planned: journeys.length,
    accepted: count(({ outcome }) => outcome === 'accepted'),
    refused: count(({ outcome }) => outcome === 'refused'),
    unanswered: count(({ outcome }) => outcome === 'unanswered'),
    unsent: count(({ outcome }) => outcome === 'unsent'),
    arrived: count(({ arrivedAt }) => arrivedAt !== undefined),
    acknowledged: count(({ deliveredAt }) => deliveredAt !== undefined),
    undecided: count(({ outcome, undecided }) => outcome === 'accepted' && undecided),
    lost: null,
    duplicated: null,
    disordered: null,
    custodyP50Ms: percentile(custody, 50),
    custodyP95Ms: percentile(custody, 95),
    custodyP99Ms: percentile(custody, 99),
    deliveredP50Ms: percentile(delivered, 50),
    deliveredP95Ms: percentile(delivered, 95),
    deliveredP99Ms: percentile(delivered, 99),
    arrivalP50Ms: percentile(arrival, 50),
    arrivalP95Ms: percentile(arrival, 95),
    arrivalP99Ms: percentile(arrival, 99),
    arrivalMaxMs: percentile(arrival, 100),
    recoveryMaxMs: percentile(
      recoveries.flatMap(({ recoveryMs }) => recoveryMs ?? []),
      100,
    ),
    unrecovered: recoveries.filter(({ fault, recoveryMs }) => fault.rate === undefined && recoveryMs === undefined)
      .length,
    memoryMaxMiB: percentile(
      usage.map(({ memoryMaxBytes }) => Math.round(memoryMaxBytes / 1024 ** 2)),
      100,
    ),
    cpuMaxSeconds: percentile(
      usage.map(({ cpuMs }) => cpuMs / 1000),
      100,
    ),
    startSeconds: seconds.start,
    friendsSeconds: seconds.friends,
    settleSeconds: seconds.settle,
    heldBack: held,
    connections: links.opened,
    refusedConnections: links.refused,
    swallowedConnections: links.swallowed,
    brokenConnections: links.broken,
    lostChunks: links.lost,
    stalledChunks: links.stalled,
  }
}

/** The smallest value that so many percent of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null
}
