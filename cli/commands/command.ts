/** How a command is declared: a commander action that is handed the context of the run and may end with a status. */
import { InvalidArgumentError } from 'commander'
import type { Context } from '../context.ts'
import { DURATION_RULE, parseDuration } from '../duration.ts'
import type { ExitStatus } from '../exit-status.ts'

export interface Runner {
  /** @returns an action for commander; what `run` returns is the exit status, nothing is 0 */
  action<A extends unknown[]>(
    run: (context: Context, ...args: A) => Promise<ExitStatus | undefined | void>,
  ): (...args: A) => Promise<void>
}

/** Parser of an option that is a duration, in seconds. */
export function duration(text: string): number {
  const seconds = parseDuration(text)
  if (seconds === undefined) throw new InvalidArgumentError(DURATION_RULE)
  return seconds
}

/** Parser of an option that is a whole number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`expected a number from ${min} to ${max}`)
    return value
  }
}

/** Parser of an option that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text]
}
