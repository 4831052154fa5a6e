/** The largest value of a shape fits the room that its container reserves: the sums behind the constants. */
import { expect } from 'chai'
import { SEAL_OVERHEAD_BYTES } from '../../../node/crypto/aead.ts'
import * as limits from '../../../node/limits.ts'
import * as commands from '../../../node/wire/commands.ts'
import { ENVELOPE_HEADER_BYTES } from '../../../node/wire/envelope.ts'
import { HEADER_BYTES } from '../../../node/wire/header.ts'
import { type Invite, invite, MAX_INVITE_BYTES } from '../../../node/wire/invite.ts'
import {
  C1_PLAINTEXT_BYTES,
  C2_PLAINTEXT_BYTES,
  C3_PLAINTEXT_BYTES,
  leg1Identity,
  leg1Request,
  leg2Accept,
} from '../../../node/wire/legs.ts'
import { pad, payload, textBody, unpad } from '../../../node/wire/payload.ts'
import { identityRecord, inception, keyEvent, prekeyRecord, signed } from '../../../node/wire/records.ts'
import { decode, encode } from '../../../node/wire/schema.ts'

const zeros = (length: number): Uint8Array => new Uint8Array(length)
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const SECONDS = 2 ** 40
const head = { events: limits.MAX_KEY_EVENTS, seq: SECONDS, hash: zeros(32) }
const address = 'x'.repeat(limits.MAX_ADDRESS_BYTES)
const relays = times(limits.MAX_RELAYS, address)
const addresses = times(limits.MAX_ADDRESSES, address)
const reach = { relays, peerId: zeros(42), addresses }
const name = 'x'.repeat(limits.MAX_NAME_BYTES)

describe('the largest of each', () => {
  it('identity record with 8 key events, 5 devices, 16 revoked and 4 relays fits 4096 bytes, signed', () => {
    const incepted = encode(inception, { version: 255, root: zeros(33), next: zeros(32), salt: zeros(16) })
    expect(incepted.length).to.be.at.most(128)
    const event = encode(signed, {
      body: encode(keyEvent, { version: 255, index: 8, previous: zeros(32), root: zeros(33), next: zeros(32) }),
      signature: zeros(64),
    })
    expect(event.length).to.be.at.most(256)
    const body = encode(identityRecord, {
      version: 255,
      seq: SECONDS,
      previous: zeros(32),
      issued: SECONDS,
      expires: SECONDS,
      inception: incepted,
      events: times(limits.MAX_KEY_EVENTS, event),
      devices: times(limits.MAX_DEVICES, { signing: zeros(33), identity: zeros(33), added: SECONDS }),
      revoked: times(limits.MAX_REVOKED_DEVICES, zeros(33)),
      policy: 1,
      requestReader: zeros(33),
      relays,
      minVersion: 255,
      maxVersion: 255,
    })
    const record = encode(signed, { body, signature: zeros(64) })
    expect(record.length).to.be.at.most(limits.MAX_RECORD_BYTES)
  })

  it('prekey record fits 4096 bytes, signed', () => {
    const body = encode(prekeyRecord, {
      version: 255,
      id: zeros(32),
      device: zeros(33),
      seq: SECONDS,
      issued: SECONDS,
      expires: SECONDS,
      prekey: zeros(33),
      kem: zeros(1185),
    })
    expect(encode(signed, { body, signature: zeros(64) }).length).to.be.at.most(limits.MAX_RECORD_BYTES)
  })

  it('the plaintexts of both legs fit with a byte of padding, a record of 4096 bytes among them', () => {
    const c1 = encode(leg1Identity, { record: zeros(limits.MAX_RECORD_BYTES), device: zeros(33) })
    expect(unpad(pad(c1, C1_PLAINTEXT_BYTES))).to.have.lengthOf(c1.length)
    const c2 = encode(leg1Request, {
      oneTimeKey: zeros(33),
      oneTimeKem: zeros(1185),
      replySecret: zeros(32),
      ...reach,
      rekey: Number.MAX_SAFE_INTEGER,
      name,
      note: 'x'.repeat(limits.MAX_NOTE_BYTES),
      created: SECONDS,
      expires: SECONDS,
      minVersion: 255,
      maxVersion: 255,
    })
    expect(unpad(pad(c2, C2_PLAINTEXT_BYTES))).to.have.lengthOf(c2.length)
    const c3 = encode(leg2Accept, {
      ratchetKey: zeros(33),
      head,
      device: zeros(33),
      ...reach,
      rekey: Number.MAX_SAFE_INTEGER,
      version: 255,
      name,
    })
    expect(unpad(pad(c3, C3_PLAINTEXT_BYTES))).to.have.lengthOf(c3.length)
  })

  it('invite fits its bound', () => {
    const value: Invite = {
      version: 255,
      id: zeros(32),
      writerSeed: zeros(32),
      reader: zeros(32),
      seal: zeros(32),
      pin: head,
      relays: relays.slice(0, 2),
      peerId: zeros(42),
      addresses,
      expires: SECONDS,
    }
    expect(encode(invite, value).length).to.be.at.most(MAX_INVITE_BYTES)
  })

  it('the longest text fits the largest envelope with all optional fields full, sealed header and body included', () => {
    const body = encode(textBody, { text: 'x'.repeat(limits.MAX_TEXT_BYTES) })
    const plain = encode(payload, {
      version: 255,
      type: 65535,
      salt: zeros(16),
      conversation: zeros(16),
      lamport: 2 ** 48,
      parents: times(limits.MAX_PARENTS, zeros(16)),
      sentAt: Number.MAX_SAFE_INTEGER,
      body,
      lifetime: 2 ** 32,
      mine: head,
      yours: head,
      acknowledged: times(limits.MAX_RECEIPT_IDS, zeros(16)),
    })
    const room = limits.ENVELOPE_BYTES[2] - ENVELOPE_HEADER_BYTES - HEADER_BYTES - 2 * SEAL_OVERHEAD_BYTES
    expect(plain.length).to.be.lessThan(room)
  })

  it('the fullest STAT, SUBSCRIBE and their answers fit a frame', () => {
    const entry = { address: zeros(32), after: Number.MAX_SAFE_INTEGER, signature: zeros(64) }
    const read = encode(commands.readArgs, {
      storeId: zeros(16),
      entries: times(limits.MAX_SUBSCRIBE_ADDRESSES, entry),
      challenge: zeros(32),
      remove: times(limits.MAX_SUBSCRIBE_ADDRESSES, zeros(32)),
    })
    const stat = encode(commands.statAnswer, {
      server: zeros(42),
      address: zeros(32),
      storeId: zeros(16),
      time: SECONDS,
      cids: times(limits.MAX_STAT_CIDS, zeros(32)),
      states: times(limits.MAX_STAT_CIDS, 3),
      proofs: times(16, zeros(16600)),
    })
    // a window is closed when it is full, so one copy may stand over its edge
    const item = { address: zeros(32), position: Number.MAX_SAFE_INTEGER, copy: zeros(commands.MAX_COPY_BYTES) }
    const window = Math.ceil(limits.WINDOW_BYTES / commands.MAX_COPY_BYTES) + 1
    const answer = encode(commands.readAnswer, { storeId: zeros(16), items: times(window, item), more: 1 })
    for (const [what, args] of Object.entries({ read, stat, answer })) {
      const frame = encode(commands.answer, { status: 0, body: args, retryAfter: 2 ** 32 })
      expect(frame.length, what).to.be.at.most(limits.MAX_FRAME_BYTES)
    }
    // and are not refused for the number of their items
    expect(decode(commands.readArgs, read, limits.MAX_FRAME_BYTES).entries).to.have.lengthOf(2048)
    const small = { address: zeros(32), position: 0, copy: zeros(1) }
    const many = encode(commands.readAnswer, { storeId: zeros(16), items: times(4096, small), more: 0 })
    expect(decode(commands.readAnswer, many, limits.MAX_FRAME_BYTES).items).to.have.lengthOf(4096)
  })
})
