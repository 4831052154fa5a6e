/*
 * mailbox-protocol.json: every frame of a client and a server. Answers are checked as a client must, and made again by a
 * server of our own; commands that must not be taken get the status of the document from it.
 */
import { expect } from 'chai'
import { byteAt, leadingZeroBits, same, toHex, u8 } from './bytes.ts'
import { ENVELOPE_BYTES } from './envelope.ts'
import { checkSignature, ed25519Public, peerIdOf, signLabelled } from './keys.ts'
import { friendMailbox, inviteAddress, openCopy, readInvite } from './mailbox.ts'
import * as maps from './mailbox-maps.ts'
import { VERB } from './mailbox-maps.ts'
import { Server } from './mailbox-server.ts'
import * as wire from './mailbox-wire.ts'
import { everythingRead, type Node, vectorFile } from './vectors.ts'

const file = vectorFile('mailbox-protocol')
const given = file.named('server')
const exchanges = file.cases.slice(1)
const peerId = peerIdOf(ed25519Public(given.bytes('seed')))
const readers = new Map<string, Uint8Array>()
const writers = new Map<string, Uint8Array>()

/** Seeds of W and R by address, as given: both directions of the friendship of handshake.json, and the invite. */
const seeds = new Map<string, { writer: Uint8Array; reader: Uint8Array; copyKey?: Uint8Array }>()
const mailboxes = given.list('mailboxes')
for (const one of mailboxes) {
  const copyKey = one.maybe('copyKey') && one.bytes('copyKey')
  const keys = { writer: one.bytes('writerSeed'), reader: one.bytes('readerSeed'), ...(copyKey && { copyKey }) }
  seeds.set(one.text('address'), keys)
}

const SIGNED = new Set<number>([VERB.claim, VERB.put, VERB.acknowledge, VERB.release, VERB.request])

function ownServer(): Server {
  const hello = maps.helloAnswer.decode(file.named('1: hello').bytes('body'))
  const slot = maps.requestAnswer.decode(file.named('19: request').bytes('body')).slot
  const { challenge, policy } = hello
  const [seed, storeId] = [given.bytes('seed'), given.bytes('storeId')]
  return new Server({ seed, storeId, challenge, policy, now: given.number('now'), slot })
}

/** The address that a command names, where it names one. */
function addressIn(verb: number, args: Uint8Array): Uint8Array | undefined {
  if (verb === VERB.stat) return maps.statArgs.decode(args).address
  if (verb === VERB.fetch || verb === VERB.subscribe) return maps.readArgs.decode(args).entries[0]?.address
  if (verb === VERB.put) return maps.putArgs.decode(maps.signedArgs.decode(args).args).address
  if (verb === VERB.request) return maps.requestArgs.decode(maps.signedArgs.decode(args).args).address
  if (verb === VERB.acknowledge) return maps.acknowledgeArgs.decode(maps.signedArgs.decode(args).args).address
  if (verb === VERB.release) return maps.releaseArgs.decode(maps.signedArgs.decode(args).args).address
  return undefined
}

/** Checks what a signature in a command covers, and by whom it is. */
function checkCommand(c: Node, verb: number, args: Uint8Array): void {
  const challenge = maps.helloAnswer.decode(file.named('1: hello').bytes('body')).challenge
  let covered: Uint8Array
  let signature: Uint8Array | undefined
  if (SIGNED.has(verb)) {
    const outer = maps.signedArgs.decode(args)
    expect(same(outer.challenge, challenge)).to.equal(true)
    covered = wire.coveredArgs(verb, outer.args)
    signature = outer.signature
  } else if (verb === VERB.stat) {
    const { address, cids, signature: found } = maps.statArgs.decode(args)
    covered = maps.statSigned.encode({ address, cids })
    signature = found
  } else {
    const entry = maps.readArgs.decode(args).entries[0]
    covered = maps.readSigned.encode({ address: entry?.address ?? u8(0) })
    signature = entry?.signature
  }
  const command = wire.commandOf(verb, peerId, challenge, covered)
  c.expectAll({ coveredArgs: covered, commandBytes: command })
  const byWriter = verb === VERB.put || verb === VERB.request
  const claim = verb === VERB.claim ? maps.claimArgs.decode(covered).reader : undefined
  const address = toHex(addressIn(verb, args) ?? u8(0))
  const key = claim ?? (byWriter ? writers : readers).get(address)
  if (key === undefined || signature === undefined) throw new Error('a key and a signature')
  checkSignature(key, 'cmd', command, signature)
  const own = seeds.get(claim ? toHex(c.at('postage').bytes('subject')) : address)
  const again = own && signLabelled(byWriter ? own.writer : own.reader, 'cmd', command)
  expect(toHex(again ?? u8(0)), c.path).to.equal(toHex(signature))
}

describe('interop: mailbox protocol', () => {
  it('the server', () => {
    given.expectAll({ public: ed25519Public(given.bytes('seed')), peerId })
    const session = vectorFile('handshake').named('friend request').at('sessionKeys')
    for (const [i, direction] of ['mailboxAB', 'mailboxBA'].entries()) {
      const { address, writerSeed, readerSeed, copyKey } = friendMailbox(session.bytes(direction), peerId)
      const secret = session.bytes(direction)
      mailboxes[i]?.expectAll({ secret, writerSeed, readerSeed, copyKey, address })
    }
    const invited = vectorFile('invite').named('invite')
    const invite = readInvite(invited.text('text'))
    const { writerSeed } = invite
    mailboxes[2]?.expectAll({
      writerSeed,
      readerSeed: invited.bytes('readerSeed'),
      address: inviteAddress(invite),
    })
  })

  before(() => {
    const claims = exchanges.filter((c) => c.number('verb') === VERB.claim)
    for (const c of claims) {
      const { writer, reader } = maps.claimArgs.decode(c.bytes('coveredArgs'))
      const address = toHex(c.at('postage').bytes('subject'))
      readers.set(address, reader)
      writers.set(address, writer)
    }
  })

  for (const c of exchanges)
    it(`reads ${c.name}`, () => {
      const frame = wire.readFrame(c.bytes('request'))
      const { verb, args } = maps.request.decode(frame.message)
      c.expectAll({ verb, args, request: wire.writeFrame({ ...frame, message: maps.request.encode({ verb, args }) }) })
      if (c.maybe('commandBytes')) checkCommand(c, verb, args)
      if (c.maybe('postage')) {
        const postage = c.at('postage')
        const [challenge, subject, nonce] = ['challenge', 'subject', 'nonce'].map((key) => postage.bytes(key))
        const hash = wire.postageOf(challenge ?? u8(0), subject ?? u8(0), nonce ?? u8(0))
        postage.expectAll({ hash, bits: leadingZeroBits(hash) })
      }
      const answer = wire.readFrame(c.bytes('answer'))
      expect(answer.call).to.equal(frame.call)
      const reader = readers.get(toHex(addressIn(verb, args) ?? u8(0)))
      const believed = wire.believe({ server: peerId, verb, args, reader }, answer.message)
      c.expectAll({ status: believed.status, body: believed.body })
      if (c.maybe('answerValue')) c.expect('answerValue', believed.value)
      if (c.maybe('answerMessage')) c.expect('answerMessage', believed.signedBytes)
      if (c.maybe('answerSignature')) c.expect('answerSignature', believed.signature)
    })

  it('what was put are envelopes in copies, and what was left at the invite is leg 1 of handshake.json', () => {
    for (const c of exchanges) {
      const outer = SIGNED.has(c.number('verb')) ? maps.signedArgs.decode(c.bytes('args')).args : u8(0)
      if (c.number('verb') === VERB.put) {
        const { address, copy } = maps.putArgs.decode(outer)
        const opened = openCopy(seeds.get(toHex(address))?.copyKey ?? u8(0), copy)
        const known = ENVELOPE_BYTES.map((size) => vectorFile('envelope').named(`envelope of ${size} bytes`))
        expect(known.map((one) => one.text('envelope'))).to.include(toHex(opened))
      } else if (c.number('verb') === VERB.request) {
        const leg = vectorFile('handshake').named('leg 1 through an invite').bytes('leg')
        expect(same(maps.requestArgs.decode(outer).leg, leg)).to.equal(true)
      }
    }
  })

  it('believes no answer with a bit changed in what is signed', () => {
    for (const c of exchanges.filter((one) => one.maybe('answerSignature'))) {
      const message = wire.readFrame(c.bytes('answer')).message
      message[message.length - 1] = byteAt(message, message.length - 1) ^ 1
      const args = c.bytes('args')
      const reader = readers.get(toHex(addressIn(c.number('verb'), args) ?? u8(0)))
      c.refuses(() => wire.believe({ server: peerId, verb: c.number('verb'), args, reader }, message))
    }
  })

  it('a server of our own gives every answer, byte for byte, and refuses what must be refused', () => {
    const server = ownServer()
    for (const c of exchanges) c.expect('answer', server.frame(c.bytes('request')))
    server.newStream()
    for (const c of file.refused) {
      if (c.maybe('answer') === undefined) c.refuses(() => server.frame(c.bytes('request')))
      else c.expect('answer', server.frame(c.bytes('request')))
    }
  })

  for (const c of file.refused.filter((one) => one.maybe('answer')))
    it(`names the status: ${c.name}`, () => {
      const { verb, args } = maps.request.decode(wire.readFrame(c.bytes('request')).message)
      const believed = wire.believe({ server: peerId, verb, args }, wire.readFrame(c.bytes('answer')).message)
      c.expectAll({ verb, args, body: believed.body })
      expect(believed.status).to.equal(c.text('error'))
    })

  everythingRead(file)
})
