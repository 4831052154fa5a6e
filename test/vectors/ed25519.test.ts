/** Ed25519 against RFC 8032 7.1 and Wycheproof, by both backends of the one rule. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { expect } from 'chai'
import { concat, fromHex, toHex } from '../../node/crypto/bytes.ts'
import { ed25519KeyPair, isValidEd25519, sign, verify, verifyRaw, verifyWithNoble } from '../../node/crypto/ed25519.ts'
import { L } from '../../node/crypto/labels.ts'
import { caseName, describeVectors, type VectorCase } from '../support/vectors.ts'

interface EddsaCase extends VectorCase {
  msg: string
  sig: string
}

const RFC8032 = [
  {
    name: 'TEST 1',
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    public: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    name: 'TEST 2',
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    public: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    name: 'TEST 3',
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    public: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    name: 'TEST SHA(abc)',
    seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    public: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message:
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature:
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
]

describe('Ed25519 vectors', () => {
  for (const vector of RFC8032) {
    it(`RFC 8032 7.1 ${vector.name}`, () => {
      const pair = ed25519KeyPair(fromHex(vector.seed))
      const [message, signature] = [fromHex(vector.message), fromHex(vector.signature)]
      expect(toHex(pair.public)).to.equal(vector.public)
      for (const check of [verifyRaw, verifyWithNoble]) {
        expect(check(pair.public, message, signature)).to.equal(true)
        expect(check(pair.public, concat(message, Uint8Array.of(0)), signature)).to.equal(false)
      }
    })
  }

  it('sign is RFC 8032 over label, zero byte and message', () => {
    const pair = ed25519KeyPair(fromHex(RFC8032[0]!.seed))
    const message = fromHex('0102')
    const labelled = concat(L('policy'), Uint8Array.of(0), message)
    const signature = sign(pair.seed, 'policy', message)
    expect(toHex(signature)).to.equal(toHex(ed25519.sign(labelled, pair.seed)))
    expect(verify(pair.public, 'policy', message, signature)).to.equal(true)
    expect(verifyRaw(pair.public, labelled, signature)).to.equal(true)
    expect(verifyRaw(pair.public, message, signature)).to.equal(false)
  })
})

describeVectors<EddsaCase, { publicKey: { pk: string } }>('ed25519_test.json', (test, group) => {
  const key = fromHex(group.publicKey.pk)
  const name = caseName(test)
  const [message, signature] = [fromHex(test.msg), fromHex(test.sig)]
  // a key that is not of prime order is refused whatever it signed: no valid case of the file needs one
  const good = test.result === 'valid' && isValidEd25519(key)
  expect(test.result === 'valid' && !good, `${name}: key of prime order`).to.equal(false)
  expect(verifyRaw(key, message, signature), `node: ${name}`).to.equal(good)
  expect(verifyWithNoble(key, message, signature), `noble: ${name}`).to.equal(good)
})
