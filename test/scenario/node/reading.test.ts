/** What a face shows of conversations: the list, what is unread up to which message, pages both ways, drafts and petnames. */
import { expect } from 'chai'
import type { NodeEvent } from '../../../node/api/service.ts'
import { Drafts } from '../../../node/conversation/drafts.ts'
import { History } from '../../../node/conversation/history.ts'
import { Threads } from '../../../node/conversation/threads.ts'
import { utf8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { MAX_DRAFTS, MAX_TEXT_BYTES } from '../../../node/limits.ts'
import { TABLE } from '../../../node/ports.ts'
import { bytes, bytesBetween, decode, encode, list, optional, struct, uint } from '../../../node/wire/schema.ts'
import { HOUR } from '../../simulation/engine.ts'
import { befriend, type Person } from '../../simulation/people.ts'
import { codeOf, createVillage, diskOf, eventsOf, idOf, sayOnce, settle, untilRest, type Village } from './village.ts'

async function unreadOf(person: Person, who: string) {
  const all = await person.do((it) => it.conversations())
  const { unread, firstUnread, last, draft } = all.find(({ petname }) => petname === who)!
  return { unread, firstUnread, last: last?.text, draft }
}

function ofKind(events: NodeEvent[], kind: string): NodeEvent['detail'][] {
  return events.filter(({ event }) => event === kind).map(({ detail }) => detail)
}

async function talk(village: Village, texts: string[]): Promise<string[]> {
  const ids: string[] = []
  for (const text of texts) ids.push((await sayOnce(village, village.bob, village.alice, text)).messageId)
  await untilRest(village)
  return ids
}

const threadFields = {
  lamport: [1, uint()],
  heads: [2, list(bytes(16), 8)],
  last: [3, bytesBetween(0, 16)],
  unread: [4, uint()],
} as const
const oldThread = struct(threadFields)
const newThread = struct({
  ...threadFields,
  read: [5, optional(bytesBetween(0, 16))],
  late: [6, optional(list(bytes(16), 64))],
})

/** Brings the rows of conversations to the form that had no mark; the node is down. */
function forgetMarks({ world }: Village, { name }: Person): void {
  const image = world.disk(name).image()
  const range = { table: TABLE.historyIndex, scope: utf8('threads') }
  const changes = image.rows.list(range).map(({ position, value }) => {
    const { lamport, heads, last, unread } = decode(newThread, value, 4096)
    return { key: { ...range, position }, value: encode(oldThread, { lamport, heads, last, unread }) }
  })
  image.rows.apply(changes)
  world.disk(name).restore(image)
}

describe('conversations as faces see them', () => {
  it('are listed, newest activity first, with the last message', async () => {
    const village = await createVillage(810)
    const { world, alice } = village
    const carol = await settle(village, 'carol')
    await befriend(world, alice, carol)
    await talk(village, ['from bob'])
    await world.pass(HOUR)
    expect((await alice.do((it) => it.conversations())).map(({ petname }) => petname)).to.deep.equal(['bob', 'carol'])
    const messageId = (await alice.do((it) => it.send('carol', 'to carol'))).messageId
    const [first] = await alice.do((it) => it.conversations())
    expect(first).to.include({ petname: 'carol', state: 'friend', unread: 0, verified: false, trust: 'unverified' })
    expect(first!.last).to.include({ messageId, direction: 'out', type: 'text', text: 'to carol', from: alice.it.id })
    expect(first!.conversation).to.match(/^[0-9a-f]{32}$/)
  })

  it('stay listed when the friendship has ended, and strangers never are', async () => {
    const village = await createVillage(811)
    const { alice } = village
    await talk(village, ['hello'])
    await alice.do((it) => it.unfriend('bob'))
    expect((await alice.do((it) => it.conversations())).map(({ state }) => state)).to.deep.equal(['none'])
  })

  it('are read up to a message, which other faces are told, over restarts', async () => {
    const village = await createVillage(812)
    const { world, alice } = village
    const ids = await talk(village, ['one', 'two', 'three', 'four'])
    expect(await unreadOf(alice, 'bob')).to.include({ unread: 4, firstUnread: ids[0], last: 'four' })
    expect(await alice.do((it) => it.markRead('bob', ids[1]))).to.deep.equal({ unread: 2 })
    expect(await alice.do((it) => it.markRead('bob', ids[0]))).to.deep.equal({ unread: 2 })
    world.crash('alice')
    await world.restart('alice')
    expect(await unreadOf(alice, 'bob')).to.include({ unread: 2, firstUnread: ids[2] })
    expect(await alice.do((it) => it.markRead('bob'))).to.deep.equal({ unread: 0 })
    expect(await unreadOf(alice, 'bob')).to.deep.include({ unread: 0, firstUnread: undefined })
    const told = ofKind(await eventsOf(alice), 'read')
    expect(told.map(({ unread }) => unread)).to.deep.equal([2, 0])
    expect(told[0]!['id']).to.equal(village.bob.it.id)
    expect(await codeOf(alice.do((it) => it.markRead('bob', 'ff'.repeat(16))))).to.equal('UNKNOWN_MESSAGE')
  })

  it('are read by a look at the history only when the face says so', async () => {
    const village = await createVillage(813)
    const { alice } = village
    await talk(village, ['one'])
    await alice.do((it) => it.history({ who: 'bob', limit: 10 }))
    expect((await unreadOf(alice, 'bob')).unread).to.equal(1)
    await alice.do((it) => it.history({ who: 'bob', limit: 10, markRead: true }))
    expect((await unreadOf(alice, 'bob')).unread).to.equal(0)
  })

  it('know of a home from before what was unread', async () => {
    const village = await createVillage(814)
    const { world, alice } = village
    const ids = await talk(village, ['one', 'two', 'three'])
    await alice.do((it) => it.markRead('bob', ids[0]))
    world.crash('alice')
    forgetMarks(village, alice)
    await world.restart('alice')
    expect(await unreadOf(alice, 'bob')).to.include({ unread: 2, firstUnread: ids[1] })
  })

  it('page forwards as well as backwards', async () => {
    const village = await createVillage(815)
    const { alice } = village
    const texts = Array.from({ length: 9 }, (_, i) => `text ${i}`)
    const ids = await talk(village, texts)
    const page = async (options: object): Promise<string[]> =>
      (await alice.do((it) => it.history({ who: 'bob', limit: 3, ...options }))).map(({ text }) => text)
    expect(await page({ after: ids[1] })).to.deep.equal(['text 2', 'text 3', 'text 4'])
    expect(await page({ after: ids[6] })).to.deep.equal(['text 7', 'text 8'])
    expect(await page({ after: ids[8] })).to.deep.equal([])
    expect(await page({ before: ids[3] })).to.deep.equal(['text 0', 'text 1', 'text 2'])
    expect(await page({ after: ids[1], search: '8' })).to.deep.equal(['text 8'])
  })
})

describe('a search', () => {
  it('finds in one conversation or in all, newest first, whatever the capitals', async () => {
    const village = await createVillage(820)
    const { world, alice, bob } = village
    const carol = await settle(village, 'carol')
    await befriend(world, alice, carol)
    await talk(village, ['a tern in Aarhus', 'nothing', 'AARHUS again'])
    await world.pass(HOUR)
    await alice.do((it) => it.send('carol', 'to aarhus, then'))
    const find = async (options: { query: string; who?: string; limit?: number }): Promise<string[]> => {
      const { messages, complete } = await alice.do((it) => it.search({ limit: 10, ...options }))
      expect(complete).to.equal(true)
      return messages.map(({ text }) => text)
    }
    expect(await find({ query: 'aarhus' })).to.deep.equal(['to aarhus, then', 'AARHUS again', 'a tern in Aarhus'])
    expect(await find({ query: 'aarhus', limit: 2 })).to.deep.equal(['to aarhus, then', 'AARHUS again'])
    expect(await find({ query: 'aarhus', who: 'bob' })).to.deep.equal(['AARHUS again', 'a tern in Aarhus'])
    expect(await find({ query: 'oslo' })).to.deep.equal([])
    const [first] = (await alice.do((it) => it.search({ query: 'tern', limit: 1 }))).messages
    expect(first!.id).to.equal(bob.it.id)
  })

  it('looks through only so much, the newest', async () => {
    const village = await createVillage(821)
    const { alice } = village
    await talk(village, ['needle 1', 'hay 1', 'hay 2', 'needle 2'])
    const conversation = new Threads({ store: diskOf(village, alice), selfId: await idOf(alice) })
    const history = new History(diskOf(village, alice))
    const budget = { rows: 3 }
    const options = { needle: 'needle', limit: 10, budget }
    const found = await history.search(conversation.conversationWith(await idOf(village.bob)), options)
    expect([found.length, budget.rows]).to.deep.equal([1, 0])
  })
})

describe('drafts', () => {
  it('are kept over restarts, told by ID alone, and end with an empty text', async () => {
    const village = await createVillage(816)
    const { world, alice } = village
    await alice.do((it) => it.setDraft('bob', 'dear b'))
    await alice.do((it) => it.setDraft('bob', 'dear bob'))
    await alice.do((it) => it.setDraft('bob', 'dear bob'))
    world.crash('alice')
    await world.restart('alice')
    expect((await unreadOf(alice, 'bob')).draft).to.equal('dear bob')
    await alice.do((it) => it.setDraft('bob', ''))
    expect((await unreadOf(alice, 'bob')).draft).to.equal(undefined)
    const id = village.bob.it.id
    expect(ofKind(await eventsOf(alice), 'draft')).to.deep.equal([{ id }, { id }, { id }])
    expect(await codeOf(alice.do((it) => it.setDraft('bob', 'x'.repeat(MAX_TEXT_BYTES + 1))))).to.equal('TOO_LONG')
  })

  it('are only so many', async () => {
    const { world } = await createVillage(817)
    const node = await world.start('disk', async (ports) => ports)
    const drafts = new Drafts(node.it.store)
    const of = (i: number): Uint8Array => sha256(utf8(`conversation ${i}`)).slice(0, 16)
    for (let i = 0; i < MAX_DRAFTS; i++) expect(drafts.set(new Transaction(), of(i), 'text')).to.equal(true)
    expect(() => drafts.set(new Transaction(), of(MAX_DRAFTS), 'text')).to.throw('drafts already')
    expect(drafts.set(new Transaction(), of(0), 'other')).to.equal(true)
  })
})

describe('a petname', () => {
  it('is changed here alone, and never to what another has or could be an ID', async () => {
    const village = await createVillage(818)
    const { world, alice } = village
    const carol = await settle(village, 'carol')
    await befriend(world, alice, carol)
    const renamed = await alice.do((it) => it.rename('bob', 'Robert'))
    expect(renamed).to.include({ petname: 'Robert', id: village.bob.it.id })
    await alice.do((it) => it.send('Robert', 'hello'))
    expect(await codeOf(alice.do((it) => it.rename('carol', 'Robert')))).to.equal('WRONG_STATE')
    for (const name of ['kith1carol', '', ' bob', 'KITH1']) {
      expect(await codeOf(alice.do((it) => it.rename('carol', name)))).to.equal('BAD_NAME')
    }
    expect(ofKind(await eventsOf(alice), 'contact').at(-1)).to.include({ petname: 'Robert' })
    world.crash('alice')
    await world.restart('alice')
    expect((await alice.do((it) => it.friends())).map(({ petname }) => petname)).to.deep.equal(['Robert', 'carol'])
  })
})

describe('the code of a safety number', () => {
  it('is the same on both sides and verifies', async () => {
    const { alice, bob } = await createVillage(819)
    const { code } = await alice.do((it) => it.verify('bob'))
    expect((await bob.do((it) => it.verify('alice'))).code).to.equal(code)
    expect((await bob.do((it) => it.verify('alice', { number: code }))).verified).to.equal(true)
    const other = code.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10))
    expect(await codeOf(bob.do((it) => it.verify('alice', { number: other })))).to.equal('NOT_TRUSTED')
  })
})
