/**
 * What a swarm is asked for, and how a tester writes it: `20s@30s` is a partition of 20 s that begins at 30 s, `silent:20s@30s`
 * one of which nobody is told, `relay@45s` kills a relay that comes back after 10 s, `node3@50s+20s` the third node for 20 s,
 * `relay@45s!` a relay for good, `2%:20s@30s` is a rate that holds for 20 s. Times are milliseconds from the moment at which
 * all are friends. Rates and delays have the names that the simulator of the tests has for them.
 */
import { UsageError } from '../../node/errors.ts'
import { parseDuration } from '../duration.ts'

/** Two groups that cannot reach one another for a while. */
export interface PartitionOrder {
  at: number
  lasts: number
  /** Connections stay open, and what is sent is swallowed; else they are reset. */
  silent?: boolean
}

/** Links that are bad for a while. */
export interface RateOrder {
  /** Of chunks, 0 to 1. */
  rate: number
  /** For the whole run when there is none. */
  window?: { at: number; lasts: number }
}

/** From, to; each chunk of bytes takes a time between the two. */
export type DelayRange = [number, number]

/** A process that is killed. */
export interface KillOrder {
  role: 'node' | 'relay'
  /** From 1; the seed chooses when it is left out. */
  number?: number
  at: number
  /** Until it is started again; undefined is never. */
  away?: number
}

export interface SwarmOptions {
  /** People's nodes: n1, n2, … */
  nodes: number
  /** r1, r2, … */
  relays: number
  /** Friends of a node, at most. */
  friends: number
  messages: number
  /** How long messages are written and faults strike, in milliseconds. */
  duration: number
  /** Part of the nodes that leaves in a minute and comes back, 0 to 1. */
  churn: number
  partitions: PartitionOrder[]
  kills: KillOrder[]
  /** How long every chunk of bytes takes from one process to another, in milliseconds. */
  delayMs: DelayRange
  /** Chunks that are lost once or more and come again later, as TCP has it. */
  loss: RateOrder[]
  /** Chunks that break their connection. */
  breaks: RateOrder[]
  /** Chunks at which their connection stands still for seconds. */
  stalls: RateOrder[]
  seed: number
}

/** Orders of a rate, as options name them; the fault is named alike. */
export const RATES = ['loss', 'breaks', 'stalls'] as const
export type RateName = (typeof RATES)[number]

/** What holds when nothing is said; the command's defaults are these. */
export const DEFAULT_OPTIONS: SwarmOptions = {
  nodes: 5,
  relays: 2,
  friends: 3,
  messages: 100,
  duration: 30_000,
  churn: 0,
  partitions: [],
  kills: [],
  delayMs: [0, 0],
  loss: [],
  breaks: [],
  stalls: [],
  seed: 1,
}

export const MAX_NODES = 200
export const MAX_RELAYS = 20
export const MAX_MESSAGES = 100_000
export const MAX_DURATION_MS = 24 * 60 * 60 * 1000
export const MAX_SEED = 2 ** 32 - 1
const MAX_DELAY_MS = 5000
/** Above it nothing gets through. */
const MAX_RATE = 0.5
/** Invites of one node that are used in the beginning; a node has room for so many who ask. */
const MAX_FRIENDS = 16
const MAX_FAULTS = 100
const DEFAULT_AWAY_MS = 10_000

/** Milliseconds of a duration with a unit. @throws UsageError */
export function parseMilliseconds(text: string, what: string): number {
  const short = /^(\d{1,6})ms$/.exec(text)
  if (short !== null) return Number(short[1])
  const seconds = parseDuration(text)
  if (seconds === undefined) throw wrong(`${what} is no duration: ${shown(text)}`, 'write it as 500ms, 30s, 2m or 1h')
  return seconds * 1000
}

/** `10%/min` as a part. @throws UsageError */
export function parseChurn(text: string): number {
  const percent = Number(/^(\d{1,3}(?:\.\d{1,3})?)%\/min$/.exec(text)?.[1] ?? Number.NaN)
  if (!(percent <= 100)) throw wrong(`not a churn: ${shown(text)}`, 'write it as 10%/min, at most 100%/min')
  return percent / 100
}

/** `20s@30s`, `silent:20s@30s`. @throws UsageError */
export function parsePartition(text: string): PartitionOrder {
  const [, silent, window] = /^(silent:)?(.*)$/s.exec(text)!
  return { ...parseWindow(window!, text), ...(silent === undefined ? {} : { silent: true }) }
}

/** `2%`, `0.5%:20s@30s`. @throws UsageError */
export function parseRate(text: string): RateOrder {
  const match = /^(\d{1,2}(?:\.\d{1,3})?)%(?::(.*))?$/s.exec(text)
  const [, percent, window] = match ?? []
  const rate = Number(percent ?? Number.NaN) / 100
  if (!(rate > 0 && rate <= MAX_RATE)) {
    throw wrong(
      `not a rate: ${shown(text)}`,
      `write it as 2%, or 2%:20s@30s for 20 s beginning at 30 s; at most ${MAX_RATE * 100}%`,
    )
  }
  return window === undefined ? { rate } : { rate, window: parseWindow(window, text) }
}

/** `40ms`, `20ms-80ms`. @throws UsageError */
export function parseDelay(text: string): DelayRange {
  const [from, to = from, ...rest] = text.split('-')
  if (rest.length > 0) throw wrong(`not a delay: ${shown(text)}`, 'write it as 40ms, or 20ms-80ms')
  return [parseMilliseconds(from!, 'a delay'), parseMilliseconds(to!, 'a delay')]
}

function parseWindow(text: string, whole: string): { at: number; lasts: number } {
  const [lasts, at, ...rest] = text.split('@')
  if (lasts === undefined || at === undefined || rest.length > 0) {
    throw wrong(`not a time of a fault: ${shown(whole)}`, 'write it as 20s@30s: for 20 s, beginning at 30 s')
  }
  return { at: parseMilliseconds(at, 'the beginning'), lasts: parseMilliseconds(lasts, 'the length') }
}

/** `relay@45s`, `node3@50s+20s`, `relay2@45s!`. @throws UsageError */
export function parseKill(text: string): KillOrder {
  const match = /^(node|relay)([1-9]\d{0,2})?@(\w+)(?:\+(\w+)|(!))?$/.exec(text)
  if (match === null) {
    const hint = 'write it as relay@45s, node3@50s+20s (back after 20 s) or relay@45s! (never back)'
    throw wrong(`not a kill: ${shown(text)}`, hint)
  }
  const [, role, number, at, away, forGood] = match
  const order: KillOrder = { role: role as KillOrder['role'], at: parseMilliseconds(at!, 'the instant') }
  if (number !== undefined) order.number = Number(number)
  if (forGood === undefined) order.away = away === undefined ? DEFAULT_AWAY_MS : parseMilliseconds(away, 'the absence')
  return order
}

/** @throws UsageError for what no swarm can do */
export function checkOptions(options: SwarmOptions): void {
  within('nodes', options.nodes, 2, MAX_NODES)
  within('relays', options.relays, 1, MAX_RELAYS)
  within('friends', options.friends, 1, MAX_FRIENDS)
  within('messages', options.messages, 0, MAX_MESSAGES)
  within('duration', options.duration, 1000, MAX_DURATION_MS)
  const [least, most] = options.delayMs
  within('delay', least, 0, MAX_DELAY_MS)
  within('delay', most, least, MAX_DELAY_MS)
  within('seed', options.seed, 0, MAX_SEED)
  if (!(options.churn >= 0 && options.churn <= 1)) throw wrong('churn is a part from 0 to 1', 'write it as 10%/min')
  within('number of partitions', options.partitions.length, 0, MAX_FAULTS)
  within('number of kills', options.kills.length, 0, MAX_FAULTS)
  for (const name of RATES) {
    within(`number of ${name}`, options[name].length, 0, MAX_FAULTS)
    for (const { rate, window } of options[name]) {
      if (!(rate > 0 && rate <= MAX_RATE)) throw wrong(`${name}: a rate is above 0 and at most ${MAX_RATE}`)
      if (window !== undefined) checkWindow(name, window, options.duration)
    }
  }
  for (const partition of options.partitions) checkWindow('a partition', partition, options.duration)
  for (const { role, number, at, away = 0 } of options.kills) {
    inTime('a kill', at + away, options.duration)
    const there = role === 'node' ? options.nodes : options.relays
    if (number !== undefined && number > there)
      throw wrong(`there is no ${role} ${number} to kill`, `there are ${there}`)
  }
}

function within(what: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw wrong(`${what}: expected a whole number from ${low} to ${high}, got ${value}`)
  }
}

function checkWindow(what: string, { at, lasts }: { at: number; lasts: number }, duration: number): void {
  if (lasts === 0) throw wrong(`${what}: expected a time that is longer than nothing`)
  inTime(what, at + lasts, duration)
}

function inTime(what: string, end: number, duration: number): void {
  if (end <= duration) return
  const seconds = (ms: number): string => `${ms / 1000} s`
  throw wrong(
    `${what} ends at ${seconds(end)}, the run at ${seconds(duration)}`,
    'begin it earlier, or raise --duration',
  )
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60))
}

function wrong(message: string, hint?: string): UsageError {
  return new UsageError('USAGE', message, { hint })
}
