import { expect } from 'chai'
import { createLocalLink } from '../../../node/custody/local-link.ts'
import { createMailboxClient } from '../../../node/delivery/mailbox-client.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { DAY, testCopy, testMailbox, testServer } from '../../support/custody-fixtures.ts'
import { rejection } from '../../support/rejection.ts'

describe('local link to the own mailbox server', () => {
  it('carries what a friend PUT here to the client of this node', async () => {
    const server = await testServer({ custody: { openToAll: false } })
    const link = createLocalLink(server.custody.acceptLocal(), server.peerId)
    const own = createMailboxClient({ link, clock: server.clock, random: countingRandom(), logger: server.logger })
    const { kind, writer, reader, address } = testMailbox('a')
    expect((await own.claim({ kind, writer, reader, until: server.now() + DAY })).status).to.equal('claimed')
    await own.subscribe({ entries: [{ address, after: 0 }] })
    const pull = own.pull()
    const expires = server.now() + DAY
    await server.client().put({ address, writerSeed: writer.seed, copy: testCopy('one'), expires })
    expect(await pull)
      .to.have.nested.property('items[0].copy')
      .that.deep.equals(testCopy('one'))
  })

  it('ends what is under way when it closes, and tells so once', async () => {
    const server = await testServer()
    const link = createLocalLink(server.custody.acceptLocal(), server.peerId)
    const client = createMailboxClient({ link, clock: server.clock, random: countingRandom(), logger: server.logger })
    let closed = 0
    link.onClose(() => closed++)
    const pull = rejection(client.pull())
    link.close()
    link.close()
    expect(await pull).to.have.property('code', 'LINK_CLOSED')
    expect(await rejection(client.hello())).to.have.property('code', 'LINK_CLOSED')
    expect(closed).to.equal(1)
    link.onClose(() => closed++)
    expect(closed, 'late listeners hear it too').to.equal(2)
  })
})
