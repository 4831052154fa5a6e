/** A conversation of two thousand messages in the page: it pages in, its DOM stays small, and the place is kept. */
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { MAX_WINDOW } from '../../cli/web/state/thread.ts'
import { befriended, type Friends } from '../support/befriended.ts'
import { HistoryFiller } from '../support/history-filler.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { until } from '../support/until.ts'
import { hasChromium, TestBrowser } from './browser.ts'
import { titled } from './machine.ts'

const MESSAGES = 2000
const NEWEST = `message ${MESSAGES} x`

describe(titled('a long conversation in the page', hasChromium(), 'chromium'), function () {
  this.timeout(240_000)
  let browser: TestBrowser
  let friends: Friends
  before(async function () {
    if (!hasChromium()) this.skip()
    browser = await TestBrowser.launch(await temporaryDirectory())
    friends = await befriended(await temporaryDirectory())
    await new HistoryFiller(friends.alice, friends.ids.alice, friends.ids.bob).fill(MESSAGES)
    await friends.relay.start()
    await friends.alice.start('--http', '127.0.0.1:0')
    await friends.alice.call('conversation.read', { who: 'Bob' })
  })
  afterEach(async () => browser?.closePages())
  after(async () => {
    await browser?.close()
    await friends?.nodes.stopAll()
  })
  const temporaryDirectory = temporaryDirectories()

  const bubble = (page: Page, text: string) => page.locator('.message', { hasText: text })
  const top = async (page: Page, text: string): Promise<number> => (await bubble(page, text).boundingBox())!.y

  it('scrolls to the first message and back; never more than a window of them stands in the page', async () => {
    const page = await browser.openNode(friends.alice)
    await page.goto(`${new URL(page.url()).origin}/#/with/${friends.ids.bob}`)
    await bubble(page, NEWEST).waitFor()
    const log = page.locator('.log')
    await log.hover()
    let most = 0
    await until(async () => {
      await page.mouse.wheel(0, -3000)
      most = Math.max(most, await page.locator('.message').count())
      return await bubble(page, 'message 1 x').isVisible()
    }, 120_000)
    expect(most).to.be.within(MAX_WINDOW / 2, MAX_WINDOW)
    await page.getByRole('button', { name: 'Newest' }).click()
    await until(async () => await bubble(page, NEWEST).isVisible())
  })

  it('what one looks at stays in its place when older messages come above and new ones below', async () => {
    const page = await browser.openNode(friends.alice)
    await page.goto(`${new URL(page.url()).origin}/#/with/${friends.ids.bob}`)
    await bubble(page, NEWEST).waitFor()
    await page.locator('.log').hover()
    await page.mouse.wheel(0, -1500)
    const held = 'message 1980 x'
    await until(async () => (await bubble(page, held).count()) === 1)
    await bubble(page, held).scrollIntoViewIfNeeded()
    const before = await until(async () => {
      const [first, second] = [await top(page, held), await top(page, held)]
      return first === second && first
    })
    await friends.alice.call('message.send', { who: 'Bob', text: 'one more' })
    await bubble(page, 'one more').waitFor({ state: 'attached' })
    expect(Math.abs((await top(page, held)) - before)).to.be.below(2)
    expect(await page.getByRole('button', { name: 'Newest' }).isVisible()).to.equal(true)
  })

  it('a message from long ago is found, and opens where it stands', async () => {
    const page = await browser.openNode(friends.alice)
    await page.keyboard.press('Control+k')
    await page.getByRole('searchbox').fill('message 321 x')
    await page.getByRole('link', { name: /message 321 x/ }).click()
    await bubble(page, 'message 321 x').and(page.locator(':focus')).waitFor()
    await bubble(page, 'message 320 x').waitFor()
    await bubble(page, 'message 322 x').waitFor()
    await page.getByRole('button', { name: 'Newest' }).click()
    await bubble(page, 'one more').waitFor()
  })
})
