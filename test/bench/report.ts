/**
 * What a run of the benchmarks found: figures, each with the one it is compared with, as a table for people and as data.
 * A ratio says how many times as dear a figure is as its base of the same run: machines differ, ratios less.
 */
import { styleText } from 'node:util'
import { median, percentile } from './measure.ts'

export interface Figure {
  name: string
  /** Single measurements behind it. */
  n: number
  /** Milliseconds. */
  p50?: number
  p99?: number
  /** A second. */
  rate?: number
  megabytes?: number
  /** Name of the base. */
  against?: string
  ratio?: number
}

export interface GroupReport {
  title: string
  figures: Figure[]
  notes: string[]
}

/** One group of figures. */
export class Group {
  readonly title: string
  readonly figures: Figure[] = []
  readonly notes: string[] = []

  constructor(title: string) {
    this.title = title
  }

  /** Median and 99th percentile of single times in milliseconds. */
  times(name: string, samples: readonly number[], base?: Figure): Figure {
    return this.#add({ name, n: samples.length, p50: median(samples), p99: percentile(samples, 0.99) }, base)
  }

  /** The median of several measurements of a rate; `n` is how often the thing was done in all of them. */
  rate(name: string, n: number, rates: readonly number[], base?: Figure): Figure {
    return this.#add({ name, n, rate: median(rates) }, base)
  }

  /** The median of several processes. */
  memory(name: string, megabytes: readonly number[], base?: Figure): Figure {
    return this.#add({ name, n: megabytes.length, megabytes: median(megabytes) }, base)
  }

  note(text: string): void {
    this.notes.push(text)
  }

  #add(figure: Figure, base: Figure | undefined): Figure {
    if (base) {
      figure.against = base.name
      figure.ratio = cost(figure) / cost(base)
    }
    this.figures.push(figure)
    return figure
  }
}

function cost({ p50, rate, megabytes }: Figure): number {
  return p50 ?? megabytes ?? 1000 / rate!
}

const WIDTHS = [56, 9, 9, 10, 8, 6] as const

/** Prints one group. */
export function printGroup({ title, figures, notes }: GroupReport): void {
  print(`\n${styleText('bold', title)}`)
  print(styleText('dim', row(['', 'p50', 'p99', 'rate', 'ratio', 'n', 'compared with'])))
  for (const { name, n, p50, p99, rate, megabytes, against, ratio } of figures) {
    const middle = megabytes === undefined ? show(p50, 'ms') : show(megabytes, 'MB')
    print(row([name, middle, show(p99, 'ms'), show(rate, '/s'), show(ratio, 'x'), String(n), against ?? '']))
  }
  for (const note of notes) print(styleText('dim', `  ${note}`))
}

function row(cells: string[]): string {
  const [name = '', ...rest] = cells
  const against = rest.pop() ?? ''
  const columns = rest.map((cell, i) => cell.padStart(WIDTHS[i + 1] ?? 0))
  return `  ${name.padEnd(WIDTHS[0])}${columns.join('')}  ${against}`.trimEnd()
}

function show(value: number | undefined, unit: string): string {
  if (value === undefined) return ''
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
  return `${value.toFixed(digits)} ${unit}`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
