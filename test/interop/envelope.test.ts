/*
 * envelope.json: payloads of each type, envelopes of the three sizes, tags, topics, the validator. The envelopes are
 * opened too, by the session of ratchet.json.
 */
import { expect } from 'chai'
import { leadingZeroBits } from './bytes.ts'
import * as envelope from './envelope.ts'
import { x25519Public } from './keys.ts'
import { payload } from './maps.ts'
import { begin, prefixOf, tagKeyOf, tagOf } from './ratchet.ts'
import { openMessage } from './ratchet-open.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('envelope')
const envelopes = envelope.ENVELOPE_BYTES.map((size) => file.named(`envelope of ${size} bytes`))

/** A session of B's that has opened nothing yet. */
function freshSession() {
  const start = vectorFile('ratchet').named('session')
  const keys = {
    th3: start.bytes('th3'),
    ecRoot: start.bytes('ecRoot'),
    pqRoot: start.bytes('pqRoot'),
    headerKeyA: start.bytes('headerKeyA'),
    headerKeyB: start.bytes('headerKeyB'),
  }
  return begin('B', keys, start.at('ratchetKeyB').bytes('secret'), x25519Public(start.at('oneTimeKey').bytes('secret')))
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

  it('opens each of them in a session that has opened nothing', () => {
    for (const c of envelopes) {
      const { prefix, body } = envelope.readEnvelope(c.bytes('envelope'))
      const opened = openMessage(freshSession(), prefix, body, c.number('now'))
      c.expectAll({ payload: opened.payload, tagCounter: opened.header.tagCounter })
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
