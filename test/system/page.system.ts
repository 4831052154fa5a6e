/** The page of a node (`kith ui`) in a real browser: two nodes, two pages, one conversation, and what may go wrong. */
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { befriended, type Friends } from '../support/befriended.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { until } from '../support/until.ts'
import { hasChromium, TestBrowser } from './browser.ts'
import { titled } from './machine.ts'

const PAINT = '\u001b[31mred\u0007 \u202egnp.exe\u202c \u200bzero \u2066x <img src=x onerror=alert(1)> <b>bold</b>'

describe(titled('the page', hasChromium(), 'chromium'), () => {
  let browser: TestBrowser
  let friends: Friends
  before(async function () {
    if (!hasChromium()) this.skip()
    browser = await TestBrowser.launch(await temporaryDirectory())
    friends = await befriended(await temporaryDirectory())
    await friends.relay.start()
    await Promise.all([friends.alice.start('--http', '127.0.0.1:0'), friends.bob.start('--http', '127.0.0.1:0')])
  })
  afterEach(async () => browser?.closePages())
  after(async () => {
    await friends?.nodes.stopAll()
  })
  after(async () => {
    if (browser === undefined) return
    const asked = await browser.close()
    expect(asked.length, 'the log holds what was asked').to.be.above(10)
    expect(asked.filter((url) => !/^(?:http:\/\/127\.0\.0\.1:\d+\/|data:|blob:)/.test(url))).to.deep.equal([])
  })
  const temporaryDirectory = temporaryDirectories()

  const openConversation = async (page: Page, name: string): Promise<void> => {
    await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link', { name }).click()
    await page.getByRole('heading', { level: 1, name }).waitFor()
  }
  const write = async (page: Page, text: string): Promise<void> => {
    await page.getByRole('textbox', { name: /^Message to/ }).fill(text)
    await page.keyboard.press('Enter')
  }
  const bubble = (page: Page, text: string) => page.locator('.message', { hasText: text })

  it('two pages, one conversation: sent, unread, read, answered', async () => {
    const [alice, bob] = await Promise.all([browser.openNode(friends.alice), browser.openNode(friends.bob)])
    await openConversation(alice, 'Bob')
    await write(alice, 'Shall we meet at the old mill?')
    await bubble(alice, 'old mill').waitFor()
    expect(await alice.getByRole('textbox', { name: 'Message to Bob' }).inputValue()).to.equal('')

    const row = bob.getByRole('link', { name: /Alice/ })
    await row.getByText('unread').waitFor({ state: 'attached' })
    expect(await bob.title()).to.equal('(1) Kith')
    await bubble(alice, 'old mill').getByText('Delivered').waitFor()
    await openConversation(bob, 'Alice')
    await bubble(bob, 'old mill').waitFor()
    await row.getByText('unread').waitFor({ state: 'detached' })
    expect((await friends.bob.call('conversation.list', {})).conversations[0]!.unread).to.equal(0)

    await write(bob, 'At four. Bring cake!')
    await bubble(alice, 'Bring cake').waitFor()
    await alice.getByRole('log').getByText('Bob: At four. Bring cake!').waitFor({ state: 'attached' })
    await bubble(bob, 'Bring cake').getByText('Delivered').waitFor()
    const spoken = await alice.getByRole('log').innerText()
    expect(spoken, 'the history is not read aloud').to.not.include('old mill')
  })

  it('what another face sends appears in the open page, and the other way round', async () => {
    const alice = await browser.openNode(friends.alice)
    await openConversation(alice, 'Bob')
    await friends.alice.call('message.send', { who: 'Bob', text: 'from the socket' })
    await bubble(alice, 'from the socket').waitFor()
    await write(alice, 'from the page')
    await friends.alice.logged((event) => event.event === 'message' && event.text === 'from the page')
    await friends.bob.call('message.send', { who: 'Alice', text: 'from Bob’s socket' })
    await bubble(alice, 'from Bob’s socket').waitFor()
    await bubble(alice, 'from the page').getByText('Delivered').waitFor()
    expect(await bubble(alice, 'from the page').count(), 'shown once').to.equal(1)
  })

  it('a draft stays when one goes away, and comes from another face', async () => {
    const alice = await browser.openNode(friends.alice)
    await openConversation(alice, 'Bob')
    const field = alice.getByRole('textbox', { name: 'Message to Bob' })
    await field.fill('not yet\nsure')
    const draft = async (): Promise<string | undefined> =>
      (await friends.alice.call('conversation.list', {})).conversations[0]!.draft
    await until(async () => (await draft()) === 'not yet\nsure')
    await alice.reload()
    await field.waitFor()
    expect(await field.inputValue()).to.equal('not yet\nsure')
    await friends.alice.call('draft.set', { who: 'Bob', text: 'from elsewhere' })
    await until(async () => (await field.inputValue()) === 'from elsewhere')
    await field.fill('')
    await until(async () => (await draft()) === undefined)
  })

  it('T45 what a friend writes stays text: no markup, no control, no order, and links ask first', async () => {
    const alice = await browser.openNode(friends.alice)
    await openConversation(alice, 'Bob')
    await friends.bob.call('message.send', { who: 'Alice', text: `${PAINT} javascript:alert(1) end` })
    const message = bubble(alice, 'end').locator('.message-text')
    const shown = await message.textContent()
    expect(shown).to.include('<img src=x onerror=alert(1)> <b>bold</b>')
    expect(shown).to.include('\u241b[31mred')
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(shown).to.not.match(/[\u0000-\u0009\u000b-\u001f\u200b\u202a-\u202e\u2066-\u2069]/)
    expect(await message.locator('*').count(), 'no element').to.equal(0)
    expect(await message.getAttribute('dir')).to.equal('auto')

    await friends.bob.call('message.send', { who: 'Alice', text: 'look: https://\u0430pple.example/a?b=c.' })
    const link = bubble(alice, 'look:').getByRole('link')
    expect(await link.getAttribute('rel')).to.equal('noreferrer noopener')
    await link.click()
    const dialog = alice.getByRole('dialog')
    await dialog.getByText('https://xn--pple-43d.example/a?b=c', { exact: true }).waitFor()
    await dialog.getByText('letters of other scripts').waitFor()
    expect(alice.context().pages()).to.have.length(1)
    await dialog.getByRole('button', { name: 'Stay here' }).click()
    await dialog.waitFor({ state: 'detached' })
  })

  it('a node that stops is told, and the page goes on when it is back', async () => {
    const { bob } = friends
    const page = await browser.openNode(bob)
    await openConversation(page, 'Alice')
    const port = new URL(page.url()).port
    await bob.stop()
    await page.getByText('Your node has stopped.').waitFor()
    await write(page, 'written in the dark')
    const message = bubble(page, 'written in the dark')
    await message.getByText('Not sent').waitFor()

    await bob.start('--http', `127.0.0.1:${port}`)
    await page.getByText('Your node has stopped.').waitFor({ state: 'detached' })
    await message.getByRole('button', { name: 'Send again' }).click()
    await message.getByText('Delivered').waitFor()
    await friends.alice.call('message.send', { who: 'Bob', text: 'welcome back' })
    await bubble(page, 'welcome back').waitFor()
    expect(await message.count()).to.equal(1)
  })

  it('an answer that is lost is asked for again under the same key: nothing is sent twice', async () => {
    const page = await browser.openNode(friends.alice)
    await openConversation(page, 'Bob')
    // the node takes the message, and its answer never comes
    await page.route('**/rpc', async (route) => {
      if (!(route.request().postData() ?? '').includes('message.send')) return await route.continue()
      await route.fetch()
      await route.abort()
    })
    await write(page, 'only once')
    const message = bubble(page, 'only once')
    await message.getByText('Not sent').waitFor()
    await page.unroute('**/rpc')
    await message.getByRole('button', { name: 'Send again' }).click()
    await message.getByText('Delivered').waitFor()
    expect(await message.count()).to.equal(1)
    const sent = (await friends.alice.log()).filter((event) => event.event === 'message' && event.text === 'only once')
    expect(sent).to.have.length(1)
  })

  it('by the keyboard alone: to a conversation, a message, its way, a new message, the keys', async () => {
    const page = await browser.openNode(friends.alice)
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('Alt+ArrowDown')
    const field = page.getByRole('textbox', { name: 'Message to Bob' })
    await page.getByRole('textbox', { name: 'Message to Bob' }).and(page.locator(':focus')).waitFor()
    await page.keyboard.type('one line')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('and another')
    await page.keyboard.press('Enter')
    await bubble(page, 'and another').getByText('Delivered').waitFor()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    const trace = page.getByRole('dialog', { name: 'The way of this message' })
    await trace.getByText('Your friend’s device has it', { exact: true }).waitFor()
    await trace.getByText('Your friend’s own node took it').waitFor()
    await page.keyboard.press('Escape')
    await trace.waitFor({ state: 'detached' })
    expect(await page.locator(':focus').textContent(), 'the focus is back').to.include('and another')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.type('/')
    expect(await field.inputValue()).to.equal('/')
    await page.keyboard.press('Control+k')
    await page.getByRole('heading', { name: 'Search' }).waitFor()
    await page.keyboard.type('another')
    await page.getByRole('listitem').filter({ hasText: 'another' }).first().waitFor()
  })

  it('the focus can always be seen, and Tab reaches every part', async () => {
    const page = await browser.openNode(friends.alice)
    await openConversation(page, 'Bob')
    await write(page, 'something to reach')
    await friends.alice.call('message.send', { who: 'Bob', text: 'https://a.example/' })
    await friends.alice.call('message.send', { who: 'Bob', text: 'the last' })
    await bubble(page, 'the last').waitFor()
    const reached = new Set<string>()
    for (let i = 0; i < 16; i++) {
      await page.keyboard.press('Tab')
      const focus = page.locator(':focus')
      // between the end of the page and its beginning nothing has it
      if ((await focus.count()) === 0) continue
      const [name = ''] = ((await focus.getAttribute('class')) ?? '').split(' ')
      expect(await page.locator(':focus-visible').count(), `${name} shows that it has the focus`).to.equal(1)
      reached.add(name)
    }
    expect([...reached]).to.include.members(['line', 'conversation-row', 'way', 'message', 'button', 'icon-button'])
  })

  it('notifications are off until they are asked for, and tell neither name nor text', async () => {
    const page = await browser.openNode(friends.alice, { permissions: ['notifications'] })
    // nobody looks at the page, and what it would show is written down
    await page.evaluate(`
      document.hasFocus = () => false
      window.shown = []
      window.Notification = class extends EventTarget {
        static permission = 'granted'
        static requestPermission = async () => 'granted'
        constructor(title, { body }) { super(); window.shown.push(title + ': ' + body) }
      }`)
    const shown = async (): Promise<string[]> => await page.evaluate<string[]>('window.shown')
    const receive = async (text: string): Promise<void> => {
      await friends.bob.call('message.send', { who: 'Alice', text })
      await page.getByRole('link', { name: new RegExp(text) }).waitFor()
    }
    await receive('while they are off')
    expect(await shown()).to.deep.equal([])
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('switch', { name: /Tell me of new messages/ }).check()
    await receive('while they are on')
    await until(async () => (await shown()).length > 0)
    expect(await shown()).to.deep.equal(['Kith: You have a new message'])
    expect(await page.locator('.conversation-row .badge').innerText(), 'nobody has seen them').to.match(/^2/)
    await page.getByRole('switch').uncheck()
    await friends.alice.call('conversation.read', { who: 'Bob' })
  })

  it('the number is verified in the page', async () => {
    const page = await browser.openNode(friends.bob)
    await openConversation(page, 'Alice')
    await page.getByRole('button', { name: 'Verify' }).click()
    const dialog = page.getByRole('dialog', { name: 'Safety number' })
    const digits = (await dialog.locator('.safety-number').innerText()).replaceAll(/\D/g, '')
    const { safetyNumber } = await friends.alice.call('friend.verify', { who: 'Bob' })
    expect(digits).to.equal(safetyNumber)
    await dialog.getByRole('img', { name: /QR/ }).waitFor()
    await dialog.getByRole('button', { name: 'The numbers match' }).click()
    await page.getByRole('button', { name: 'Verified' }).waitFor()
    expect((await friends.bob.call('friend.list', {}))[0]!.verified).to.equal(true)
  })

  it('a page whose key was used says so, and shows nothing', async () => {
    const { url } = await friends.alice.call('ui.open', {})
    await browser.open(url)
    const late = await browser.open(url)
    await late.getByText('This page is not open any more').waitFor()
    expect(await late.locator('.sidebar').count()).to.equal(0)
    expect(late.url(), 'the key is not in the address').to.not.include('key')
  })
})
