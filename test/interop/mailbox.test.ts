/*
 * mailboxes.json and invite.json: addresses, keys and copies at two servers, reach mailboxes, an invite.
 */
import * as mailbox from './mailbox.ts'
import { ED25519, ed25519Public, typed } from './keys.ts'
import { invite } from './maps.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

describe('interop: mailboxes', () => {
  const file = vectorFile('mailboxes')

  it('addresses of all kinds', () => {
    for (const [name, kind] of Object.entries(mailbox.KIND)) {
      const c = file.named(`address: ${name}`)
      c.expectAll({ kind, address: mailbox.addressOf(kind, c.bytes('writer'), c.bytes('reader')) })
    }
  })

  it('mailboxes of a friend at two servers', () => {
    for (const c of [1, 2].map((n) => file.named(`mailbox of a friend at server ${n}`)))
      c.expectAll({ ...mailbox.friendMailbox(c.bytes('secret'), c.bytes('server')) })
  })

  it('copies', () => {
    for (const name of ['copy of an envelope', 'copy of the same envelope at the other server']) {
      const c = file.named(name)
      const copy = mailbox.makeCopy(c.bytes('copyKey'), c.bytes('plaintext'))
      c.expectAll({
        copy,
        cid: mailbox.cidOf(copy),
        nonce: mailbox.copyNonce(c.bytes('copyKey'), c.bytes('plaintext')),
        plaintext: mailbox.openCopy(c.bytes('copyKey'), c.bytes('copy')),
      })
    }
    const other = file.named('copy under another nonce, which a reader opens')
    other.expectAll({
      nonce: other.bytes('copy').slice(0, 24),
      plaintext: mailbox.openCopy(other.bytes('copyKey'), other.bytes('copy')),
    })
  })

  it('an open request box', () => {
    const c = file.named('open request box')
    const writerSeed = mailbox.openBoxWriterSeed(c.bytes('id'))
    const [writer, reader] = [ed25519Public(writerSeed), ed25519Public(c.bytes('readerSeed'))]
    const address = mailbox.addressOf(mailbox.KIND.box, writer, reader)
    c.expectAll({ writerSeed, writer, reader, address })
    const record = vectorFile('records').named('identity record with the open policy')
    record.at('value').expect('requestReader', typed(ED25519, reader))
  })

  it('reach mailboxes by quarter', () => {
    for (const n of [228, 227]) {
      const c = file.named(`reach mailbox of quarter ${n}`)
      c.expectAll({ ...mailbox.reachMailbox(c.bytes('secret'), c.number('quarter'), c.bytes('server')) })
    }
    const c = file.named('quarters')
    for (const at of c.list('written')) at.expect('quarter', mailbox.quarterOf(at.number('now')))
    for (const at of c.list('read')) at.expect('quarters', mailbox.quartersRead(at.number('now')))
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => c.refuses(() => mailbox.openCopy(c.bytes('copyKey'), c.bytes('copy'))))

  everythingRead(file)
})

describe('interop: invite', () => {
  const file = vectorFile('invite')

  it('the map, the text, the mailbox', () => {
    const c = file.named('invite')
    const value = mailbox.readInvite(c.text('text'))
    c.expectAll({
      value,
      encoded: invite.encode(value),
      text: mailbox.inviteText(value),
      writer: ed25519Public(value.writerSeed),
      address: mailbox.inviteAddress(value),
    })
    c.at('value').expect('reader', ed25519Public(c.bytes('readerSeed')))
    for (const also of c.list('alsoReadAs')) c.expect('value', mailbox.readInvite(also.text('text')))
    mailbox.checkUsable(value, value.expires - 1)
  })

  const open = (c: Node): void => {
    const value = mailbox.readInvite(c.text('text'))
    if (c.maybe('now')) mailbox.checkUsable(value, c.number('now'))
  }
  for (const c of file.refused) it(`refuses ${c.name}`, () => c.refuses(() => open(c)))

  everythingRead(file)
})
