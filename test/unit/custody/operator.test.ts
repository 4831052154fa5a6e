/** What an operator lays down while the server runs: the announced end, sources that are turned away, other limits. */
import { expect } from 'chai'
import { MAX_BANNED_SOURCES } from '../../../node/limits.ts'
import { DAY, member, testMailbox, testServer } from '../../support/custody-fixtures.ts'
import { rejection } from '../../support/rejection.ts'

const PREFIX = '192.0.2.0/24'

describe('mailbox server: its operator', () => {
  it('announces its end: no new mailboxes from then on, mail until then, reading and releasing after it', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'))
    await alice.claim()
    const drain = server.now() + 14 * DAY
    await server.custody.change((settings) => ({ ...settings, drain }))
    expect((await alice.client.hello()).policy.drain).to.equal(drain)
    const bob = member(server, testMailbox('b'))
    expect((await bob.claim()).status).to.equal('full')
    expect((await alice.put('in time')).status).to.equal('stored')

    const again = await server.restart()
    expect(again.custody.settings().drain).to.equal(drain)
    await server.clock.advance(14 * DAY * 1000)
    const later = member(again, testMailbox('a'))
    expect((await later.put('too late')).status).to.equal('full')
    expect(await later.fetch())
      .to.have.property('items')
      .that.has.length(1)
    expect(again.custody.counters()).to.include({ used: 1, holding: 1 })
    await later.release()
    expect(again.custody.counters()).to.include({ used: 0, holding: 0, copies: 0 })

    await again.custody.change(({ banned }) => ({ banned }))
    expect((await member(again, testMailbox('b')).claim()).status).to.equal('claimed')
  })

  it('turns a source away at once and over a restart, and nobody else', async () => {
    const server = await testServer()
    const alice = member(server, testMailbox('a'), PREFIX)
    await alice.claim()
    await server.custody.change((settings) => ({ ...settings, banned: [PREFIX] }))
    expect((await alice.put('one')).status).to.equal('busy')
    expect(server.custody.accept({ prefix: PREFIX })).to.equal(undefined)
    const again = await server.restart()
    expect(again.custody.accept({ prefix: PREFIX })).to.equal(undefined)
    expect(again.custody.accept({ prefix: '198.51.100.0/24' })).to.not.equal(undefined)
    await again.custody.change((settings) => ({ ...settings, banned: [] }))
    expect(again.custody.accept({ prefix: PREFIX })).to.not.equal(undefined)
  })

  it('has a bound on sources, and keeps what it had when that is reached', async () => {
    const server = await testServer()
    const many = Array.from({ length: MAX_BANNED_SOURCES }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
    await server.custody.change((settings) => ({ ...settings, banned: many }))
    const error = await rejection(
      server.custody.change((settings) => ({ ...settings, banned: [...settings.banned, PREFIX] })),
    )
    expect(error).to.include({ code: 'TOO_MANY' })
    expect((await server.restart()).custody.settings().banned).to.deep.equal(many)
  })

  it('changes limits while it runs, over restarts, and back to what is configured', async () => {
    const server = await testServer({ custody: { limits: { maxClaims: 5 } } })
    await server.custody.change((settings) => ({ ...settings, maxClaims: 1, claimBits: 3, maxDays: 2 }))
    const again = await server.restart()
    expect(again.custody.settings()).to.include({ maxClaims: 1, claimBits: 3, maxDays: 2 })
    const alice = member(again, testMailbox('a'))
    expect((await alice.client.hello()).policy).to.include({ claimBits: 3, maxDays: 2 })
    await alice.claim()
    await alice.put('one')
    expect((await member(again, testMailbox('b')).claim()).status).to.equal('full')
    await again.custody.change(() => ({ banned: [] }))
    expect(again.custody.settings()).to.include({ maxClaims: 5, claimBits: 4, maxDays: 30 })
    expect((await member(again, testMailbox('b')).claim()).status).to.equal('claimed')
  })
})
