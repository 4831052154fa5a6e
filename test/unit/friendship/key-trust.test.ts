/** A rotation holds the queues of all who are contacts then, whoever came and went while it waited for them. */
import { expect } from 'chai'
import type { Transaction } from '../../../node/delivery/journal.ts'
import { type Contact, newContact } from '../../../node/friendship/contact.ts'
import { KeyTrust } from '../../../node/friendship/key-trust.ts'

const contact = (n: number): Contact => newContact(new Uint8Array(32).fill(n))

describe('a rotation', () => {
  it('waits for somebody who became a contact while another ceased to be one', async () => {
    let contacts = [contact(1), contact(2)]
    const held: number[][] = []
    const asked: number[] = []
    const delivery = {
      exclusivelyAll: async (ids: Uint8Array[], work: () => Promise<unknown>) => {
        held.push(ids.map(([first]) => first!))
        if (held.length === 1) contacts = [contact(2), contact(3)]
        return await work()
      },
    }
    const keys = new KeyTrust({
      book: { all: () => contacts },
      delivery,
      self: { rotate: () => undefined, idText: 'kith1' },
      journal: { commit: async (tx: Transaction) => tx.committed() },
      outgoing: { askAnew: (_: Transaction, { id }: Contact) => void asked.push(id[0]!) },
      protocolTime: () => 0,
    } as unknown as ConstructorParameters<typeof KeyTrust>[0])
    await keys.rotate(new Uint8Array(32))
    expect(held).to.deep.equal([
      [1, 2],
      [2, 3],
    ])
    expect(asked).to.deep.equal([2, 3])
  })
})
