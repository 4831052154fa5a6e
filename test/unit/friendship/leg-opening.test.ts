/** What becomes of a leg 1 from a clock that is ahead (PROTOCOL 7, rekey, rule 4). */
import { expect } from 'chai'
import { openedLeg1 } from '../../../node/friendship/leg-opening.ts'
import { testLogger } from '../../support/custody-fixtures.ts'
import {
  createPerson,
  NOW,
  type Person,
  prekeysOf,
  request,
  REQUEST,
  seededRandom,
} from '../../support/session-fixtures.ts'

const HOURS = 3600
const BOB = createPerson('bob')

function opened(asker: Person, created: number) {
  const { leg } = request(asker, BOB, seededRandom('a leg'), REQUEST, created)
  const self = { findKeys: () => prekeysOf(BOB) } as unknown as Parameters<typeof openedLeg1>[0]['self']
  return openedLeg1({ self, protocolTime: () => NOW, logger: testLogger() }, () => leg)
}

describe('opening a leg 1', () => {
  it('opens one of now', () => {
    expect(opened(createPerson('alice'), NOW)).to.have.property('incoming')
  })

  it('calls one early that was created more than an hour ahead', () => {
    expect(opened(createPerson('alice'), NOW + HOURS)).to.have.property('incoming')
    expect(opened(createPerson('alice'), NOW + HOURS + 1)).to.equal('early')
  })

  it('calls one early whose record was issued more than an hour ahead', () => {
    const ahead = { seq: NOW + 2 * HOURS, issued: NOW + 2 * HOURS }
    expect(opened(createPerson('alice', { record: ahead }), NOW + 2 * HOURS)).to.equal('early')
  })

  it('calls one nothing whose record is over', () => {
    expect(opened(createPerson('alice', { record: { expires: NOW } }), NOW)).to.equal(undefined)
  })
})
