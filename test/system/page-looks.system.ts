/**
 * Every main view of the page with people in it, in light, in dark and at 360 pixels: axe finds nothing serious, nothing is
 * wider than the screen, and pictures are taken. `KITH_PICTURES=FOLDER` keeps them; docs/PAGE.md shows some.
 */
import { expect } from 'chai'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { befriend, befriended, type Friends } from '../support/befriended.ts'
import type { KithProcess } from '../support/kith-process.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'
import { findings, hasChromium, keepPicture, overflow, TestBrowser } from './browser.ts'
import { titled } from './machine.ts'

const LOOKS: Record<string, BrowserContextOptions> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { colorScheme: 'light', viewport: { width: 360, height: 720 } },
}

const TALK: [who: 'alice' | 'bob', text: string][] = [
  ['bob', 'Are you coming to the allotment on Sunday?'],
  ['bob', 'The beans are taller than the shed by now.'],
  ['alice', 'Yes! I can be there from ten. Shall I bring the ladder?'],
  ['bob', 'Please. And the map: https://map.example/allotments?plot=17'],
  [
    'alice',
    'Dana asks whether there is room for two more tomato plants, and if we could water hers while she is away next week.',
  ],
  ['bob', 'שלום! יש מקום, בטח'],
  ['bob', 'Plenty of room ☀️'],
  ['alice', 'Wonderful.\nThen I tell her:\n  · two plants\n  · water on Tuesday and Friday'],
]

describe(titled('the looks of the page', hasChromium(), 'chromium'), function () {
  this.timeout(240_000)
  let browser: TestBrowser
  let friends: Friends
  before(async function () {
    if (!hasChromium()) this.skip()
    browser = await TestBrowser.launch(await temporaryDirectory())
    friends = await befriended(await temporaryDirectory())
    await populate(friends)
  })
  afterEach(async () => browser?.closePages())
  after(async () => {
    await browser?.close()
    await friends?.nodes.stopAll()
  })
  const temporaryDirectory = temporaryDirectories()

  const views: Record<string, (page: Page) => Promise<void>> = {
    conversation: async (page) => {
      await go(page, `with/${friends.ids.bob}`)
      await page.locator('.message-text', { hasText: 'water on Tuesday' }).waitFor()
      await page.locator('.message.out').last().getByText('Delivered').waitFor()
    },
    list: async (page) => go(page, ''),
    requests: async (page) => {
      await go(page, 'requests')
      await page.getByRole('heading', { name: 'Mira' }).waitFor()
    },
    add: async (page) => {
      await go(page, 'add')
      await page.getByRole('button', { name: 'Make an invite' }).click()
      await page.getByRole('img', { name: /QR/ }).waitFor()
    },
    network: async (page) => {
      await go(page, 'network')
      await page.getByText('Connected', { exact: true }).waitFor()
    },
    settings: async (page) => {
      await go(page, 'settings')
      await page.getByText('relays that keep mail for you').waitFor()
    },
    search: async (page) => {
      await go(page, 'search')
      await page.getByRole('searchbox').fill('water')
      await page.getByText('2 found').waitFor()
    },
    verify: async (page) => {
      await go(page, `with/${friends.ids.bob}`)
      await page.getByRole('button', { name: /Verif/ }).click()
      await page.getByRole('img', { name: /QR/ }).waitFor()
    },
    trace: async (page) => {
      await go(page, `with/${friends.ids.bob}`)
      await page.locator('.message.out').last().getByRole('button').click()
      await page.getByText('Your friend’s device has it', { exact: true }).waitFor()
    },
    keys: async (page) => {
      await go(page, '')
      await page.keyboard.press('?')
      await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    },
  }

  for (const [look, options] of Object.entries(LOOKS)) {
    it(`in ${look}: axe finds nothing serious, and everything fits`, async () => {
      const page = await browser.openNode(friends.alice, options)
      for (const [name, show] of Object.entries(views)) {
        await show(page)
        await keepPicture(page, `${name}-${look}`)
        expect(await findings(page), `${name} in ${look}`).to.deep.equal([])
        expect(await overflow(page), `${name} in ${look} is wider than the screen`).to.be.at.most(0)
        if (await page.getByRole('dialog').isVisible()) await page.keyboard.press('Escape')
      }
    })
  }
})

async function go(page: Page, fragment: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/#/${fragment}`)
}

/** Three friends, of whom one has written, one is in a draft; and somebody who asks. */
async function populate({ nodes, relay, alice, bob }: Friends): Promise<void> {
  await relay.start()
  const others = [nodes.node('dana', 'up'), nodes.node('cem', 'up'), nodes.node('mira', 'up')] as const
  const [dana, cem, mira] = others
  await Promise.all([alice.start('--http', '127.0.0.1:0'), bob.start()])
  const ids = await Promise.all(
    ['Dana', 'Cem', 'Mira from the choir'].map(async (name, i) => {
      const [made] = await others[i]!.ask('init', '--name', name, '--relay', relay.address)
      await others[i]!.start()
      return String(made!.id)
    }),
  )
  await befriend(dana, alice, ids[0]!)
  await befriend(cem, alice, ids[1]!)
  for (const [who, text] of TALK) await say(who === 'alice' ? alice : bob, who === 'alice' ? bob : alice, text)
  await alice.call('conversation.read', { who: 'Bob' })
  await alice.call('friend.verify', { who: 'Bob', confirm: true })
  await alice.call('draft.set', { who: 'Cem', text: 'Happy birthday, dear' })
  await say(dana, alice, 'Thank you both, you are the best neighbours!')
  const { invite } = await alice.call('invite.create', {})
  await mira.call('friend.add', {
    target: invite,
    note: 'Hello Alice! I am Mira, from the choir. Bob gave me this invite.',
  })
  await alice.waitFor((event) => event.event === 'request' && event.id === ids[2])
}

/** Sends a message and waits until the other has it and has said so. */
async function say(from: KithProcess, to: KithProcess, text: string): Promise<void> {
  const who = from.name === 'alice' ? capital(to.name) : 'Alice'
  const { messageId } = await from.call('message.send', { who, text })
  await from.call('message.wait', { messageId, state: 'delivered', timeoutSeconds: 60 })
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}
