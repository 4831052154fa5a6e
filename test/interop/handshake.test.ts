/*
 * handshake.json: a friend request and a rekey, built and opened by both sides, and how the legs lie at servers.
 */
import { expect } from 'chai'
import { cut, same, toHex } from './bytes.ts'
import * as handshake from './handshake.ts'
import { kemPublic, x25519Public } from './keys.ts'
import * as mailbox from './mailbox.ts'
import { readPrekey } from './records.ts'
import { everythingRead, type Node, shown, vectorFile } from './vectors.ts'

const file = vectorFile('handshake')
const [alice, bob] = [file.named('Alice, who asks'), file.named('Bob, who is asked')]
const SECRETS = ['identitySecret', 'prekeySecret', 'kemSeed'] as const

function person(c: Node): handshake.Asked & handshake.Asking {
  const [identitySecret, prekeySecret, kemSeed] = SECRETS.map((name) => c.bytes(name)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const records = { record: c.bytes('record'), prekeyRecord: c.bytes('prekeyRecord'), device: c.bytes('device') }
  return { ...records, identitySecret, prekeySecret, kemSeed }
}

const [a, b] = [person(alice), person(bob)]

function drawnByA(c: Node): handshake.DrawnByA {
  const drawn = c.at('drawn')
  return {
    ephemeralA: drawn.bytes('ephemeralA'),
    coins1: drawn.bytes('coins1'),
    oneTimeKey: drawn.bytes('oneTimeKey'),
    oneTimeKemSeed: drawn.bytes('oneTimeKemSeed'),
  }
}

function drawnByB(c: Node): handshake.DrawnByB {
  const drawn = c.at('drawn')
  return {
    ephemeralB: drawn.bytes('ephemeralB'),
    coins2: drawn.bytes('coins2'),
    ratchetKey: drawn.bytes('ratchetKey'),
  }
}

function withoutKnown(leg1: handshake.OpenedLeg1): handshake.Leg1 {
  const { identity: _identity, dika: _dika, version: _version, ...values } = leg1
  return values
}

/** Runs a handshake of the file on both sides. */
function run(c: Node): { leg1: handshake.Leg1; agreed: handshake.Agreed } {
  const opened = handshake.openLeg1(b, c.at('leg1').bytes('inner'), c.number('now'))
  c.at('leg1').expectAll({ ...withoutKnown(opened) })
  const { oneTimeKey: _key, oneTimeKem: _kem, ...said } = opened.leg1RequestValue
  const built = handshake.buildLeg1(a, b, drawnByA(c), said)
  c.at('leg1').expectAll({ ...built, oneTimeKemPublic: kemPublic(drawnByA(c).oneTimeKemSeed) })

  const agreed = handshake.openLeg2(a, built, drawnByA(c), 1, b, c.at('leg2').bytes('leg'))
  c.at('leg2').expectAll({ ...agreed.leg2 })
  c.expect('sessionKeys', agreed.session)
  const { ratchetKey: _ratchet, device: _device, version: _version, ...accepted } = agreed.leg2.leg2AcceptValue
  const answered = handshake.buildLeg2(b, opened, drawnByB(c), accepted)
  c.at('leg2').expectAll({ ...answered.leg2 })
  c.expect('sessionKeys', answered.session)
  expect(accepted.rekey).to.equal(said.rekey + 1)
  const end = readPrekey(b.prekeyRecord).record.expires
  expect(said.expires).to.equal(Math.min(said.created + handshake.LEG1_DAYS * 86_400, end))
  return { leg1: built, agreed }
}

describe('interop: handshake', () => {
  const request = file.named('friend request')

  it('keys of both people', () => {
    for (const c of [alice, bob])
      c.expectAll({
        identityPublic: x25519Public(c.bytes('identitySecret')),
        prekeyPublic: x25519Public(c.bytes('prekeySecret')),
        kemPublic: kemPublic(c.bytes('kemSeed')),
      })
    const opened = handshake.openLeg1(b, request.at('leg1').bytes('inner'), request.number('now'))
    alice.expect('id', opened.identity.id)
    expect(toHex(opened.identity.id)).not.to.equal(bob.text('id'))
  })

  it('a friend request', () => void run(request))

  it('a rekey', () => {
    const c = file.named('rekey')
    const { leg1 } = run(c)
    expect(leg1.leg1RequestValue.note).to.equal('')
    expect(shown(leg1.leg1RequestValue.replySecret)).to.match(/^0{64}$/)
  })

  it('leg 1 through an invite', () => {
    const c = file.named('leg 1 through an invite')
    const inner = mailbox.openThroughInvite(c.bytes('seal'), c.bytes('leg'))
    c.expectAll({
      inner,
      nonce: mailbox.inviteNonce(c.bytes('seal'), inner),
      leg: mailbox.sealThroughInvite(c.bytes('seal'), inner),
      cid: mailbox.cidOf(c.bytes('leg')),
    })
    request.at('leg1').expect('inner', inner)
  })

  it('leg 1 in an open box', () => {
    const c = file.named('leg 1 in an open box')
    const inner = mailbox.openFromBox(c.bytes('leg'))
    const { salt, fill, leg } = mailbox.fillForBox(inner, c.bytes('replySecret'))
    c.expectAll({ inner, salt, fill, leg, cid: mailbox.cidOf(leg) })
    request.at('leg1').expect('inner', inner)
    request.at('leg1').at('leg1RequestValue').expect('replySecret', c.bytes('replySecret'))
  })

  const copied = (c: Node, keys: mailbox.MailboxKeys): Uint8Array => {
    const plaintext = mailbox.openCopy(keys.copyKey, c.bytes('copy'))
    c.expectAll({
      copyKey: keys.copyKey,
      address: keys.address,
      plaintext,
      nonce: mailbox.copyNonce(keys.copyKey, plaintext),
      copy: mailbox.makeCopy(keys.copyKey, plaintext),
      cid: mailbox.cidOf(c.bytes('copy')),
    })
    return plaintext
  }

  it('leg 2 in the reply mailbox', () => {
    const c = file.named('leg 2 in the reply mailbox')
    request.at('leg2').expect('leg', copied(c, mailbox.friendMailbox(c.bytes('replySecret'), c.bytes('server'))))
    request.at('leg1').at('leg1RequestValue').expect('replySecret', c.bytes('replySecret'))
  })

  it('legs of the rekey in the reach mailboxes of both directions', () => {
    const rekey = file.named('rekey')
    for (const [leg, direction] of [
      ['leg 1', 'AB'],
      ['leg 2', 'BA'],
    ] as const) {
      const c = file.named(`${leg} of the rekey in the reach mailbox ${direction}`)
      c.expect('quarter', mailbox.quarterOf(c.number('now')))
      request.at('sessionKeys').expect(`reach${direction}`, c.bytes('reachSecret'))
      const keys = mailbox.reachMailbox(c.bytes('reachSecret'), c.number('quarter'), c.bytes('server'))
      const plaintext = copied(c, keys)
      if (leg === 'leg 2') rekey.at('leg2').expect('leg', plaintext)
      else expect(same(plaintext, mailbox.filled(cut(plaintext, 0, 8152)))).to.equal(true)
      if (leg === 'leg 1') rekey.at('leg1').expect('inner', cut(plaintext, 0, 8152))
    }
  })

  const { leg1 } = run(request)
  for (const c of file.refused)
    it(`refuses ${c.name}`, () => {
      if (c.name.startsWith('leg 1: ')) return c.refuses(() => handshake.openLeg1(b, c.bytes('inner'), c.number('now')))
      if (c.name.startsWith('leg 2: '))
        return c.refuses(() => handshake.openLeg2(a, leg1, drawnByA(request), 1, b, c.bytes('leg')))
      if (c.maybe('seal')) return c.refuses(() => mailbox.openThroughInvite(c.bytes('seal'), c.bytes('leg')))
      return c.refuses(() => mailbox.openCopy(c.bytes('copyKey'), c.bytes('copy')))
    })

  it('looked at all of what is refused', () => {
    for (const c of file.refused) for (const key of ['now', 'leg', 'inner']) c.maybe(key)?.raw()
  })

  everythingRead(file)
})
