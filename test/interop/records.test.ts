/*
 * records.json: identity and prekey records under their DHT keys, the order of values, an equivocation.
 */
import { expect } from 'chai'
import { rootSeed } from './identity.ts'
import { ED25519, ed25519Public, signLabelled, typed, X25519, x25519Public } from './keys.ts'
import { identityRecord, prekeyRecord, signed } from './maps.ts'
import * as records from './records.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('records')
const people = vectorFile('identity')
const now = 1_800_000_000

describe('interop: records', () => {
  for (const c of file.cases.slice(0, 4))
    it(c.name, () => {
      const checked = records.readRecord(c.bytes('key'), c.bytes('encoded'))
      records.checkTime(checked.record, now)
      const { signer, body, signature, record } = checked
      c.expectAll({ signer, body, signature, value: record, encoded: signed.encode({ body, signature }) })
      if (checked.kind === 'identity') c.expect('head', checked.head)
      const label = checked.kind === 'identity' ? 'identity-record' : 'prekey-record'
      const device = people.named('device of Alice').bytes('deviceSeed')
      const entropy = people.named('words').bytes('entropy')
      c.expect('signerSeed', checked.kind === 'identity' ? rootSeed(entropy, checked.head.events) : device)
      c.expect('signature', signLabelled(c.bytes('signerSeed'), label, body))
      const again = 'id' in checked ? identityRecord.encode(checked.record) : prekeyRecord.encode(checked.record)
      c.expect('body', again)
    })

  it('keys that records name', () => {
    const rotated = file.named('identity record after a rotation, with another device')
    rotated
      .at('value')
      .at('devices')
      .at(0)
      .expectAll({
        signing: typed(ED25519, ed25519Public(rotated.bytes('deviceSeed'))),
        identity: typed(X25519, x25519Public(rotated.bytes('identitySecret'))),
      })
    const open = file.named('identity record with the open policy')
    open.at('value').expect('requestReader', typed(ED25519, ed25519Public(open.bytes('requestReaderSeed'))))
  })

  it('a prekey record counts with the identity record that lists its device', () => {
    const first = records.readIdentity(file.named('identity record').bytes('encoded'))
    const c = file.named('prekey record')
    c.expect('counts', records.prekeyCounts(records.readPrekey(c.bytes('encoded')), first))
    const other = file.named('prekey record of a device that the identity record does not list')
    const prekey = records.readPrekey(other.bytes('prekeyRecord'))
    other.expect('counts', records.prekeyCounts(prekey, records.readIdentity(other.bytes('identityRecord'))))
  })

  it('the order of values at one key', () => {
    const c = file.named('order of values at one key, the best last')
    const worstFirst = c.list('worstFirst').map((_, i) => c.at('worstFirst').bytes(String(i)))
    for (const [i, a] of worstFirst.entries())
      for (const [j, b] of worstFirst.entries())
        expect(Math.sign(records.compareValues(c.bytes('key'), a, b)), `${i} and ${j}`).to.equal(Math.sign(i - j))
  })

  it('an equivocation', () => {
    const c = file.named('two records of one place: an equivocation')
    const both = [0, 1].map((i) => records.readIdentity(c.at('records').bytes(String(i))).head)
    c.expect(
      'hashes',
      both.map((head) => head.hash),
    )
    const [a, b] = both
    c.expect('equivocation', a !== undefined && b !== undefined && records.isEquivocation(a, b))
  })

  for (const c of file.refused)
    it(`refuses: ${c.name}`, () => {
      c.refuses(() => {
        const { record } = records.readRecord(c.bytes('key'), c.bytes('value'))
        records.checkTime(record, c.number('now'))
      })
      expect(c.number('now')).to.equal(now)
    })

  everythingRead(file)
})
