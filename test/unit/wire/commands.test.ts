import { expect } from 'chai'
import { concat, equal, toHex, utf8 } from '../../../node/crypto/bytes.ts'
import { L } from '../../../node/crypto/labels.ts'
import { claimPostageSubject, COPY_STATE, signedCommand, STATUS, VERB } from '../../../node/wire/commands.ts'

const SERVER = new Uint8Array(38).fill(1)
const CHALLENGE = new Uint8Array(32).fill(2)

describe('mailbox commands', () => {
  it('no two verbs, and no two states, share a number', () => {
    for (const table of [VERB, STATUS, COPY_STATE]) {
      expect(new Set(Object.values(table)).size).to.equal(Object.keys(table).length)
    }
  })

  it('T31 what is signed names the verb, the server, its challenge and the arguments', () => {
    const args = utf8('arguments')
    const signed = signedCommand(VERB.put, SERVER, CHALLENGE, args)
    expect(toHex(signed)).to.equal(`a40103025826${'01'.repeat(38)}035820${'02'.repeat(32)}0449${toHex(args)}`)
    const others = [
      signedCommand(VERB.request, SERVER, CHALLENGE, args),
      signedCommand(VERB.put, new Uint8Array(38).fill(9), CHALLENGE, args),
      signedCommand(VERB.put, SERVER, new Uint8Array(32).fill(9), args),
      signedCommand(VERB.put, SERVER, CHALLENGE, utf8('argument')),
    ]
    for (const other of others) expect(equal(other, signed)).to.equal(false)
  })

  it('postage pays for one subject under one challenge', () => {
    const subject = utf8('subject')
    expect(toHex(claimPostageSubject(CHALLENGE, subject))).to.equal(
      toHex(concat(L('claimPostage'), CHALLENGE, subject)),
    )
  })
})
