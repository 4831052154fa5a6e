import { expect } from 'chai'
import {
  decodeTrail,
  encodeTrail,
  follow,
  MAX_TRAIL_BYTES,
  tellTrail,
  type TrailRow,
} from '../../../node/delivery/trail.ts'
import { MAX_TRAIL_STEPS } from '../../../node/limits.ts'

const server = (number: number): Uint8Array => new Uint8Array(38).fill(number)

describe('the trail of a message', () => {
  it('counts the same step at the same server, and keeps those at others apart', () => {
    let trail: TrailRow[] = follow([], 'queued', { at: 1 })
    trail = follow(trail, 'receipt', { at: 2, server: server(1) })
    trail = follow(trail, 'held', { at: 3, server: server(1) })
    trail = follow(trail, 'held', { at: 4, server: server(2) })
    trail = follow(trail, 'held', { at: 5, server: server(1) })
    const told = tellTrail(trail, { friend: 'bob', nameOf: (id) => `relay ${id[0]}` })
    expect(told.map(({ step, by, at, detail }) => [step, by, at, detail])).to.deep.equal([
      ['queued', 'me', 1, ''],
      ['receipt', 'relay 1', 2, ''],
      ['held', 'relay 2', 4, ''],
      ['held', 'relay 1', 5, '2 times'],
    ])
  })

  it('is bounded in steps and bytes: the beginning and the end stay', () => {
    let trail: TrailRow[] = []
    for (let i = 0; i < 500; i++) {
      const detail = 'x'.repeat(200)
      const at = Number.MAX_SAFE_INTEGER - 1000 + i
      trail = follow(trail, i % 2 === 0 ? 'refused' : 'sealed', {
        at,
        server: server(i % 7),
        detail,
        until: at,
        stored: at,
      })
    }
    expect(trail).to.have.lengthOf(MAX_TRAIL_STEPS)
    expect([trail[0]!.at, trail.at(-1)!.at].map((at) => at - Number.MAX_SAFE_INTEGER + 1000)).to.deep.equal([0, 499])
    const encoded = encodeTrail(trail)
    expect(encoded.length).to.be.at.most(MAX_TRAIL_BYTES)
    expect(decodeTrail(encoded)).to.deep.equal(trail)
  })
})
