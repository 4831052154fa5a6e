import { expect } from 'chai'
import { hkdfSync } from 'node:crypto'
import { concat, equal, fromHex, u8, utf8 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import {
  friendMailbox,
  inviteMailbox,
  KIND,
  KINDS,
  kindRules,
  mailboxAddress,
  openCopy,
  quartersRead,
  reachMailbox,
  reachQuarter,
  sealCopy,
} from '../../../node/mailbox/keys.ts'
import { VERB } from '../../../node/wire/commands.ts'
import { codeOf, seededRandom } from '../../support/identity-fixtures.ts'

const random = seededRandom(1)
const secret = random.bytes(32)
const serverA = random.bytes(38)
const serverB = random.bytes(38)

describe('mailbox/keys', () => {
  it('hashes kind and both keys into the address', () => {
    const w = random.bytes(32)
    const r = random.bytes(32)
    expect(mailboxAddress(KIND.friend, w, r)).to.deep.equal(sha256(concat(L('mailbox'), u8(1), w, r)))
    const all = Object.values(KIND).map((kind) => Buffer.from(mailboxAddress(kind, w, r)).toString('hex'))
    all.push(Buffer.from(mailboxAddress(KIND.friend, r, w)).toString('hex'))
    expect(new Set(all).size).to.equal(7)
    expect(() => mailboxAddress(KIND.friend, concat(w, r), new Uint8Array(0))).to.throw(RangeError)
  })

  it('gives both friends the same keys at a server', () => {
    const mine = friendMailbox(secret, serverA)
    expect(friendMailbox(secret.slice(), serverA.slice())).to.deep.equal(mine)
    expect(mine.address).to.deep.equal(mailboxAddress(KIND.friend, mine.writer.public, mine.reader.public))
  })

  it('cuts what HKDF gives for the server into both seeds and the copy key, in this order', () => {
    const derived = (label: string, between: string) => {
      const info = concat(utf8(label), fromHex(between), serverA)
      const all = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, 96))
      return [all.slice(0, 32), all.slice(32, 64), all.slice(64)]
    }
    const friend = friendMailbox(secret, serverA)
    expect([friend.writer.seed, friend.reader.seed, friend.copyKey]).to.deep.equal(derived('kith/1/mailbox-keys', '00'))
    const reach = reachMailbox(secret, serverA, 0x01020304)
    const expected = derived('kith/1/reach-keys', '01020304')
    expect([reach.writer.seed, reach.reader.seed, reach.copyKey]).to.deep.equal(expected)
    expect(reach.address).to.deep.equal(mailboxAddress(KIND.reach, reach.writer.public, reach.reader.public))
  })

  it('takes anything but 32 bytes of secret, or keys of 32 bytes, for a bug', () => {
    const key = random.bytes(32)
    for (const length of [0, 31, 33]) {
      expect(() => friendMailbox(new Uint8Array(length), serverA), `secret of ${length}`).to.throw(RangeError)
      expect(() => mailboxAddress(KIND.friend, new Uint8Array(length), key), `W of ${length}`).to.throw(RangeError)
      expect(() => mailboxAddress(KIND.friend, key, new Uint8Array(length)), `R of ${length}`).to.throw(RangeError)
    }
  })

  it('derives the keys of a server once while the secret is kept, of 16 servers at most', () => {
    const kept = random.bytes(32)
    const servers = Array.from({ length: 17 }, () => random.bytes(38))
    const [first, second] = servers.map((server) => friendMailbox(kept, server))
    const again = servers.slice(1).map((server) => friendMailbox(kept, server))
    expect(again[0], 'the second is among the last 16').to.equal(second)
    expect(friendMailbox(kept, servers[16]!)).to.equal(again[15])
    // the seventeenth took the place of the first, which comes back as the same keys
    expect(friendMailbox(kept, servers[0]!)).not.to.equal(first)
    expect(friendMailbox(kept, servers[0]!)).to.deep.equal(first)
    expect(friendMailbox(kept.slice(), servers[5]!), 'another array').not.to.equal(friendMailbox(kept, servers[5]!))
  })

  it('writes reach mailboxes in the quarter of 91 days, and reads the last one for 31 days more', () => {
    const quarter = 91 * 86_400
    expect([0, quarter - 1, quarter, 3 * quarter].map(reachQuarter)).to.deep.equal([0, 0, 1, 3])
    const over = 31 * 86_400
    expect(quartersRead(5 * quarter)).to.deep.equal([5, 4])
    expect(quartersRead(5 * quarter + over - 1)).to.deep.equal([5, 4])
    expect(quartersRead(5 * quarter + over)).to.deep.equal([5])
    expect(quartersRead(6 * quarter - 1)).to.deep.equal([5])
  })

  it("finds an invite's mailbox from its seed and R", () => {
    const [writerSeed, reader] = [random.bytes(32), random.bytes(32)]
    const writer = ed25519KeyPair(writerSeed)
    const address = mailboxAddress(KIND.invite, writer.public, reader)
    expect(inviteMailbox({ writerSeed, reader })).to.deep.equal({ writer, address })
  })

  it('T32 shares nothing between two servers, nor between two secrets', () => {
    const boxes = [
      friendMailbox(secret, serverA),
      friendMailbox(secret, serverB),
      friendMailbox(random.bytes(32), serverA),
    ]
    const names = boxes.flatMap((box) =>
      [box.address, box.copyKey, box.writer.public, box.writer.seed, box.reader.public, box.reader.seed].map((bytes) =>
        Buffer.from(bytes).toString('hex'),
      ),
    )
    expect(new Set(names).size).to.equal(names.length)
    // one envelope at two servers: no 16 bytes of the copies are equal
    const envelope = random.bytes(4096)
    const a = sealCopy(boxes[0]!.copyKey, random.bytes(24), envelope)
    const b = Buffer.from(sealCopy(boxes[1]!.copyKey, random.bytes(24), envelope))
    for (let i = 0; i + 16 <= a.length; i++) expect(b.includes(Buffer.from(a.subarray(i, i + 16)))).to.equal(false)
  })

  it('seals copies that are 40 bytes longer, and opens only what the friend wrote', () => {
    const { copyKey } = friendMailbox(secret, serverA)
    const envelope = random.bytes(4096)
    const copy = sealCopy(copyKey, random.bytes(24), envelope)
    expect(copy.length).to.equal(4136)
    expect(equal(openCopy(copyKey, copy), envelope)).to.equal(true)
    for (const i of [0, 23, 24, 4000, 4135]) {
      const bent = copy.slice()
      bent[i]! ^= 1
      expect(
        codeOf(() => openCopy(copyKey, bent)),
        `byte ${i}`,
      ).to.equal('FORGED')
    }
    expect(codeOf(() => openCopy(friendMailbox(secret, serverB).copyKey, copy))).to.equal('FORGED')
    expect(codeOf(() => openCopy(copyKey, copy.subarray(0, 39)))).to.equal('FORGED')
    expect(codeOf(() => openCopy(copyKey, concat(copy, u8(0))))).to.equal('FORGED')
  })

  it('has one table of kinds, with caps that only grow', () => {
    expect(Object.values(KINDS).map((rules) => rules.kind)).to.deep.equal([1, 2, 3, 4, 5, 6])
    for (const rules of Object.values(KINDS)) {
      expect(kindRules(rules.kind)).to.equal(rules)
      expect(rules.maxCopies).to.be.at.least(rules.startCopies)
      expect(rules.maxBytes).to.be.at.least(rules.startBytes)
      expect(rules.reader).to.include(VERB.claim)
      expect(rules.reader).to.include(VERB.release)
    }
    expect(kindRules(0)).to.equal(undefined)
    expect(kindRules(7)).to.equal(undefined)
  })

  it('lets only requests into invites and boxes, read by R alone; a group deletes nothing', () => {
    for (const rules of [KINDS.invite, KINDS.box]) {
      expect(rules.writer).to.deep.equal([VERB.request])
      expect(rules.anyone).to.deep.equal([])
      expect(rules.reader).to.include.members([VERB.fetch, VERB.subscribe, VERB.stat])
    }
    expect(KINDS.group.reader).not.to.include(VERB.acknowledge)
    expect(KINDS.friend.writer).to.deep.equal([VERB.put])
    expect(KINDS.pack.lifeDays).to.equal(400)
  })
})
