/**
 * What a tester demands of a run: `lost=0`, `arrivalP99Ms<1500`. A metric that a run did not measure fails every
 * demand, so that a run in which nothing happened does not pass.
 */
import { UsageError } from '../../node/errors.ts'
import { METRICS, type Metrics, type MetricName } from './metrics.ts'

type Operator = '<' | '<=' | '>' | '>=' | '=' | '!='

export interface Assertion {
  /** As it was written. */
  text: string
  metric: MetricName
  operator: Operator
  value: number
}

export interface Verdict {
  text: string
  holds: boolean
  /** What was measured; null when nothing was. */
  measured: number | null
}

const HOLDS: Record<Operator, (measured: number, value: number) => boolean> = {
  '<': (measured, value) => measured < value,
  '<=': (measured, value) => measured <= value,
  '>': (measured, value) => measured > value,
  '>=': (measured, value) => measured >= value,
  '=': (measured, value) => measured === value,
  '!=': (measured, value) => measured !== value,
}

/** @throws UsageError for an unknown metric or what is no demand */
export function parseAssertion(text: string): Assertion {
  const match = /^\s*(\w+)\s*(<=|>=|!=|<|>|=)\s*(\d{1,15}(?:\.\d{1,6})?)\s*$/.exec(text)
  const shown = JSON.stringify(text.slice(0, 60))
  if (match === null) {
    throw new UsageError('USAGE', `not an assertion: ${shown}`, {
      hint: "write METRIC OPERATOR NUMBER, for example 'lost=0' or 'arrivalP99Ms<1500'",
    })
  }
  const [, metric, operator, value] = match
  if (!(METRICS as readonly string[]).includes(metric!)) {
    throw new UsageError('USAGE', `no metric ${JSON.stringify(metric)}`, { hint: `metrics: ${METRICS.join(', ')}` })
  }
  return { text: text.trim(), metric: metric as MetricName, operator: operator as Operator, value: Number(value) }
}

export function judge(assertions: readonly Assertion[], metrics: Metrics): Verdict[] {
  return assertions.map(({ text, metric, operator, value }) => {
    const measured = metrics[metric]
    return { text, measured, holds: measured !== null && HOLDS[operator](measured, value) }
  })
}
