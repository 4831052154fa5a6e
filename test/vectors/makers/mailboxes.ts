/** Addresses and keys of mailboxes, copies, reach mailboxes by quarter, and the invite (PROTOCOL 3). */
import { bech32m } from '@scure/base'
import { concat } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { seal } from '../../../node/crypto/aead.ts'
import { L } from '../../../node/crypto/labels.ts'
import { checkInviteExpiry, createInvite, decodeInvite, encodeInvite } from '../../../node/identity/invite.ts'
import {
  type FriendMailbox,
  friendMailbox,
  inviteMailbox,
  KINDS,
  mailboxAddress,
  openBox,
  openCopy,
  quartersRead,
  reachMailbox,
  reachQuarter,
} from '../../../node/mailbox/keys.ts'
import { type Invite, invite as inviteShape } from '../../../node/wire/invite.ts'
import { encode } from '../../../node/wire/schema.ts'
import { copyCase, FIRST, INVITE_SEAL } from './handshake.ts'
import { ALICE, BOB, RELAY_A, RELAY_B } from './people.ts'
import { DAY, drawn, type Fields, flipped, handingOut, NOW, refused, same, type VectorFile } from './vector-file.ts'

type Case = Fields & { name: string }

const QUARTER = reachQuarter(NOW)

export function mailboxVectors(): VectorFile {
  const { mailboxAB, reachAB } = FIRST.keys
  const friend = friendMailbox(mailboxAB, RELAY_B.peerId)
  const envelope = concat(Uint8Array.of(1, 1), drawn('bytes of an envelope', 4094))
  const { copy } = copyCase('', friend.copyKey, envelope)
  return {
    name: 'mailboxes',
    shows: ['3. Mailboxes', 'Kinds', 'Mailbox of a friend at one server', 'Reach mailboxes', 'Open request box'],
    about:
      'Addresses of all kinds; mailboxes and copies of one direction at two servers; reach mailboxes of two quarters.',
    cases: [
      ...addressCases(),
      ...[RELAY_A, RELAY_B].map(({ peerId }, i) => ({
        name: `mailbox of a friend at server ${i + 1}`,
        ...keysOf(mailboxAB, peerId, friendMailbox(mailboxAB, peerId)),
      })),
      copyCase('copy of an envelope', friend.copyKey, envelope),
      copyCase(
        'copy of the same envelope at the other server',
        friendMailbox(mailboxAB, RELAY_A.peerId).copyKey,
        envelope,
      ),
      { ...foreignNonceCase(friend.copyKey, envelope) },
      ...[QUARTER, QUARTER - 1].map((quarter) => ({
        name: `reach mailbox of quarter ${quarter}`,
        quarter,
        ...keysOf(reachAB, RELAY_B.peerId, reachMailbox(reachAB, RELAY_B.peerId, quarter)),
      })),
      openBoxCase(),
      {
        name: 'quarters',
        written: [NOW, QUARTER * 91 * DAY, (QUARTER + 1) * 91 * DAY - 1].map((now) => ({
          now,
          quarter: reachQuarter(now),
        })),
        read: [0, 31 * DAY - 1, 31 * DAY].map((into) => ({
          now: QUARTER * 91 * DAY + into,
          quarters: quartersRead(QUARTER * 91 * DAY + into),
        })),
      },
    ],
    refused: [
      refusedCopy('a bit', 'the copy does not open', friend.copyKey, flipped(copy, 40)),
      refusedCopy('39 bytes', 'shorter than nonce and tag', friend.copyKey, copy.slice(0, 39)),
      refusedCopy(
        'under the key of another server',
        'each server has its own',
        friendMailbox(mailboxAB, RELAY_A.peerId).copyKey,
        copy,
      ),
    ],
  }
}

function keysOf(secret: Uint8Array, server: Uint8Array, mailbox: FriendMailbox): Fields {
  const { writer, reader, copyKey, address } = mailbox
  return {
    secret,
    server,
    writerSeed: writer.seed,
    writer: writer.public,
    readerSeed: reader.seed,
    reader: reader.public,
    copyKey,
    address,
  }
}

function addressCases(): Case[] {
  const writer = ed25519KeyPair(drawn('mailbox, W')).public
  const reader = ed25519KeyPair(drawn('mailbox, R')).public
  return Object.values(KINDS).map(({ kind, name }) => ({
    name: `address: ${name}`,
    kind,
    writer,
    reader,
    address: mailboxAddress(kind, writer, reader),
  }))
}

/** Who knows the ID makes W; R stands in the identity record. */
function openBoxCase(): Case {
  const readerSeed = drawn('open box, R')
  const reader = ed25519KeyPair(readerSeed).public
  const { writer, address } = openBox(ALICE.id, reader)
  const fields = { id: ALICE.id, writerSeed: writer.seed, writer: writer.public, readerSeed, reader, address }
  return { name: 'open request box', ...fields }
}

/** A reader takes a copy under any nonce. */
function foreignNonceCase(copyKey: Uint8Array, plaintext: Uint8Array): Case {
  const nonce = drawn('another nonce', 24)
  const copy = seal(copyKey, nonce, plaintext, L('copy'))
  return {
    name: 'copy under another nonce, which a reader opens',
    copyKey,
    nonce,
    copy,
    plaintext: same('copy', openCopy(copyKey, copy), plaintext),
  }
}

function refusedCopy(name: string, reason: string, copyKey: Uint8Array, copy: Uint8Array) {
  return refused(`copy: ${name}`, reason, { copyKey, copy }, () => openCopy(copyKey, copy))
}

// ---- invite ----

export function inviteVectors(): VectorFile {
  const [readerSeed, writerSeed] = [drawn('invite, seed of R'), drawn('invite, seed of W')]
  const made = createInvite(
    { bytes: handingOut(readerSeed, writerSeed, INVITE_SEAL) },
    { id: BOB.id, pin: { ...BOB.view.head }, relays: [RELAY_B.address], expires: NOW + 30 * DAY },
  )
  const { invite } = made
  const text = encodeInvite(invite)
  const { writer, address } = inviteMailbox(invite)
  const broken = text.replaceAll(/.{60}/g, '$&\n  ')
  same('invite', encode(inviteShape, decodeInvite(broken)), encode(inviteShape, invite))
  return {
    name: 'invite',
    shows: ['Invite', 'Kinds'],
    about:
      'An invite of Bob: its map, its text, and the mailbox that it opens. Leg 1 sealed through it stands in the file `handshake`.',
    cases: [
      {
        name: 'invite',
        readerSeed: made.readerSeed,
        map: 'invite',
        value: { ...invite },
        encoded: encode(inviteShape, invite),
        text,
        alsoReadAs: [{ text: broken }, { text: text.toUpperCase() }],
        writer: writer.public,
        address,
      },
    ],
    refused: badInvites(invite, text),
  }
}

function badInvites(invite: Invite, text: string) {
  const bad = (name: string, reason: string, link: string) =>
    refused(name, reason, { text: link }, () => decodeInvite(link))
  const withBytes = (bytes: Uint8Array, prefix = 'kithinvite'): string =>
    bech32m.encode(prefix, bech32m.toWords(bytes), false)
  const small = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))
  const encoded = encode(inviteShape, invite)
  return [
    bad('a character mistyped', 'the checksum does not fit', `${text.slice(0, -1)}${text.endsWith('q') ? 'p' : 'q'}`),
    bad('another prefix', 'the prefix is kithinvite', withBytes(encoded, 'kith')),
    bad('a trailing byte', 'not canonical', withBytes(concat(encoded, new Uint8Array(1)))),
    bad('version 2', 'the version is 1', encodeInvite({ ...invite, version: 2 })),
    bad('R of small order', 'not a key of prime order', encodeInvite({ ...invite, reader: small })),
    bad(
      'more than 1024 bytes',
      'at most 1024 bytes encoded',
      withBytes(concat(encoded, new Uint8Array(1025 - encoded.length))),
    ),
    refused('expired', 'not used from `expires` on', { text, now: invite.expires }, () =>
      checkInviteExpiry(invite, invite.expires),
    ),
  ]
}
