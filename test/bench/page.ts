/** The page in a real browser: from the address to the newest message, with few and with many, beside a page with one line. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { HistoryFiller } from '../support/history-filler.ts'
import { hasChromium, TestBrowser } from '../system/browser.ts'
import type { Bench } from './bench.ts'
import { meet, startPair, startRelay } from './friends.ts'
import { timed, timesOf } from './measure.ts'
import { Group } from './report.ts'

const EMPTY = '<!doctype html><html lang="en"><title>one line</title><p class="message">one line</p></html>'

export async function benchPage(bench: Bench): Promise<Group> {
  const sizes = { short: bench.amount(100, 20), long: bench.amount(10_000, 200) }
  const group = new Group(`The page, with ${sizes.short} and with ${sizes.long} messages`)
  if (!hasChromium()) {
    group.note('not measured: there is no /usr/bin/chromium')
    return group
  }
  const browser = await TestBrowser.launch(await bench.directory())
  bench.atEnd(async () => {
    await browser.close()
  })
  const empty = await serveEmpty(bench)
  const nodes = await bench.nodes()
  const relay = await startRelay(nodes)
  const pair = await startPair(bench, nodes, relay, { profile: 'light' })
  await meet(relay, pair)
  const { process: alice } = pair.alice
  const filler = new HistoryFiller(alice, String((await alice.ask('id'))[0]!.id), pair.bobId)
  const count = bench.amount(30, 3)

  const measure = async (size: number): Promise<number[]> => {
    await filler.fill(size)
    await alice.start('--profile', 'light', '--http', '127.0.0.1:0')
    const { url } = await alice.call('ui.open', {})
    const page = await browser.open(url)
    await page.getByRole('link', { name: 'Bob' }).waitFor()
    return await timesOf(count, () => show(page, `${new URL(url).origin}/?${Math.random()}#/with/${pair.bobId}`))
  }
  const blank = await browser.open(empty)
  const base = group.times(
    'a page with one line',
    await timesOf(count, () => show(blank, `${empty}/?${Math.random()}`)),
  )
  group.times(`the page, ${sizes.short} messages`, await measure(sizes.short), base)
  group.times(`the page, ${sizes.long} messages`, await measure(sizes.long), base)
  group.note('from asking for the address to the newest message on the screen, script and styles in the cache')
  return group
}

/** Until a message is painted: seen by the browser, in the frame after it was laid out. */
async function show(page: Page, url: string): Promise<number> {
  const { ms } = await timed(async () => {
    await page.goto(url, { waitUntil: 'commit' })
    await page.locator('.message').last().waitFor()
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
  })
  return ms
}

async function serveEmpty(bench: Bench): Promise<string> {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(EMPTY))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  bench.atEnd(async () => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
