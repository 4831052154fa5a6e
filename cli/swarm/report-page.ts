/**
 * Writes a report: `report.json`, and for people `report.html`, one page with plots and everything in it. Every text that is
 * put into the page is escaped.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Journey, Recovery } from './metrics.ts'
import type { Report } from './report.ts'
import { describeFault } from './schedule.ts'

const WIDTH = 900
const HEIGHT = 220
const MARGIN = { left: 56, right: 12, top: 12, bottom: 26 }
const COLOURS = { accepted: '#777777', arrived: '#1a7f37', acknowledged: '#0969da', fault: '#cf222e' }
const MAX_DOTS = 5000

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#1f2328}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#cf222e;font-weight:600}.good{color:#1a7f37;font-weight:600}
svg{width:100%;height:auto}text{font:11px system-ui,sans-serif;fill:#57606a}code{font-size:13px}`

/** Writes `report.json` and `report.html`. @returns their paths */
export async function writeReport(directory: string, report: Report): Promise<{ json: string; html: string }> {
  await mkdir(directory, { recursive: true })
  const paths = { json: join(directory, 'report.json'), html: join(directory, 'report.html') }
  await writeFile(paths.json, `${JSON.stringify(report, null, 1)}\n`)
  await writeFile(paths.html, renderReport(report))
  return paths
}

/** @returns a whole HTML document */
function renderReport(report: Report): string {
  const { findings, options, versions } = report
  const { journeys, recoveries } = findings
  const title = `Kith swarm, seed ${report.seed}: ${report.passed ? 'passed' : 'failed'}`
  const about = `${options.nodes} nodes, ${options.relays} relays, ${options.messages} messages in ${options.duration / 1000} s`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${STYLE}</style></head><body>
<h1>${escape(title)}</h1>
<p>${escape(about)}. ${escape(report.at)}, kith ${escape(versions.kith)}, Node.js ${escape(versions.node)}, ${escape(versions.system)}.
The same schedule again: <code>kith swarm replay report.json</code></p>
${section('Demands', demands(report))}
${section('Messages over time', messagesOverTime(journeys, recoveries))}
${section('Latency to arrival, by the time of writing', latencies(journeys, recoveries))}
${section('Faults', faults(recoveries))}
${section('Measured', table(Object.entries(findings.metrics).map(([name, value]) => [name, number(value)])))}
${section('Processes', processes(report))}
${section('Lost', list(findings.lost))}
${section('Duplicated', list(findings.duplicated))}
${section('Out of order', list(findings.disordered))}
</body></html>
`
}

/** For text and attributes. */
function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

function section(title: string, body: string): string {
  return body === '' ? '' : `<h2>${escape(title)}</h2>\n${body}`
}

function demands({ assertions }: Report): string {
  if (assertions.length === 0) return ''
  const rows = assertions.map(({ text, holds, measured }) => {
    const verdict = holds ? '<td class="good">holds</td>' : '<td class="bad">fails</td>'
    return `<tr><td><code>${escape(text)}</code></td>${verdict}<td class="n">${number(measured)}</td></tr>`
  })
  return `<table>${rows.join('')}</table>`
}

function faults(recoveries: readonly Recovery[]): string {
  if (recoveries.length === 0) return ''
  const rows = recoveries.map(({ fault, began, ended, recoveryMs }) => [
    describeFault(fault),
    fault.groups === undefined ? '' : `from ${fault.groups[1].join(' ')}`,
    `${seconds(began)} to ${ended === undefined ? 'the end' : seconds(ended)}`,
    fault.rate !== undefined
      ? ''
      : recoveryMs === undefined
        ? 'no message after it'
        : `${Math.round(recoveryMs)} ms to the first message`,
  ])
  return table(rows)
}

function processes({ usage }: Report): string {
  const rows = Object.entries(usage).map(([name, { memoryMaxBytes, cpuMs, starts }]) => [
    name,
    `${Math.round(memoryMaxBytes / 1024 ** 2)} MiB at most`,
    `${seconds(cpuMs)} of processor time`,
    `${starts} ${starts === 1 ? 'start' : 'starts'}`,
  ])
  return table(rows)
}

function table(rows: readonly (readonly string[])[]): string {
  return `<table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`).join('\n')}</table>`
}

function list(texts: readonly string[]): string {
  return texts.length === 0 ? '' : `<ul>${texts.map((text) => `<li>${escape(text)}</li>`).join('')}</ul>`
}

function messagesOverTime(journeys: readonly Journey[], recoveries: readonly Recovery[]): string {
  const times = (pick: (journey: Journey) => number | undefined): number[] =>
    journeys.flatMap((journey) => pick(journey) ?? []).toSorted((a, b) => a - b)
  const curves = {
    accepted: times(({ outcome, sentAt }) => (outcome === 'accepted' ? sentAt : undefined)),
    arrived: times(({ arrivedAt }) => arrivedAt),
    acknowledged: times(({ deliveredAt }) => deliveredAt),
  }
  const end = Math.max(1000, ...Object.values(curves).map((curve) => curve.at(-1) ?? 0))
  const frame = new Frame(end, Math.max(1, journeys.length))
  const lines = Object.entries(curves).map(([name, curve], index) => {
    const step = Math.ceil(curve.length / MAX_DOTS)
    const points = curve
      .flatMap((at, i) => (i % step === 0 || i === curve.length - 1 ? [`${frame.x(at)},${frame.y(i + 1)}`] : []))
      .join(' ')
    const colour = COLOURS[name as keyof typeof curves]
    const legend = `<text x="${MARGIN.left + 8}" y="${MARGIN.top + 14 + index * 14}" style="fill:${colour}">${name}</text>`
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points}"/>${legend}`
  })
  return frame.draw([...bands(frame, recoveries, end), ...lines], 'messages')
}

function latencies(journeys: readonly Journey[], recoveries: readonly Recovery[]): string {
  const dots = journeys.flatMap(({ sentAt, arrivedAt }) =>
    sentAt === undefined || arrivedAt === undefined ? [] : [{ at: sentAt, ms: Math.max(0, arrivedAt - sentAt) }],
  )
  if (dots.length === 0) return ''
  const end = dots.reduce((most, { at }) => Math.max(most, at), 1000)
  const frame = new Frame(
    end,
    dots.reduce((most, { ms }) => Math.max(most, ms), 100),
  )
  const step = Math.ceil(dots.length / MAX_DOTS)
  const drawn = dots
    .filter((_, index) => index % step === 0)
    .map(
      ({ at, ms }) =>
        `<circle cx="${frame.x(at)}" cy="${frame.y(ms)}" r="2" fill="${COLOURS.acknowledged}" opacity="0.6"/>`,
    )
  return frame.draw([...bands(frame, recoveries, end), ...drawn], 'ms')
}

function bands(frame: Frame, recoveries: readonly Recovery[], end: number): string[] {
  return recoveries.map(({ fault, began, ended = end }) => {
    const x = frame.x(began)
    const width = Math.max(1, frame.x(Math.min(ended, end)) - x)
    const size = `x="${x}" y="${MARGIN.top}" width="${width}" height="${HEIGHT - MARGIN.top - MARGIN.bottom}"`
    return `<rect ${size} fill="${COLOURS.fault}" opacity="0.1"><title>${escape(describeFault(fault))}</title></rect>`
  })
}

/** Maps time and value to a drawing, and draws the axes. */
class Frame {
  readonly #end: number
  readonly #top: number

  constructor(end: number, top: number) {
    this.#end = end
    this.#top = top
  }

  x(at: number): number {
    const part = Math.min(1, Math.max(0, at / this.#end))
    return rounded(MARGIN.left + part * (WIDTH - MARGIN.left - MARGIN.right))
  }

  y(value: number): number {
    return rounded(HEIGHT - MARGIN.bottom - (value / this.#top) * (HEIGHT - MARGIN.top - MARGIN.bottom))
  }

  draw(parts: readonly string[], unit: string): string {
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
      const x = `<text x="${this.x(part * this.#end)}" y="${HEIGHT - 8}" text-anchor="middle">${seconds(part * this.#end)}</text>`
      const y = `<text x="${MARGIN.left - 6}" y="${this.y(part * this.#top) + 4}" text-anchor="end">${Math.round(part * this.#top)}</text>`
      return x + y
    })
    const [left, bottom] = [MARGIN.left, HEIGHT - MARGIN.bottom]
    const axes = `<path d="M${left} ${MARGIN.top}V${bottom}H${WIDTH - MARGIN.right}" fill="none" stroke="#d0d7de"/>`
    const label = `<text x="4" y="10">${escape(unit)}</text>`
    return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${axes}${label}${ticks.join('')}${parts.join('')}</svg>`
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function number(value: number | null): string {
  return value === null ? 'not measured' : String(Math.round(value * 100) / 100)
}
