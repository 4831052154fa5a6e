/*
 * ratchet.json: twelve messages of one session, sealed and opened by both sides from the keys of the handshake alone, with
 * loss, reordering, a dead message, the step to epoch 1 and a piece that contradicts.
 */
import { expect } from 'chai'
import { concat } from './bytes.ts'
import { readHeader, writeHeader } from './header.ts'
import { kemDecapsulate, x25519Public } from './keys.ts'
import { type EpochKeys, epochKeys, nextS, type Side } from './pq.ts'
import * as ratchet from './ratchet.ts'
import { openMessage, TooFar } from './ratchet-open.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

const file = vectorFile('ratchet')
const start = file.named('session')
const messages = [...Array(12).keys()].map((i) => file.named(`message ${i + 1}`))
const events = file.named('events').list('events')
const contradicting = file.named('after all of these: a piece that contradicts')
const sideOf = (c: Node): Side => (c.text('side') === 'A' ? 'A' : 'B')
const keysOfEpoch = ({ s, chainA, chainB, rootKey, macKey }: EpochKeys) => ({ s, chainA, chainB, rootKey, macKey })

function sessions(): Record<Side, ratchet.Session> {
  const keys = {
    th3: start.bytes('th3'),
    ecRoot: start.bytes('ecRoot'),
    pqRoot: start.bytes('pqRoot'),
    headerKeyA: start.bytes('headerKeyA'),
    headerKeyB: start.bytes('headerKeyB'),
  }
  const [one, first] = [start.at('oneTimeKey').bytes('secret'), start.at('ratchetKeyB').bytes('secret')]
  return {
    A: ratchet.begin('A', keys, one, x25519Public(first)),
    B: ratchet.begin('B', keys, first, x25519Public(one)),
  }
}

const tagKey = (side: Side): Uint8Array => ratchet.tagKeyOf(start.bytes(side === 'A' ? 'mailboxAB' : 'mailboxBA'))
const bodyOf = (c: Node): Uint8Array => concat(c.bytes('encryptedHeader'), c.bytes('sealedPayload'))
const maybeBytes = (c: Node, key: string): Uint8Array | undefined => c.maybe(key) && c.bytes(key)

function sealAgain(session: ratchet.Session, c: Node): void {
  const secret = c.list('steps').length > 0 ? c.at('steps').at(0).bytes('secret') : undefined
  const tag = ratchet.tagOf(tagKey(sideOf(c)), c.number('tagCounter'))
  const sealed = ratchet.sealMessage(session, c.bytes('payload'), {
    now: c.number('now'),
    secret,
    pieceSeed: maybeBytes(c, 'pieceSeed'),
    pieceCoins: maybeBytes(c, 'pieceCoins'),
    headerNonce: c.bytes('headerNonce'),
    payloadNonce: c.bytes('payloadNonce'),
    floor: c.at('header').number('floor'),
    tagCounter: c.number('tagCounter'),
    prefix: ratchet.prefixOf(tag, c.number('expiryDay')),
    size: 4096,
  })
  c.expect('prefix', ratchet.prefixOf(tag, c.number('expiryDay')))
  c.expectAll({ ...sealed })
}

function openArrival(session: ratchet.Session, event: Node): ratchet.Session {
  const c = messages[event.number('opens') - 1] as Node
  const opened = openMessage(session, c.bytes('prefix'), bodyOf(c), event.number('now'))
  const { payload, header, headerBytes, headerKey, messageKey } = opened
  c.expectAll({ payload, header, headerBytes, headerKey, messageKey, tagCounter: header.tagCounter })
  expect([opened.alarm, opened.behind]).to.deep.equal([false, false])
  event.expectAll({
    keptKeys: opened.session.kept.map(({ stored: _stored, ...kept }) => kept),
    highestPqEpoch: opened.session.pq.held,
    highestSerialOpened: opened.session.highestSerialOpened,
  })
  return opened.session
}

/** Runs all that is sealed and opened. */
function runAll(): Record<Side, ratchet.Session> {
  const both = sessions()
  for (const event of events) {
    const side = sideOf(event)
    if (event.maybe('opens')) both[side] = openArrival(both[side], event)
    else {
      const message = messages[event.number('seals') - 1] as Node
      message.expectAll({ side, now: event.number('now') })
      sealAgain(both[side], message)
    }
  }
  return both
}

describe('interop: ratchet', () => {
  it('begins from the keys of the handshake', () => {
    const [one, first] = [start.at('oneTimeKey'), start.at('ratchetKeyB')]
    for (const pair of [one, first]) pair.expect('public', x25519Public(pair.bytes('secret')))
    start.expect('step0', ratchet.rootStep(start.bytes('ecRoot'), first.bytes('secret'), one.bytes('public')))
    const mirrored = ratchet.rootStep(start.bytes('ecRoot'), one.bytes('secret'), first.bytes('public'))
    start.at('step0').expect('newRootKey', mirrored.newRootKey)
    start.expectAll({ tagKeyAB: tagKey('A'), tagKeyBA: tagKey('B') })
    start.expect('epoch0', { epoch: 0, ...keysOfEpoch(epochKeys(start.bytes('pqRoot'))) })
    const agreed = vectorFile('handshake').named('friend request')
    start.expect('th3', agreed.at('leg2').bytes('th3'))
    for (const key of ['ecRoot', 'pqRoot', 'headerKeyA', 'headerKeyB', 'mailboxAB', 'mailboxBA'])
      start.expect(key, agreed.at('sessionKeys').bytes(key))
  })

  it('derives epoch 1', () => {
    const c = file.named('epoch 1')
    const sharedSecret = kemDecapsulate(c.bytes('seed'), c.bytes('ciphertext'))
    c.expectAll({
      epoch: 1,
      sharedSecret,
      rootKeyBefore: epochKeys(start.bytes('pqRoot')).rootKey,
      ...keysOfEpoch(epochKeys(nextS(c.bytes('rootKeyBefore'), sharedSecret))),
    })
    c.expect('seed', (messages[5] as Node).bytes('pieceSeed'))
    c.expect('ciphertext', (messages[7] as Node).at('header').at('piece').bytes('bytes'))
  })

  it('seals all messages again and opens those that arrive', () => {
    const both = runAll()
    expect([both.A.pq.reads, both.B.pq.reads]).to.deep.equal([1, 1])
    expect([...both.A.pq.sending.keys(), ...both.B.pq.receiving.keys()]).to.deep.equal([1, 1])
  })

  it('takes a message whose piece contradicts, with an alarm', () => {
    const both = runAll()
    const side = sideOf(contradicting)
    const [prefix, body] = [contradicting.bytes('prefix'), contradicting.bytes('body')]
    const opened = openMessage(both[side], prefix, body, contradicting.number('now'))
    contradicting.expectAll({ payload: opened.payload, alarm: opened.alarm })
    expect(opened.session.pq.held).to.equal(1)
  })

  for (const c of file.cases.filter((one) => one.name.startsWith('taken: ')))
    it(c.name, () => {
      const opened = openMessage(runAll()[sideOf(c)], c.bytes('prefix'), c.bytes('body'), c.number('now'))
      const { highestSerialOpened } = opened.session
      c.expectAll({ payload: opened.payload, alarm: opened.alarm, highestSerialOpened })
    })

  it('a floor in a late message drops what is kept below it', () => {
    const c = file.named('a floor in a late message')
    let session = runAll()[sideOf(c)]
    for (const one of c.list('opened')) {
      session = openMessage(session, one.bytes('prefix'), one.bytes('body'), c.number('now')).session
      one.expect(
        'keptCounts',
        session.kept.map(({ count }) => count),
      )
    }
    const gone = c.at('refusedThen')
    c.refuses(() => openMessage(session, gone.bytes('prefix'), gone.bytes('body'), c.number('now')))
  })

  it('writes a header as it reads it', () => {
    for (const c of messages) c.expect('headerBytes', writeHeader(readHeader(c.bytes('headerBytes'))))
  })

  let both: Record<Side, ratchet.Session>
  before(() => {
    both = runAll()
  })

  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      if (c.maybe('headerBytes')) return c.refuses(() => readHeader(c.bytes('headerBytes')))
      const session = both[sideOf(c)]
      const kept = structuredClone(session)
      const tooFar = c.text('error') === 'TOO_FAR'
      const opening = (): unknown => openMessage(session, c.bytes('prefix'), c.bytes('body'), c.number('now'))
      c.refuses(opening)
      if (tooFar) expect(opening).to.throw(TooFar)
      else expect(opening).not.to.throw(TooFar)
      expect(session).to.deep.equal(kept)
    })

  everythingRead(file)
})
