/** A report is read back as it was written, is refused when it cannot be run, and shows no text unescaped. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { evaluate } from '../../../../cli/swarm/metrics.ts'
import { DEFAULT_OPTIONS } from '../../../../cli/swarm/options.ts'
import { readReport, type Report, REPORT_SCHEMA } from '../../../../cli/swarm/report.ts'
import { writeReport } from '../../../../cli/swarm/report-page.ts'
import { createSchedule } from '../../../../cli/swarm/schedule.ts'
import { UsageError } from '../../../../node/errors.ts'
import { rejection } from '../../../support/rejection.ts'
import { temporaryDirectories } from '../../../support/temporary-directories.ts'

const OPTIONS = {
  ...DEFAULT_OPTIONS,
  partitions: [
    { at: 1000, lasts: 2000 },
    { at: 1500, lasts: 2000, silent: true },
  ],
  loss: [{ rate: 0.02 }],
  breaks: [{ rate: 0.001, window: { at: 500, lasts: 9000 } }],
  delayMs: [20, 80] as [number, number],
  kills: [{ role: 'relay' as const, number: 1, at: 4000 }],
  churn: 1,
  duration: 60_000,
}

function report(): Report {
  const schedule = createSchedule(OPTIONS)
  const findings = evaluate({
    messages: schedule.messages.map(({ at, ...rest }, index) => ({
      ...rest,
      plannedAt: at,
      sentAt: at,
      outcome: 'accepted' as const,
      messageId: `id${index}`,
    })),
    logs: { [schedule.messages[0]!.to]: [{ at: 60_000, messageId: 'id0', kind: 'in' }] },
    histories: {},
    strikes: schedule.faults.map((fault) => ({ fault, began: fault.at, ...(fault.until && { ended: fault.until }) })),
    relaysOf: schedule.relaysOf,
    usage: {},
    seconds: { start: 1, friends: 1, settle: 1 },
    held: 0,
    links: { opened: 1, refused: 0, swallowed: 0, broken: 0, lost: 0, stalled: 0 },
  })
  return {
    schema: REPORT_SCHEMA,
    seed: OPTIONS.seed,
    options: OPTIONS,
    schedule,
    versions: { kith: '<script>alert(1)</script>', node: '24', system: 'Linux & "co"' },
    at: '2026-01-31T09:30:00.000Z',
    passed: false,
    assertions: [{ text: 'lost<1', holds: false, measured: null }],
    findings: { ...findings, lost: ["<img src=x onerror='alert(2)'>"] },
    usage: {},
  }
}

describe('the report of a swarm', () => {
  const temporaryDirectory = temporaryDirectories()

  it('is read back: the same options and the same schedule', async () => {
    const directory = await temporaryDirectory()
    const written = report()
    const { json } = await writeReport(join(directory, 'new', 'folder'), written)
    expect(JSON.parse(await readFile(json, 'utf8'))).to.deep.include({ schema: 2, seed: OPTIONS.seed, passed: false })
    for (const path of [json, join(directory, 'new', 'folder')]) {
      expect(await readReport(path)).to.deep.equal({ options: written.options, schedule: written.schedule })
    }
  })

  it('is a page that is whole, asks nobody and escapes every text', async () => {
    const { html } = await writeReport(await temporaryDirectory(), report())
    const page = await readFile(html, 'utf8')
    expect(page)
      .to.match(/^<!doctype html>/)
      .and.match(/<\/html>\n$/)
    expect(page.match(/<svg /g)).to.have.length(2)
    expect(page).to.include('&lt;img src=x onerror=&#39;alert(2)&#39;&gt;').and.include('lost&lt;1')
    expect(page).not.to.match(/<script|<img|<link|https?:\/\/|\ssrc=(?!x onerror=&#39;)/)
    for (const tag of ['svg', 'table', 'tr', 'td', 'h2', 'text', 'ul', 'li']) {
      const opened = page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length
      expect(opened, tag).to.equal(page.match(new RegExp(`</${tag}>`, 'g'))?.length)
    }
    expect(page).not.to.match(/NaN|undefined|Infinity/)
  })

  const broken: [string, (report: Report) => unknown][] = [
    ['no JSON', () => 'x'],
    ['another schema', (one) => ({ ...one, schema: 3 })],
    [
      'a stranger among the messages',
      (one) => change(one, { messages: [{ at: 0, from: 'n1', to: 'n99', text: 'x' }] }),
    ],
    ['a fault of nobody', (one) => change(one, { faults: [{ kind: 'kill', at: 0, until: 1, signal: 'SIGKILL' }] })],
    [
      'a fault of an unknown process',
      (one) => change(one, { faults: [{ kind: 'kill', at: 0, who: 'n99', signal: 'SIGKILL' }] }),
    ],
    [
      'a signal of its own',
      (one) => change(one, { faults: [{ kind: 'kill', at: 0, who: 'n1', signal: 'SIGSTOP' as never }] }),
    ],
    ['bad links without a rate', (one) => change(one, { faults: [{ kind: 'loss', at: 0, until: 1 }] })],
    ['a delay that ends before it begins', (one) => ({ ...one, options: { ...one.options, delayMs: [80, 20] } })],
    ['a name that is a path', (one) => change(one, { nodes: ['n1', '../../n2'] })],
    ['a node without relays', (one) => change(one, { relaysOf: {} })],
  ]
  for (const [name, breakIt] of broken) {
    it(`is refused with ${name}`, async () => {
      const path = join(await temporaryDirectory(), 'report.json')
      const content = breakIt(report())
      await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
      expect(await rejection(readReport(path))).to.be.instanceOf(UsageError)
    })
  }

  it('is refused when it is not there', async () => {
    expect(await rejection(readReport(join(await temporaryDirectory(), 'none')))).to.be.instanceOf(UsageError)
  })
})

function change(one: Report, schedule: Partial<Report['schedule']>): Report {
  return { ...one, schedule: { ...one.schedule, ...schedule } }
}
