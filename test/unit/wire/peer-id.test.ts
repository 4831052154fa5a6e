import { expect } from 'chai'
import { fromHex, toHex } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { peerIdOf, peerIdPublicKey } from '../../../node/wire/peer-id.ts'

/** The identity element: a key of small order. */
const SMALL_ORDER = `01${'00'.repeat(31)}`

describe('peer ID', () => {
  it('holds the key of RFC 8032, test 1, behind the multihash prefix', () => {
    const { public: key } = ed25519KeyPair(fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
    const peerId = peerIdOf(key)
    expect(toHex(peerId)).to.equal('002408011220d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
    expect(peerIdPublicKey(peerId)).to.deep.equal(key)
  })

  it('refuses every other length, prefix and kind of key', () => {
    const good = peerIdOf(ed25519KeyPair(new Uint8Array(32).fill(1)).public)
    for (let length = 0; length < good.length; length++) {
      expect(() => peerIdPublicKey(good.subarray(0, length)))
        .to.throw()
        .with.property('code', 'BAD_KEY')
    }
    expect(() => peerIdPublicKey(new Uint8Array([...good, 0])))
      .to.throw()
      .with.property('code', 'BAD_KEY')
    for (let i = 0; i < 6; i++) {
      const changed = good.map((byte, at) => (at === i ? byte ^ 1 : byte))
      expect(() => peerIdPublicKey(changed))
        .to.throw()
        .with.property('code', 'BAD_KEY')
    }
    expect(() => peerIdPublicKey(fromHex(`002408011220${SMALL_ORDER}`)))
      .to.throw()
      .with.property('code', 'BAD_KEY')
    expect(() => peerIdOf(new Uint8Array(31))).to.throw(RangeError)
  })
})
