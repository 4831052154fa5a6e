/**
 * The main job on real processes, by the real command line: two people become friends, write to each other, and lose
 * nothing while one or both are away. What was written is then searched for in everything that the nodes left behind.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { findCanaries } from '../../support/canary.ts'
import { type Json, KithNodes, type KithProcess } from '../../support/kith-process.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const NAMES = { alice: 'Alice Periwinkle', bob: 'Bob Salsify' }
const NOTE = 'from the gooseberry harvest'
const PETNAME = 'bob-of-the-mangelwurzels'
const FIRST = 'the tamarisk is in bloom'
const ANSWER = 'so is the oleander'
const WHILE_AWAY = [
  'first lingonberry',
  'second cloudberry',
  'third elderberry',
  'fourth mulberry',
  'fifth boysenberry',
]

describe('a story of two friends', function () {
  this.timeout(60_000)
  let nodes: KithNodes
  let relay: KithProcess
  let alice: KithProcess
  let bob: KithProcess
  let ids: { alice: string; bob: string }
  let words: string[]
  let invite: string
  let safetyNumber: string
  const sent: string[] = []

  before(async () => {
    nodes = new KithNodes(await temporaryDirectory())
    relay = nodes.node('relay', 'relay')
    alice = nodes.node('alice', 'up')
    bob = nodes.node('bob', 'up')
    await relay.start('--log-level', 'debug')
  })
  after(async () => nodes.stopAll())
  const temporaryDirectory = temporaryDirectories()

  it('they create identities and start', async () => {
    const [[a], [b]] = await Promise.all([
      alice.ask('init', '--name', NAMES.alice, '--relay', relay.address),
      bob.ask('init', '--name', NAMES.bob, '--relay', relay.address),
    ])
    ids = { alice: String(a!.id), bob: String(b!.id) }
    words = [String(a!.words), String(b!.words)]
    expect(words.map((one) => one.split(' ').length)).to.deep.equal([24, 24])
    await Promise.all([alice.start('--log-level', 'debug'), bob.start('--log-level', 'debug')])
    expect(alice.events[0]).to.include({ v: 1, event: 'ready', id: ids.alice, role: 'node' })
  })

  it('one knocks, the other accepts', async () => {
    const [made] = await alice.ask('invite')
    invite = String(made!.invite)
    const [added] = await bob.ask('add', invite, '--note', NOTE)
    expect(added).to.deep.equal({ v: 1, id: ids.alice, state: 'outgoing' })
    const asked = await alice.waitFor((event) => event.event === 'request')
    expect(asked).to.include({ id: ids.bob, name: NAMES.bob, note: NOTE })
    const requests = await alice.ask('requests')
    expect(requests).to.have.length(1)
    expect(requests[0]).to.include({ id: ids.bob, name: NAMES.bob, note: NOTE })
    const [accepted] = await alice.ask('accept', ids.bob, '--as', PETNAME)
    expect(accepted).to.include({ id: ids.bob }).and.have.property('state').that.is.oneOf(['accepted', 'friend'])
    await Promise.all([
      alice.waitFor((event) => event.event === 'friend'),
      bob.waitFor((event) => event.event === 'friend'),
    ])
    expect(await alice.ask('requests')).to.deep.equal([])
    const [friend] = await alice.ask('friends')
    expect(friend).to.include({ id: ids.bob, petname: PETNAME, name: NAMES.bob, state: 'friend', verified: false })
  })

  it('they compare safety numbers', async () => {
    const [[a], [b]] = await Promise.all([alice.ask('verify', PETNAME), bob.ask('verify', ids.alice)])
    safetyNumber = String(a!.safetyNumber)
    expect(safetyNumber)
      .to.match(/^\d{60}$/)
      .and.equal(b!.safetyNumber)
    const wrong = await alice.run('verify', PETNAME, '--confirm', '--number', '0'.repeat(60))
    expect(wrong.status).to.equal(4)
    const [right] = await alice.ask('verify', PETNAME, '--confirm', '--number', safetyNumber)
    expect(right).to.include({ verified: true })
  })

  it('they write to each other', async () => {
    await exchange(alice, PETNAME, bob, FIRST)
    await exchange(bob, ids.alice, alice, ANSWER)
  })

  it('one is away: the relay signs for each message', async () => {
    await bob.stop()
    for (const text of WHILE_AWAY) {
      const [message] = await alice.ask('send', PETNAME, text, '--wait', 'custody')
      expect(message, text).to.include({ state: 'custody' })
      sent.push(String(message!.messageId))
    }
  })

  it('the other leaves too; who was away comes back and reads all of it from the relay', async () => {
    await alice.stop()
    expect(alice.isRunning).to.equal(false)
    await bob.start('--log-level', 'debug')
    for (const messageId of sent) {
      const event = await bob.waitFor((one) => one.event === 'message' && one.messageId === messageId)
      expect(event).to.include({ via: 'relay', direction: 'in', from: ids.alice })
    }
    expect(alice.isRunning).to.equal(false)
  })

  it('the author comes back and learns that it arrived', async () => {
    await alice.start('--log-level', 'debug')
    for (const messageId of sent) {
      await alice.waitFor((one) => one.event === 'state' && one.messageId === messageId && one.state === 'delivered')
    }
  })

  it('both histories are equal', async () => {
    const [a, b] = await Promise.all([alice.ask('history', PETNAME), bob.ask('history', ids.alice)])
    expect(a.map(({ text }) => text)).to.deep.equal([FIRST, ANSWER, ...WHILE_AWAY])
    const essence = ({ messageId, from, text, sentAt, state }: Json) => ({ messageId, from, text, sentAt, state })
    expect(a.map(essence)).to.deep.equal(b.map(essence))
    expect(a.map(({ state }) => state)).to.deep.equal(a.map(() => 'delivered'))
    expect(shownTwice(bob.told)).to.deep.equal([])
    expect(shownTwice(alice.told)).to.deep.equal([])
  })

  it('T40 neither arguments nor environment of the processes hold a secret', async function () {
    if (process.platform !== 'linux') this.skip()
    for (const node of [relay, alice, bob]) {
      const seen = await Promise.all(
        ['cmdline', 'environ'].map((file) => readFile(`/proc/${node.pid}/${file}`, 'latin1')),
      )
      const text = seen.join('\n')
      expect(text, 'control: it is what the process was started with').to.include(node.home)
      for (const secret of [
        `passphrase of ${node.name}`,
        ...words,
        ...words.flatMap((one) => one.split(' ').slice(0, 4).join(' ')),
      ]) {
        expect(text).to.not.include(secret)
      }
    }
  })

  it('T40 no file of any home holds a name, a word or an ID, and no log does at debug level', async () => {
    await nodes.stopAll()
    const homes = [relay.home, alice.home, bob.home]
    const planted = [...Object.values(NAMES), NOTE, PETNAME, FIRST, ANSWER, ...WHILE_AWAY]
    const secrets = ['passphrase of alice', 'passphrase of bob', ...words, ...words.flatMap((all) => triples(all))]
    const all = [...planted, ...secrets, ...Object.values(ids), invite, invite.slice(20, 60), safetyNumber, ...sent]
    expect(await findCanaries(homes, all)).to.deep.equal([])
    const log = await readFile(join(alice.home, 'node.log'), 'utf8')
    expect(log, 'control: the log is one of debug level').to.include('"level":"debug"')

    const printed = [relay, alice, bob].map((node) => node.stderr).join('\n')
    for (const word of all) expect(printed).to.not.include(word)

    for (const [index, word] of all.entries()) await writeFile(join(alice.home, `control-${index}`), `…${word}…`)
    const found = new Set((await findCanaries(homes, all)).map((one) => one.word))
    expect(
      all.filter((word) => !found.has(word)),
      'control: what lies there is found',
    ).to.deep.equal([])
  })
})

async function exchange(from: KithProcess, friend: string, to: KithProcess, text: string): Promise<void> {
  const [message] = await from.ask('send', friend, text, '--wait', 'delivered')
  expect(message).to.include({ state: 'delivered' })
  const event = await to.waitFor((one) => one.event === 'message' && one.messageId === message!.messageId)
  expect(event.text).to.equal(text)
}

/** Message IDs that a node told more than once. */
function shownTwice(told: Json[]): unknown[] {
  const ids = told.filter(({ event }) => event === 'message').map(({ messageId }) => messageId)
  return ids.filter((id, index) => ids.indexOf(id) !== index)
}

/** Each three neighbouring words. */
function triples(phrase: string): string[] {
  const all = phrase.split(' ')
  return all.slice(2).map((_, index) => all.slice(index, index + 3).join(' '))
}
