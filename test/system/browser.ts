/**
 * A real browser (Debian's chromium) before real nodes. What it asked of the network is read from its own log; what went
 * wrong inside of a page fails the test that opened it.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { KithProcess } from '../support/kith-process.ts'

const CHROMIUM = '/usr/bin/chromium'
const WAIT_MS = 30_000
const WIDE = { width: 1180, height: 760 }

export function hasChromium(): boolean {
  return existsSync(CHROMIUM)
}

/** A page that may not fail silently. */
export interface OpenPage {
  page: Page
  /** Errors of scripts, and what the page's policy refused. */
  failures: string[]
}

export class TestBrowser {
  readonly #browser: Browser
  readonly #log: string
  readonly #pages: OpenPage[] = []

  private constructor(browser: Browser, log: string) {
    this.#browser = browser
    this.#log = log
  }

  /** @param directory where the network log is written */
  static async launch(directory: string): Promise<TestBrowser> {
    const log = join(directory, 'network.json')
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [`--log-net-log=${log}`, '--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    })
    return new TestBrowser(browser, log)
  }

  /** Opens the page of a running node, in a profile of its own, by the address that the node gives. */
  async openNode(node: KithProcess, options: BrowserContextOptions = {}): Promise<Page> {
    const { url } = await node.call('ui.open', {})
    const page = await this.open(url, options)
    await page.getByRole('navigation', { name: 'Conversations' }).waitFor({ state: 'attached' })
    return page
  }

  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      viewport: WIDE,
      reducedMotion: 'reduce',
      ...options,
    })
    context.setDefaultTimeout(WAIT_MS)
    const page = await context.newPage()
    const failures: string[] = []
    page.on('pageerror', (error) => failures.push(String(error)))
    page.on('console', (message) => {
      if (/Content Security Policy|TrustedHTML|Trusted Types/i.test(message.text())) failures.push(message.text())
    })
    this.#pages.push({ page, failures })
    await page.goto(url)
    return page
  }

  /** Closes all pages. @throws Error with what went wrong in them */
  async closePages(): Promise<void> {
    const pages = this.#pages.splice(0)
    await Promise.all(pages.map(({ page }) => page.context().close()))
    const failures = pages.flatMap((open) => open.failures)
    if (failures.length > 0) throw new Error(`the page failed: ${failures.join('\n')}`)
  }

  /** Ends the browser. @returns every address that a page of it asked for, by the browser's own log */
  async close(): Promise<string[]> {
    await this.#browser.close()
    return askedByPages(await readFile(this.#log, 'utf8'))
  }
}

interface NetLog {
  constants: { logEventTypes: Record<string, number> }
  events: { type: number; params?: Record<string, unknown> }[]
}

/** What the browser asks for itself (its updates, its accounts) has no origin as its initiator, and is not the page's. */
function askedByPages(text: string): string[] {
  // a browser that was ended in the middle leaves the list open
  const log = JSON.parse(text.trimEnd().endsWith('}') ? text : `${text.trimEnd().replace(/,$/, '')}]}`) as NetLog
  const start = log.constants.logEventTypes.URL_REQUEST_START_JOB
  return log.events.flatMap(({ type, params = {} }) =>
    type === start && String(params.initiator).startsWith('http') && typeof params.url === 'string' ? [params.url] : [],
  )
}

/** Serious and critical findings of axe, as `rule: element`. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run({ resultTypes: ["violations"] })')
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
}

/** How many pixels the page is wider than the screen. */
export async function overflow(page: Page): Promise<number> {
  return await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}

/** Keeps what is on the screen, in the folder of `KITH_PICTURES`. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.KITH_PICTURES
  if (folder === undefined) return
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `page-${name}.png`), caret: 'hide', animations: 'disabled' })
}
