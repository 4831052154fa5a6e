/*
 * cbor.json: the canonical form at the map `head`, and every other form, which is refused.
 */
import { expect } from 'chai'
import { toHex } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { head } from './maps.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('cbor')

describe('interop: canonical CBOR', () => {
  it('reads and writes the one form', () => {
    for (const c of file.cases.filter((one) => one.maybe('map'))) {
      c.expect('map', 'head')
      const value = head.decode(c.bytes('encoded'))
      c.expect('value', value)
      c.expect('encoded', head.encode(value))
    }
  })

  it('reads values up to the bounds of nesting and items', () => {
    const bounded = file.cases.filter((one) => one.maybe('map') === undefined)
    expect(bounded).to.have.lengthOf(4)
    for (const c of bounded) expect(toHex(encode(decode(c.bytes('encoded')))), c.name).to.equal(c.text('encoded'))
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      if (c.maybe('map') === undefined) return c.refuses(() => decode(c.bytes('encoded')))
      c.expect('map', 'head')
      return c.refuses(() => head.decode(c.bytes('encoded')))
    })

  everythingRead(file)
})
