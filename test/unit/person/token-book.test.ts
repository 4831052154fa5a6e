/** Tokens at rest: what is kept of them, what ends them, and how many there are. */
import { expect } from 'chai'
import { toHex, utf8 } from '../../../node/crypto/bytes.ts'
import type { KithError } from '../../../node/errors.ts'
import { MAX_API_TOKENS, MAX_PAGE_SESSIONS, MAX_TOKEN_NAME_BYTES, PAGE_SESSION_DAYS } from '../../../node/limits.ts'
import { TokenBook } from '../../../node/person/token-book.ts'
import { type Random, type RowKey, TABLE } from '../../../node/ports.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { createManualClock, type ManualClock } from '../../support/manual-clock.ts'
import { createMemoryStore, type MemoryStore } from '../../support/memory-store.ts'
import { rejection } from '../../support/rejection.ts'

const ROW: RowKey = { table: TABLE.meta, scope: utf8('tokens'), position: new Uint8Array(0) }

describe('the tokens of a node', () => {
  let init: { store: MemoryStore; clock: ManualClock; random: Random }
  let book: TokenBook

  beforeEach(async () => {
    init = { store: createMemoryStore(), clock: createManualClock(), random: countingRandom() }
    book = await TokenBook.open(init)
  })

  it('T46 keeps a hash, not the token, and knows it again after a start', async () => {
    const { tokenId } = await book.add({ name: 'bot', scopes: ['read', 'metrics'], conversation: 'kith1bob' }, 'secret')
    expect(toHex((await init.store.get(ROW))!)).to.not.include(toHex(utf8('secret')))
    const later = await TokenBook.open(init)
    expect(later.find('secret')).to.deep.equal({
      tokenId,
      scopes: new Set(['read', 'metrics']),
      conversation: 'kith1bob',
    })
    for (const wrong of ['', 'secreT', 'secret ', 'secre']) expect(later.find(wrong), wrong).to.equal(undefined)
  })

  it('T46 one that is revoked is gone at once and for good, and whoever listens is told', async () => {
    const told: string[] = []
    const { tokenId } = await book.add({ name: 'a', scopes: ['read'] }, 'a')
    await book.add({ name: 'b', scopes: ['read'] }, 'b')
    const stop = book.onEnd((id) => told.push(id))
    await book.revoke(tokenId)
    stop()
    expect(told).to.deep.equal([tokenId])
    expect([book.find('a'), (await TokenBook.open(init)).find('a')]).to.deep.equal([undefined, undefined])
    expect(book.find('b')).to.not.equal(undefined)
    expect(((await rejection(book.revoke(tokenId))) as KithError).code).to.equal('UNKNOWN_TOKEN')
  })

  it('takes changes that are made at once one after the other', async () => {
    await Promise.all(['a', 'b', 'c'].map((name) => book.add({ name, scopes: ['read'] }, name)))
    expect((await TokenBook.open(init)).list().map(({ name }) => name)).to.deep.equal(['a', 'b', 'c'])
  })

  it('T46 has room for so many, refuses one more, and lets the oldest page go', async () => {
    for (let i = 0; i < MAX_API_TOKENS; i++) await book.add({ name: 'bot', scopes: ['read'] }, `t${i}`)
    for (let i = 0; i <= MAX_PAGE_SESSIONS; i++) {
      await book.add(
        { name: 'x'.repeat(MAX_TOKEN_NAME_BYTES), scopes: ['read'], conversation: 'k'.repeat(70), isPage: true },
        `p${i}`,
      )
    }
    expect(((await rejection(book.add({ name: 'more', scopes: ['read'] }, 'm'))) as KithError).code).to.equal(
      'TOO_MANY',
    )
    expect([book.find('p0'), book.find('m')]).to.deep.equal([undefined, undefined])
    const later = await TokenBook.open(init)
    expect(later.list()).to.have.length(MAX_API_TOKENS + MAX_PAGE_SESSIONS)
    expect(later.find('p1')).to.not.equal(undefined)
    const long = { name: 'x'.repeat(MAX_TOKEN_NAME_BYTES + 1), scopes: ['read'] } as const
    expect(((await rejection(book.add(long, 'l'))) as KithError).code).to.equal('TOO_LONG')
  })

  it('T46 a page ends by itself', async () => {
    await book.add({ name: 'page', scopes: ['read'], isPage: true }, 'page')
    await book.add({ name: 'bot', scopes: ['read'] }, 'bot')
    await init.clock.advance(PAGE_SESSION_DAYS * 86_400_000)
    expect([book.find('page'), book.list().length]).to.deep.equal([undefined, 1])
    expect(book.find('bot')).to.not.equal(undefined)
  })
})
