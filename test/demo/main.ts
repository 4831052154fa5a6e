/**
 * The main job, told as a story: three operating-system processes on this machine (a relay, alice, bob), started with the
 * real command line in fresh directories, become friends, write to each other, and lose nothing while away. Any failure
 * names its step, stops everything, keeps the directories and exits with 1.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { findCanaries } from '../support/canary.ts'
import { type Json, KithNodes, type KithProcess } from '../support/kith-process.ts'

const NAMES = { alice: 'Alice Quillfeather', bob: 'Bob Marrowfat' }
/** On one machine they would reach each other directly: gossip and the relay are to carry everything here. */
const NOT_DIRECTLY = ['--direct', 'never']
const NOTE = 'we met at the chrysanthemum market'
const FIRST = 'hello Bob, the heliotrope is in bloom'
const ANSWER = 'hello Alice, so is the amaryllis'
const WHILE_AWAY = ['one snowdrop', 'two hyacinths', 'three gladioli', 'four rhododendrons', 'five bougainvilleas']

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kith-demo-'))
  const nodes = new KithNodes(directory)
  const story = new Story()
  process.once('SIGINT', () => {
    void nodes.stopAll().finally(() => process.exit(130))
  })
  try {
    await tell(story, nodes)
    story.end()
    await nodes.stopAll()
    await rm(directory, { recursive: true, force: true })
  } catch (error) {
    story.failed(error)
    await nodes.stopAll()
    print(`  everything is stopped; what the nodes wrote is kept in ${directory}`)
    process.exitCode = 1
  }
}

async function tell(story: Story, nodes: KithNodes): Promise<void> {
  const relay = nodes.node('relay', 'relay')
  const alice = nodes.node('alice', 'up')
  const bob = nodes.node('bob', 'up')

  print('Kith: two friends and a relay, no server. Three processes on this machine, on loopback.\n')

  const ids = await story.step('a relay starts; alice and bob create identities', async () => {
    await relay.start()
    const created = await Promise.all([
      alice.ask('init', '--name', NAMES.alice, '--relay', relay.address),
      bob.ask('init', '--name', NAMES.bob, '--relay', relay.address),
    ])
    const [a, b] = created.map(([one]) => one!)
    const words = [a!, b!].map((one) => String(one.words).split(' ').length)
    expect(
      words.every((count) => count === 24),
      'each identity comes with 24 words',
    )
    return { alice: String(a!.id), bob: String(b!.id) }
  })
  story.note(`alice is ${short(ids.alice)}, bob is ${short(ids.bob)}`)

  await story.step('their nodes start', async () => {
    await Promise.all([alice.start(...NOT_DIRECTLY), bob.start(...NOT_DIRECTLY)])
  })
  story.note(`process ids: relay ${relay.pid}, alice ${alice.pid}, bob ${bob.pid}`)

  const invite = await story.step('alice makes an invite', async () => {
    const [made] = await alice.ask('invite')
    return String(made!.invite)
  })
  story.note(`${invite.slice(0, 40)}… (${invite.length} characters)`)

  await story.step('bob knocks with it', async () => {
    const [added] = await bob.ask('add', invite, '--note', NOTE)
    expect(added!.state === 'outgoing', 'the request is on its way')
    const asked = await alice.waitFor((event) => event.event === 'request')
    expect(asked.id === ids.bob && asked.note === NOTE, 'alice sees who asks')
  })
  await story.step('alice accepts, and both are friends', async () => {
    await alice.ask('accept', ids.bob, '--as', 'bob')
    await Promise.all([
      alice.waitFor((event) => event.event === 'friend'),
      bob.waitFor((event) => event.event === 'friend'),
    ])
  })

  const numbers = await story.step('they compare safety numbers', async () => {
    const [[a], [b]] = await Promise.all([alice.ask('verify', ids.bob), bob.ask('verify', ids.alice)])
    expect(a!.safetyNumber === b!.safetyNumber && String(a!.safetyNumber).length === 60, 'both see the same 60 digits')
    await alice.ask('verify', ids.bob, '--confirm', '--number', String(b!.safetyNumber))
    return String(a!.safetyNumber)
  })
  story.note(numbers.replaceAll(/(\d{5})(?=\d)/g, '$1 '))

  const there = await story.step('alice writes to bob', () => exchange(alice, ids.bob, bob, FIRST))
  story.note(`came by ${there}`)
  const back = await story.step('bob answers', () => exchange(bob, ids.alice, alice, ANSWER))
  story.note(`came by ${back}`)

  await story.step('bob leaves', async () => {
    await bob.stop()
    expect(!bob.isRunning, 'the process of bob is gone')
  })
  const sent = await story.step('alice writes five messages to him; the relay signs for each', async () => {
    const messages: string[] = []
    for (const text of WHILE_AWAY) {
      const [message] = await alice.ask('send', ids.bob, text, '--wait', 'custody')
      expect(message!.state === 'custody', `the relay has "${text}"`)
      messages.push(String(message!.messageId))
    }
    return messages
  })
  const pid = alice.pid!
  await story.step('alice leaves too', async () => {
    await alice.stop()
    expect(!isAlive(pid), `no process ${pid} any more`)
  })
  await story.step('bob comes back alone and reads them from the relay', async () => {
    await bob.start(...NOT_DIRECTLY)
    for (const messageId of sent) {
      const event = await bob.waitFor((one) => one.event === 'message' && one.messageId === messageId)
      expect(event.via === 'relay', 'it came by the relay')
    }
    expect(!isAlive(pid), 'alice was not there')
  })
  await story.step('alice comes back and learns that all of it arrived', async () => {
    await alice.start(...NOT_DIRECTLY)
    for (const messageId of sent) {
      await alice.waitFor((one) => one.event === 'state' && one.messageId === messageId && one.state === 'delivered')
    }
  })
  await story.step('both histories are equal', async () => {
    const [a, b] = await Promise.all([alice.ask('history', ids.bob), bob.ask('history', ids.alice)])
    const texts = [FIRST, ANSWER, ...WHILE_AWAY]
    expect(same(a.map(essence), b.map(essence)), 'the same messages in the same order')
    expect(
      same(
        a.map(({ text }) => text),
        texts,
      ),
      'nothing is missing and nothing is there twice',
    )
    expect(
      a.every(({ state }) => state === 'delivered'),
      'alice sees all of them delivered',
    )
  })
  await story.step('no directory and no log holds a word, a name or an ID', async () => {
    await nodes.stopAll()
    const words = [...Object.values(NAMES), NOTE, FIRST, ANSWER, ...WHILE_AWAY, ids.alice, ids.bob, invite, numbers]
    const found = await findCanaries([relay.home, alice.home, bob.home], words)
    expect(found.length === 0, `nothing readable is found: ${JSON.stringify(found[0])}`)
  })
}

/** Sends one message, waits until it is read and acknowledged, and tells the way it came. */
async function exchange(from: KithProcess, friend: string, to: KithProcess, text: string): Promise<string> {
  const [message] = await from.ask('send', friend, text)
  const event = await to.waitFor((one) => one.event === 'message' && one.messageId === message!.messageId)
  expect(event.text === text, 'the text arrives as it was written')
  await from.waitFor(
    (one) => one.event === 'state' && one.messageId === message!.messageId && one.state === 'delivered',
  )
  return String(event.via)
}

class Story {
  readonly #begin = performance.now()
  #number = 0
  #current = ''

  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.#number++
    this.#current = title
    const begin = performance.now()
    const result = await work()
    const seconds = ((performance.now() - begin) / 1000).toFixed(1)
    print(
      `${styleText('green', '✓')} ${String(this.#number).padStart(2)}. ${title.padEnd(66)} ${seconds.padStart(5)} s`,
    )
    return result
  }

  note(text: string): void {
    print(styleText('dim', `       ${text}`))
  }

  end(): void {
    const seconds = ((performance.now() - this.#begin) / 1000).toFixed(1)
    print(`\nAll of it worked, in ${seconds} s.`)
  }

  failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    print(`${styleText('red', '✗')} ${String(this.#number).padStart(2)}. ${this.#current}\n  ${text}`)
  }
}

function expect(condition: boolean, statement: string): void {
  if (!condition) throw new Error(`this does not hold: ${statement}`)
}

function essence({ messageId, text }: Json): unknown {
  return [messageId, text]
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function short(id: string): string {
  return `${id.slice(0, 16)}…`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

await main()
