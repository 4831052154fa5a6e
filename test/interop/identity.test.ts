/*
 * identity.json: from the words to the ID, two rotations, the keys of two devices, a peer ID, safety numbers.
 */
import { expect } from 'chai'
import { same, toHex } from './bytes.ts'
import * as identity from './identity.ts'
import {
  base58,
  ED25519,
  ed25519Public,
  kemPublic,
  keyOfPeerId,
  MLKEM768,
  peerIdOf,
  typed,
  X25519,
  x25519Public,
} from './keys.ts'
import { inception, keyEvent, signedEvent } from './maps.ts'
import { prekeyCounts, readIdentity, readPrekey } from './records.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

const file = vectorFile('identity')

function checkDevice(c: Node): void {
  const record = readIdentity(c.bytes('record'))
  const prekey = readPrekey(c.bytes('prekeyRecord'))
  expect(prekeyCounts(prekey, record)).to.equal(true)
  c.expectAll({
    id: record.id,
    device: typed(ED25519, ed25519Public(c.bytes('deviceSeed'))),
    identityPublic: x25519Public(c.bytes('identitySecret')),
    prekeyPublic: x25519Public(c.bytes('prekeySecret')),
    kemPublic: kemPublic(c.bytes('kemSeed')),
  })
  c.expect('device', record.record.devices[0]?.signing)
  expect(toHex(record.record.devices[0]?.identity ?? prekey.body)).to.equal(
    toHex(typed(X25519, c.bytes('identityPublic'))),
  )
  expect(same(prekey.record.prekey, typed(X25519, c.bytes('prekeyPublic')))).to.equal(true)
  expect(same(prekey.record.kem, typed(MLKEM768, c.bytes('kemPublic')))).to.equal(true)
}

describe('interop: identity', () => {
  it('words', () => {
    const c = file.named('words')
    c.expect('text', identity.toWords(c.bytes('entropy')))
    c.expect('entropy', identity.fromWords(c.text('text')))
    c.expect('entropy', identity.fromWords(c.at('alsoReadAs').text('text')))
  })

  it('root keys', () => {
    for (const i of [0, 1, 2, 9]) {
      const c = file.named(`root key ${i}`)
      const root = identity.rootKey(c.bytes('entropy'), c.number('index'))
      c.expectAll({
        seed: identity.rootSeed(c.bytes('entropy'), i),
        public: ed25519Public(c.bytes('seed')),
        typed: root,
        commitment: identity.commitment(root),
      })
    }
  })

  it('inception and ID', () => {
    const c = file.named('inception and ID')
    const encoded = identity.makeInception(c.bytes('entropy'))
    const id = identity.idOf(encoded)
    c.expectAll({ encoded, id, text: identity.idText(id), value: inception.decode(encoded) })
    c.expect('id', identity.readId(c.text('text')))
    c.expect('id', identity.readId(c.text('text').toUpperCase()))
  })

  it('two rotations', () => {
    const start = file.named('inception and ID').bytes('encoded')
    let before = start
    const events = [1, 2].map((index) => {
      const c = file.named(`rotation ${index}`)
      const body = identity.makeKeyEvent(c.bytes('entropy'), index, before)
      const encoded = identity.signKeyEvent(c.bytes('entropy'), index, body)
      c.expectAll({ body, encoded, value: keyEvent.decode(body), signature: signedEvent.decode(encoded).signature })
      before = body
      return encoded
    })
    const chain = identity.readChain(start, events)
    chain.checkSignatures()
    file.named('root key 2').expect('typed', chain.root)
  })

  it('keys of devices', () => {
    checkDevice(file.named('device of Alice'))
    checkDevice(file.named('device of Bob'))
  })

  it('a peer ID', () => {
    const c = file.named('libp2p peer ID')
    const peerId = peerIdOf(ed25519Public(c.bytes('seed')))
    c.expectAll({ public: keyOfPeerId(peerId), peerId, text: base58(peerId) })
  })

  it('safety numbers', () => {
    const number = (c: Node): string[] => {
      const a = identity.safetyDigits(c.bytes('rootA'), c.bytes('idA'))
      const b = identity.safetyDigits(c.bytes('rootB'), c.bytes('idB'))
      c.expect('text', identity.safetyNumber(a, b))
      return [a, b]
    }
    const c = file.named('safety number')
    const [a, b] = number(c)
    c.at('digitsOfA').expect('text', a)
    c.at('digitsOfB').expect('text', b)
    c.at('shownAs').expect('text', identity.grouped(c.text('text')))
    number(file.named('safety number after a rotation of A'))
  })

  it('refuses every case that must be refused', () => {
    for (const c of file.refused) {
      const read = c.name.startsWith('words') ? identity.fromWords : identity.readId
      c.refuses(() => read(c.text('text')))
    }
  })

  everythingRead(file)
})
