/*
 * envelope.json: payloads of each type, envelopes of the three sizes, tags, topics, the validator. The envelopes are
 * sealed and opened too, in the session of handshake.json.
 */
import { expect } from 'chai'
import { concat, leadingZeroBits, toHex } from './bytes.ts'
import * as envelope from './envelope.ts'
import { x25519Public } from './keys.ts'
import { payload } from './maps.ts'
import { begin, prefixOf, sealMessage, tagKeyOf, tagOf } from './ratchet.ts'
import { openMessage } from './ratchet-open.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('envelope')
const envelopes = envelope.ENVELOPE_BYTES.map((size) => file.named(`envelope of ${size} bytes`))

/** The session right after the handshake, on both sides. */
function freshSessions() {
  const start = vectorFile('ratchet').named('session')
  const keys = {
    th3: start.bytes('th3'),
    ecRoot: start.bytes('ecRoot'),
    pqRoot: start.bytes('pqRoot'),
    headerKeyA: start.bytes('headerKeyA'),
    headerKeyB: start.bytes('headerKeyB'),
  }
  const [one, first] = [start.at('oneTimeKey').bytes('secret'), start.at('ratchetKeyB').bytes('secret')]
  return { a: begin('A', keys, one, x25519Public(first)), b: begin('B', keys, first, x25519Public(one)) }
}

describe('interop: envelope', () => {
  for (const c of file.cases.filter((one) => one.name.startsWith('payload')))
    it(c.name, () => {
      const value = envelope.readPayload(c.bytes('encoded'))
      const withConversation = value.type === envelope.TYPE.text || value.type === envelope.TYPE.profile
      const conversation = envelope.conversationOf(c.bytes('higherId'), c.bytes('lowerId'))
      c.expectAll({ value, encoded: payload.encode(value), messageId: envelope.messageIdOf(c.bytes('encoded')) })
      const bodyValue = envelope.readBody(value.type, value.body)
      if (bodyValue !== undefined) c.expect('bodyValue', bodyValue)
      c.at('value').expect('conversation', withConversation ? conversation : new Uint8Array(16))
    })

  it('envelopes of the three sizes', () => {
    for (const c of envelopes) {
      const size = c.number('size')
      const { prefix, tag, expiryDay, eid, postageNonce } = envelope.readEnvelope(c.bytes('envelope'))
      const postageHash = envelope.postageOf(postageNonce, eid)
      c.expectAll({ prefix, tag, expiryDay, eid, postageNonce, postageHash })
      c.expectAll({
        size: c.bytes('envelope').length,
        tag: tagOf(c.bytes('tagKey'), c.number('tagCounter')),
        prefix: prefixOf(tag, expiryDay),
        largestPayload: envelope.largestPayload(size),
        postageBits: envelope.postageBits(size),
        messageId: envelope.messageIdOf(c.bytes('payload')),
      })
      expect(envelope.sizeFor(c.bytes('payload').length)).to.equal(size)
      expect(envelope.expiryDays(c.number('now'))).to.include(expiryDay)
      expect(leadingZeroBits(postageHash)).to.be.at.least(c.number('postageBits'))
      envelope.readPayload(c.bytes('payload'))
      expect(new envelope.Validator().judge(c.bytes('envelope'), c.number('now'))).to.equal('accept')
    }
  })

  it('seals them one after the other in the session, and opens them there', () => {
    const { a, b: begun } = freshSessions()
    let b = begun
    for (const c of envelopes) {
      const { prefix, body } = envelope.readEnvelope(c.bytes('envelope'))
      const [floor, tagCounter, size, now] = ['floor', 'tagCounter', 'size', 'now'].map((key) => c.number(key)) as [
        number,
        number,
        number,
        number,
      ]
      const nonces = { headerNonce: c.bytes('headerNonce'), payloadNonce: c.bytes('payloadNonce') }
      const secret = c.maybe('secret') && c.bytes('secret')
      const drawn = { ...nonces, ...(secret && { secret }) }
      const sealed = sealMessage(a, c.bytes('payload'), { ...drawn, now, floor, tagCounter, prefix, size })
      expect(toHex(concat(sealed.encryptedHeader, sealed.sealedPayload))).to.equal(toHex(body))
      const opened = openMessage(b, prefix, body, now)
      c.expectAll({ payload: opened.payload, tagCounter: opened.header.tagCounter })
      b = opened.session
    }
  })

  it('tags and their window', () => {
    const c = file.named('tags')
    c.expect('tagKey', tagKeyOf(c.bytes('mailboxSecret')))
    for (const one of c.list('tags')) one.expect('tag', tagOf(c.bytes('tagKey'), one.number('counter')))
    for (const one of c.list('windows')) one.expectAll({ ...envelope.windowOf(one.number('highestSeen')) })
  })

  it('topics', () => {
    const c = file.named('topics')
    c.expect('hash', envelope.bucketHash(c.bytes('id')))
    for (const one of c.list('topics')) one.expectAll({ ...envelope.topicOf(c.bytes('id'), one.number('bits')) })
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      if (c.maybe('payload')) {
        c.expect('messageId', envelope.messageIdOf(c.bytes('payload')))
        return c.refuses(() => envelope.readPayload(c.bytes('payload')))
      }
      const validator = new envelope.Validator()
      const judge = (): string => validator.judge(c.bytes('envelope'), c.number('now'))
      if (c.name === 'gossip: the same twice') expect(judge()).to.equal('accept')
      c.expect('admission', judge())
    })

  everythingRead(file)
})
