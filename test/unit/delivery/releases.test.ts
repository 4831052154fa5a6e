/** Releases that wait: kept over a restart, bounded, and forgotten when no claim can be left. */
import { expect } from 'chai'
import { u32 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { Journal, Transaction } from '../../../node/delivery/journal.ts'
import { Releases } from '../../../node/delivery/releases.ts'
import { MAX_PENDING_RELEASES } from '../../../node/limits.ts'
import { TABLE } from '../../../node/ports.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const DAY = 86_400
const SERVER = new Uint8Array(34).fill(1)
const CLAIM = { table: TABLE.meta, scope: new Uint8Array([1]), position: new Uint8Array(8) }

function mailbox(number: number) {
  return { server: SERVER, address: sha256(u32(number)), readerSeed: new Uint8Array(32).fill(2) }
}

async function createFixture() {
  const store = createMemoryStore()
  const journal = await Journal.open(store, createManualClock())
  let now = 1_700_000_000
  const open = async (): Promise<Releases> => {
    const releases = new Releases({ store, protocolTime: () => now })
    await releases.load()
    return releases
  }
  const add = async (releases: Releases, ...numbers: number[]): Promise<void> => {
    const tx = new Transaction()
    for (const number of numbers) releases.add(tx, mailbox(number))
    await journal.commit(tx)
  }
  return { store, open, add, pass: (seconds: number) => (now += seconds) }
}

describe('releases that wait', () => {
  it('are there after a restart, for their server alone, until the server knows', async () => {
    const { store, open, add } = await createFixture()
    await add(await open(), 1, 2)
    const releases = await open()
    const [first, ...rest] = releases.at(SERVER)
    expect(rest).to.have.lengthOf(1)
    expect(releases.at(new Uint8Array(34))).to.deep.equal([])
    await releases.done(first!, CLAIM)
    expect(releases.at(SERVER)).to.deep.equal(rest)
    expect((await open()).at(SERVER)).to.deep.equal(rest)
    await releases.done(rest[0]!, CLAIM)
    expect(store.size).to.equal(0)
  })

  it('that are not written do not wait', async () => {
    const { store, open, add } = await createFixture()
    const releases = await open()
    store.fail(1)
    await add(releases, 1).catch(() => undefined)
    expect(releases.at(SERVER)).to.deep.equal([])
  })

  it('end with the claim', async () => {
    const { store, open, add, pass } = await createFixture()
    const releases = await open()
    await add(releases, 1)
    pass(89 * DAY)
    await add(releases, 2)
    const [old, young] = releases.at(SERVER)
    expect([old, young].map((one) => releases.hasEnded(one!))).to.deep.equal([false, false])
    pass(DAY)
    expect([old, young].map((one) => releases.hasEnded(one!))).to.deep.equal([true, false])
    expect((await open()).at(SERVER)).to.deep.equal([young])
    expect(store.size).to.equal(1)
  })

  it(`are ${MAX_PENDING_RELEASES} at most: the oldest makes room`, async () => {
    const { store, open, add } = await createFixture()
    const releases = await open()
    for (let i = 0; i < MAX_PENDING_RELEASES + 2; i++) await add(releases, i)
    const kept = releases.at(SERVER)
    expect(kept).to.have.lengthOf(MAX_PENDING_RELEASES)
    expect(kept[0]!.address).to.deep.equal(mailbox(2).address)
    expect(store.size).to.equal(MAX_PENDING_RELEASES)
  })
})
