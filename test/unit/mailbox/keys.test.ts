import { expect } from 'chai'
import { concat, equal, u8 } from '../../../node/crypto/bytes.ts'
import { sha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import {
  friendMailbox,
  KIND,
  KINDS,
  kindRules,
  mailboxAddress,
  openCopy,
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
