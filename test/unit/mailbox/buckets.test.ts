import { expect } from 'chai'
import { concat, readUint } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { allTopics, bucketIndex, topicOf } from '../../../node/mailbox/buckets.ts'
import { seededRandom } from '../../support/identity-fixtures.ts'

describe('mailbox/buckets', () => {
  const ids = Array.from({ length: 200 }, (_, i) => seededRandom(i).bytes(32))

  it('takes the top bits of the hash', () => {
    for (const id of ids) {
      const hash = sha256(concat(L('bucket'), id))
      for (let bits = 0; bits <= 16; bits++) {
        expect(bucketIndex(id, bits)).to.equal(Math.floor(readUint(hash, 0, 4) / 2 ** (32 - bits)))
      }
    }
  })

  it('names all topics of the network and no other', () => {
    expect(allTopics(0)).to.deep.equal(['/kith/1/mail/0/0'])
    expect(allTopics(2)).to.deep.equal(['/kith/1/mail/2/0', '/kith/1/mail/2/1', '/kith/1/mail/2/2', '/kith/1/mail/2/3'])
    for (const id of ids) expect(allTopics(4)).to.include(topicOf(id, 4))
    expect(new Set(ids.map((id) => topicOf(id, 2))).size).to.equal(4)
  })

  it('refuses other numbers of bits', () => {
    for (const bits of [-1, 17, 1.5, Number.NaN]) {
      expect(() => bucketIndex(ids[0]!, bits)).to.throw(RangeError)
      expect(() => allTopics(bits)).to.throw(RangeError)
    }
  })
})
