/** The contact book while transactions are on their way: what they will leave, and whose a petname is. */
import { expect } from 'chai'
import { Journal, Transaction } from '../../../node/delivery/journal.ts'
import { newContact } from '../../../node/friendship/contact.ts'
import { ContactBook } from '../../../node/friendship/contact-book.ts'
import { createManualClock } from '../../support/manual-clock.ts'
import { createMemoryStore } from '../../support/memory-store.ts'

const BOB = new Uint8Array(32).fill(1)
const CAROL = new Uint8Array(32).fill(2)

async function createFixture() {
  const store = createMemoryStore()
  const journal = await Journal.open(store, createManualClock())
  return { store, journal, book: new ContactBook({ journal, store }) }
}

describe('the contact book', () => {
  it('shows a contact as a transaction leaves it to that transaction alone, until it is written', async () => {
    const { journal, book } = await createFixture()
    const tx = new Transaction()
    book.put(tx, { ...newContact(BOB), state: 'accepted', petname: 'bob', name: 'Bob' })
    book.put(tx, { ...book.get(BOB, tx)!, state: 'friend' })
    expect(book.get(BOB, tx)).to.include({ state: 'friend', name: 'Bob' })
    expect([book.get(BOB), book.get(BOB, new Transaction())]).to.deep.equal([undefined, undefined])
    await journal.commit(tx)
    expect(book.get(BOB)).to.include({ state: 'friend', name: 'Bob' })
  })

  it('keeps a petname for one person while it is being written, and gives it back when that fails', async () => {
    const { store, book } = await createFixture()
    store.fail(1)
    const saving = book.save({ ...newContact(BOB), state: 'outgoing', petname: 'darling' })
    expect(() => book.checkPetname('darling', CAROL)).to.throw('another contact')
    expect(book.checkPetname('darling', BOB)).to.equal('darling')
    expect(book.freePetname('darling', CAROL)).to.not.equal('darling')
    await saving.catch(() => undefined)
    expect(book.checkPetname('darling', CAROL)).to.equal('darling')
    await book.save({ ...newContact(BOB), state: 'outgoing', petname: 'darling' })
    expect(() => book.checkPetname('darling', CAROL)).to.throw('another contact')
  })

  it('reads what it wrote, the reason of a failure too, and no row of somebody who is nobody', async () => {
    const { store, journal, book } = await createFixture()
    await book.save({ ...newContact(BOB), state: 'failed', petname: 'bob', reason: 'nobody was there' })
    await book.save({ ...newContact(CAROL), state: 'incoming', name: 'Carol' })
    await book.save({ ...newContact(CAROL), name: 'Carol' })
    const again = new ContactBook({ journal, store })
    await again.load()
    expect(again.all().map(({ petname, state, reason }) => [petname, state, reason])).to.deep.equal([
      ['bob', 'failed', 'nobody was there'],
    ])
  })

  it('makes no petname that could be meant as an ID', async () => {
    const { book } = await createFixture()
    expect(book.freePetname('bob', BOB)).to.equal('bob')
    for (const name of ['kith1qqqq', ' KITH1qqqq', '']) {
      expect(book.freePetname(name, BOB).toLowerCase()).to.not.match(/^\s*kith1/)
      expect(book.freePetname(name, BOB)).to.not.equal('')
    }
  })
})
