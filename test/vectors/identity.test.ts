/**
 * Published answers (BIP39, libsignal), and our own: the derivations of PROTOCOL 1 to 5 computed a second time from
 * node:crypto alone, so that a label, an order or a length cannot move unseen. The constants are frozen.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { expect } from 'chai'
import { fromHex, toHex, utf8 } from '../../node/crypto/bytes.ts'
import { identityRecordKey, prekeyRecordKey } from '../../node/identity/record-keys.ts'
import { entropyOf, wordsOf } from '../../node/identity/phrase.ts'
import { createInception, idToText, inceptionId, rootKeyPair } from '../../node/identity/root.ts'
import { joinFingerprints, numericFingerprint } from '../../node/identity/safety-number.ts'
import { bucketIndex } from '../../node/mailbox/buckets.ts'
import { friendMailbox } from '../../node/mailbox/keys.ts'
import { tag, tagKey } from '../../node/mailbox/tags.ts'

const hkdf = (ikm: Uint8Array, info: string | Uint8Array, length: number): string =>
  Buffer.from(hkdfSync('sha256', ikm, new Uint8Array(0), info, length)).toString('hex')
const h = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

describe('vectors: identity and mailboxes', () => {
  it('BIP39: 256-bit English test vectors', () => {
    const cases: [string, string][] = [
      ['00', `${'abandon '.repeat(23)}art`],
      [
        '7f',
        `${'legal winner thank year wave sausage worth useful '.repeat(2)}legal winner thank year wave sausage worth title`,
      ],
      [
        '80',
        `${'letter advice cage absurd amount doctor acoustic avoid '.repeat(2)}letter advice cage absurd amount doctor acoustic bless`,
      ],
      ['ff', `${'zoo '.repeat(23)}vote`],
    ]
    for (const [byte, words] of cases) {
      const entropy = fromHex(byte.repeat(32))
      expect(wordsOf(entropy).join(' ')).to.equal(words)
      expect(entropyOf(words)).to.deep.equal(entropy)
    }
  })

  it('T7 libsignal: the displayable fingerprint of alice and bob', () => {
    const alice = fromHex('0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868')
    const bob = fromHex('05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b')
    const number = '300354477692869396892869876765458257569162576843440918079131'
    const a = numericFingerprint(alice, utf8('+14152222222'))
    const b = numericFingerprint(bob, utf8('+14153333333'))
    expect(joinFingerprints(a, b)).to.equal(number)
    expect(joinFingerprints(b, a)).to.equal(number)
  })

  const entropy = fromHex('7f'.repeat(32))
  const inception = createInception(entropy)
  const id = inceptionId(inception)

  it('root keys, inception and ID', () => {
    expect(toHex(rootKeyPair(entropy, 0).seed)).to.equal(hkdf(entropy, Buffer.from('kith/1/root\0', 'latin1'), 32))
    expect(toHex(rootKeyPair(entropy, 1).seed)).to.equal(hkdf(entropy, Buffer.from('kith/1/root\u0001', 'latin1'), 32))
    const [root0, root1] = [0, 1].map((i) => `02${toHex(rootKeyPair(entropy, i).public)}`) as [string, string]
    const next = h('kith/1/next', fromHex(root1))
    const salt = hkdf(entropy, 'kith/1/inception', 16)
    expect(toHex(inception)).to.equal(`a40101025821${root0}035820${next}0450${salt}`)
    expect(toHex(id)).to.equal(h('kith/1/id', inception))
    expect(idToText(id)).to.equal('kith1yyvf33yqdw22cyvpfmrv20utr5ypzvatfe04k5dcjs75lkt9uatsz08pj5')
  })

  it('DHT keys', () => {
    expect(toHex(identityRecordKey(id))).to.equal(toHex(utf8('/kith-id/')) + h('kith/1/dht', id))
    const device = rootKeyPair(entropy, 0).public
    const key = toHex(utf8('/kith-pk/')) + h('kith/1/pk', Uint8Array.of(2), device)
    expect(toHex(prekeyRecordKey(device))).to.equal(key)
    expect(toHex(prekeyRecordKey(Uint8Array.of(2, ...device)))).to.equal(key)
  })

  it('mailbox keys, address, tags and bucket', () => {
    const secret = fromHex('11'.repeat(32))
    const server = fromHex(`002408011220${'22'.repeat(32)}`)
    const keys = hkdf(secret, Buffer.concat([Buffer.from('kith/1/mailbox-keys\0', 'latin1'), server]), 96)
    const box = friendMailbox(secret, server)
    expect(toHex(box.writer.seed) + toHex(box.reader.seed) + toHex(box.copyKey)).to.equal(keys)
    expect(toHex(box.address)).to.equal(h('kith/1/mbx', Uint8Array.of(1), box.writer.public, box.reader.public))
    expect(toHex(box.address)).to.equal('8487f46e2e6e2aea2ce5b65b16a14fed8d94419406c5bdc80674d53ba61e432f')

    const key = hkdf(secret, 'kith/1/tag-key', 32)
    expect(toHex(tagKey(secret))).to.equal(key)
    const mac = createHmac('sha256', fromHex(key)).update(fromHex('0000000000000102')).digest('hex')
    expect(toHex(tag(tagKey(secret), 258))).to.equal(mac.slice(0, 32))
    expect(mac.slice(0, 32)).to.equal('a99310b331cab5ef705263b59c86fb4d')

    expect(bucketIndex(id, 8)).to.equal(Number.parseInt(h('kith/1/bucket', id).slice(0, 2), 16))
  })
})
