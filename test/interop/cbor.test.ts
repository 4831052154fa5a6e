/*
 * cbor.json: the canonical form at the map `head`, and every other form, which is refused.
 */
import { head } from './maps.ts'
import { everythingRead, vectorFile } from './vectors.ts'

const file = vectorFile('cbor')

describe('interop: canonical CBOR', () => {
  it('reads and writes the one form', () => {
    for (const c of file.cases) {
      c.expect('map', 'head')
      const value = head.decode(c.bytes('encoded'))
      c.expect('value', value)
      c.expect('encoded', head.encode(value))
    }
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      c.expect('map', 'head')
      c.refuses(() => head.decode(c.bytes('encoded')))
    })

  everythingRead(file)
})
