/*
 * rendezvous.json: keys of a week, records, what does not fit.
 */
import { expect } from 'chai'
import { place } from './maps.ts'
import * as rendezvous from './rendezvous.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('rendezvous')
const first = file.named('keys')
const keys = rendezvous.weekKeys(first.bytes('reachSecret'), rendezvous.weekOf(first.number('now')))

describe('interop: rendezvous', () => {
  it('keys of a week', () => {
    first.expectAll({ week: rendezvous.weekOf(first.number('now')), ...keys })
  })

  for (const name of ['relays alone', 'what does not fit is left out', 'no address fits: the peer ID goes with them'])
    it(name, () => {
      const c = file.named(name)
      const said = rendezvous.readRecord(keys, keys.key, c.bytes('record'), first.number('now'))
      c.expectAll({
        place: said,
        encodedPlace: place.encode(said),
        ...rendezvous.makeRecord(keys, c.number('seq'), said, c.bytes('nonce')),
      })
      const wanted = c.at('wanted')
      const texts = (key: string): string[] => wanted.list(key).map((_, i) => wanted.at(key).text(String(i)))
      c.expect(
        'place',
        rendezvous.fitted({
          relays: texts('relays'),
          peerId: wanted.maybe('peerId') && wanted.bytes('peerId'),
          addresses: wanted.maybe('addresses') && texts('addresses'),
        }),
      )
    })

  it('the order, the best last', () => {
    const c = file.named('order, the best last')
    const values = c.list('worstFirst').map((_, i) => c.at('worstFirst').bytes(String(i)))
    for (const [i, a] of values.entries())
      for (const [j, b] of values.entries())
        expect(Math.sign(rendezvous.compareRecords(c.bytes('key'), a, b))).to.equal(Math.sign(i - j))
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      const [key, value, now] = [c.bytes('key'), c.bytes('value'), c.number('now')]
      c.refuses(() => rendezvous.readRecord(keys, key, value, now))
      const held = c.name === 'sealed with another key, signed well'
      if (held) rendezvous.checkRecord(key, value, now)
      else c.refuses(() => rendezvous.checkRecord(key, value, now))
    })

  everythingRead(file)
})
