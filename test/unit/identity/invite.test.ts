import { expect } from 'chai'
import { bech32m } from '@scure/base'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import {
  checkInviteExpiry,
  createInvite,
  decodeInvite,
  encodeInvite,
  INVITE_PREFIX,
} from '../../../node/identity/invite.ts'
import { invite as shape, MAX_INVITE_BYTES } from '../../../node/wire/invite.ts'
import { encode } from '../../../node/wire/schema.ts'
import type { UsageError } from '../../../node/errors.ts'
import { inviteMailbox, KIND, mailboxAddress } from '../../../node/mailbox/keys.ts'
import { codeOf, NOW, seededRandom, testPerson } from '../../support/identity-fixtures.ts'

const RELAY = '/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWGRUVh7C6fYkYbpnHZ5MsHCxRkKt1dzjvVvTJTPRPYPMB'

const asLink = (bytes: Uint8Array): string => bech32m.encode(INVITE_PREFIX, bech32m.toWords(bytes), false)

describe('identity/invite', () => {
  const alice = testPerson(1)
  const made = createInvite(seededRandom(3), {
    id: alice.id,
    pin: alice.record().head,
    relays: [RELAY],
    expires: NOW + 86_400,
  })
  const link = encodeInvite(made.invite)

  it('comes back as it was, in either case and broken into lines', () => {
    expect(decodeInvite(link)).to.deep.equal(made.invite)
    expect(decodeInvite(link.toUpperCase())).to.deep.equal(made.invite)
    expect(decodeInvite(`  ${link.replaceAll(/(.{60})/g, '$1\r\n  ')}\n`)).to.deep.equal(made.invite)
  })

  it('carries the writing seed and the public reading key; the reading seed stays at home', () => {
    expect(made.invite.reader).to.deep.equal(ed25519KeyPair(made.readerSeed).public)
    const bytes = Buffer.from(bech32m.fromWords(bech32m.decode(link as `${string}1${string}`, false).words))
    expect(bytes.includes(Buffer.from(made.invite.writerSeed))).to.equal(true)
    expect(bytes.includes(Buffer.from(made.readerSeed))).to.equal(false)
    const { writer, address } = inviteMailbox(decodeInvite(link))
    expect(address).to.deep.equal(mailboxAddress(KIND.invite, writer.public, ed25519KeyPair(made.readerSeed).public))
  })

  it('holds two relays, a peer ID and four addresses of the longest kind', () => {
    const full = createInvite(seededRandom(4), {
      id: alice.id,
      pin: alice.record().head,
      relays: ['a'.repeat(120), 'b'.repeat(120)],
      peerId: new Uint8Array(42),
      addresses: Array.from({ length: 4 }, () => 'c'.repeat(120)),
      expires: NOW,
    }).invite
    expect(encode(shape, full).length).to.be.within(900, MAX_INVITE_BYTES)
    expect(decodeInvite(encodeInvite(full))).to.deep.equal(full)
  })

  it('refuses every truncation with a hint', () => {
    for (let i = 0; i < link.length; i++) {
      try {
        decodeInvite(link.slice(0, i))
        expect.fail(`cut at ${i} was accepted`)
      } catch (error) {
        expect((error as UsageError).code).to.equal('BAD_INVITE')
        expect((error as UsageError).hint).to.be.a('string')
      }
    }
  })

  it('refuses every mistyped character', () => {
    for (let i = 0; i < link.length; i++) {
      const other = link[i] === 'q' ? 'p' : 'q'
      expect(
        codeOf(() => decodeInvite(link.slice(0, i) + other + link.slice(i + 1))),
        `character ${i}`,
      ).to.equal('BAD_INVITE')
    }
  })

  it('refuses what is no invite, is too long, or is of another form or version', () => {
    const bad = [
      '',
      'hello',
      'kith1qqq',
      `${link}${link}`,
      'q'.repeat(100_000),
      ' '.repeat(100_000),
      asLink(new Uint8Array(0)),
      asLink(new Uint8Array(300)),
      asLink(Uint8Array.of(...encode(shape, made.invite), 0)),
      asLink(encode(shape, { ...made.invite, version: 2 })),
      asLink(encode(shape, { ...made.invite, reader: new Uint8Array(32) })),
    ]
    for (const text of bad)
      expect(
        codeOf(() => decodeInvite(text)),
        text.slice(0, 40),
      ).to.equal('BAD_INVITE')
  })

  it('expires', () => {
    expect(codeOf(() => checkInviteExpiry(made.invite, NOW))).to.equal(undefined)
    expect(codeOf(() => checkInviteExpiry(made.invite, NOW + 86_399))).to.equal(undefined)
    expect(codeOf(() => checkInviteExpiry(made.invite, NOW + 86_400))).to.equal('INVITE_EXPIRED')
  })
})
