/** `kith ui` for somebody who has nothing yet: an identity, its words, a friend, a message, with three questions. */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import type { Locator, Page } from 'playwright-core'
import { KithNodes, type KithProcess, LineProcess } from '../support/kith-process.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { findings, hasChromium, keepPicture, overflow, TestBrowser } from './browser.ts'
import { titled } from './machine.ts'

const LAUNCHER = resolve(import.meta.dirname, '../../cli/kith.cjs')
const PASSPHRASE = 'seven purple gentians'
const NARROW = { viewport: { width: 360, height: 720 } }

describe(titled('the first run of the page', hasChromium(), 'chromium'), function () {
  this.timeout(240_000)
  let browser: TestBrowser
  let nodes: KithNodes
  let relay: KithProcess
  let friend: KithProcess
  let directory: string
  let command: LineProcess | undefined
  before(async function () {
    if (!hasChromium()) this.skip()
    directory = await temporaryDirectory()
    browser = await TestBrowser.launch(directory)
    nodes = new KithNodes(await temporaryDirectory())
    relay = nodes.node('relay', 'relay')
    friend = nodes.node('friend', 'up')
    await relay.start()
    await friend.ask('init', '--name', 'Grace', '--relay', relay.address)
    await friend.start()
  })
  afterEach(async () => {
    await browser?.closePages()
    await command?.stop()
  })
  after(async () => {
    await browser?.close()
    await nodes?.stopAll()
  })
  const temporaryDirectory = temporaryDirectories()

  /** Runs `kith ui` as an installation does that knows its relays; gives the address that it prints. */
  const openUi = async (): Promise<string> => {
    const child = spawn(process.execPath, [LAUNCHER, '--home', join(directory, 'home'), '--json', 'ui', '--no-open'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        XDG_RUNTIME_DIR: join(directory, 'run'),
        KITH_RELAYS: relay.address,
        KITH_LISTEN: '/ip4/127.0.0.1/tcp/0',
      },
    })
    command = new LineProcess('kith ui', child)
    return String((await command.waitFor((line) => line.event === 'page')).url)
  }
  const look = async (page: Page, name: string): Promise<void> => {
    await keepPicture(page, name)
    expect(await findings(page), name).to.deep.equal([])
    expect(await overflow(page), `${name} is wider than the screen`).to.be.at.most(0)
  }

  it('three questions lead from nothing to the first message', async () => {
    const page = await browser.open(await openUi())
    let questions = 0
    const answer = async (field: Locator, text: string): Promise<void> => {
      questions += 1
      await field.fill(text)
    }
    await page.getByRole('button', { name: 'Create my identity' }).waitFor()
    await look(page, 'first-run-light')
    await answer(page.getByLabel('What should friends call you?'), 'Ada')
    await answer(page.getByLabel('A passphrase for this machine'), PASSPHRASE)
    await page.getByRole('button', { name: 'Create my identity' }).click()
    await page.getByRole('status').getByText('Making your keys').waitFor()

    await page.getByRole('heading', { name: 'Your 24 words' }).waitFor()
    await look(page, 'words-light')
    const words = await page.locator('.words li').allInnerTexts()
    expect(words).to.have.length(24)
    await page.getByRole('button', { name: 'I have written them down' }).click()
    const question = page.getByLabel(/^Which word has the number/)
    await question.fill('none of them')
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByRole('alert').getByText('That is another word').waitFor()
    const number = Number(/\d+/.exec(await page.locator('form .field').innerText())![0])
    await answer(question, words[number - 1]!)
    await page.getByRole('button', { name: 'Begin' }).click()

    await page.getByRole('heading', { name: 'Nobody here yet' }).waitFor()
    await page.getByRole('link', { name: 'Add a friend' }).click()
    await page.getByRole('button', { name: 'Make an invite' }).click()
    const target = await page.locator('.link-text').innerText()
    await friend.call('friend.add', { target, note: 'It is me, Grace' })
    await page.getByRole('link', { name: /1 waiting.*Requests/ }).click()
    await page.getByRole('button', { name: 'Accept' }).click()
    await page.getByRole('textbox', { name: 'Message to Grace' }).fill('My first words')
    await page.keyboard.press('Enter')
    await page.locator('.message', { hasText: 'My first words' }).getByText('Delivered').waitFor()
    await friend.logged((event) => event.event === 'message' && event.text === 'My first words')
    expect(questions).to.equal(3)
  })

  it('a locked home asks for the passphrase, says when it is wrong, and shows what was there', async () => {
    const page = await browser.open(await openUi(), NARROW)
    const field = page.getByLabel('Your passphrase')
    await field.waitFor()
    await look(page, 'unlock-narrow')
    await field.fill('five yellow gentians')
    await page.getByRole('button', { name: 'Unlock' }).click()
    await page.getByRole('alert').getByText('That is not the passphrase.').waitFor()
    await field.fill(PASSPHRASE)
    await page.getByRole('button', { name: 'Unlock' }).click()
    await page.getByRole('link', { name: /Grace/ }).click()
    await page.locator('.message', { hasText: 'My first words' }).waitFor()
    await page.getByRole('link', { name: 'Back to the conversations' }).click()
    await page.getByRole('navigation', { name: 'Conversations' }).waitFor()
    // the words were shown once: nothing of them or of the passphrase stays in the browser
    const kept: string = await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')
    expect(kept).to.not.include('gentians')
  })
})
