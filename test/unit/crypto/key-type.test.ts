import { expect } from 'chai'
import { toHex } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { kemKeyPair } from '../../../node/crypto/kem.ts'
import { KEY_TYPE, type KeyType, typedKeyBytes, typeKey, untypeKey } from '../../../node/crypto/key-type.ts'
import { x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { PeerError } from '../../../node/errors.ts'

const KEYS: Record<KeyType, Uint8Array> = {
  x25519: x25519KeyPair(new Uint8Array(32).fill(1)).public,
  ed25519: ed25519KeyPair(new Uint8Array(32).fill(2)).public,
  mlKem768: kemKeyPair(new Uint8Array(64).fill(3)).public,
}
const TYPES = Object.keys(KEYS) as KeyType[]

function refused(run: () => unknown): void {
  expect(run).to.throw(PeerError).with.property('code', 'BAD_KEY')
}

describe('key type', () => {
  it('puts one byte in front, another for each kind', () => {
    expect(new Set(Object.values(KEY_TYPE)).size).to.equal(TYPES.length)
    expect(TYPES.map(typedKeyBytes)).to.deep.equal([33, 33, 1185])
    for (const type of TYPES) {
      const typed = typeKey(type, KEYS[type])
      expect(typed[0]).to.equal(KEY_TYPE[type])
      expect(typed.length).to.equal(typedKeyBytes(type))
      expect(toHex(untypeKey(type, typed))).to.equal(toHex(KEYS[type]))
    }
  })

  it('T16 a key of one kind offered as another fails, each against each', () => {
    for (const made of TYPES) {
      for (const read of TYPES) if (made !== read) refused(() => untypeKey(read, typeKey(made, KEYS[made])))
    }
  })

  it('T16 the type byte alone decides where lengths agree, and the length where bytes are cut to fit', () => {
    const typed = typeKey('x25519', KEYS.x25519)
    typed[0] = KEY_TYPE.ed25519
    refused(() => untypeKey('x25519', typed))
    // the first 32 bytes of a KEM key dressed up as a signed prekey, and a prekey stretched to a KEM key
    refused(() => untypeKey('x25519', typeKey('mlKem768', KEYS.mlKem768).subarray(0, 33)))
    const stretched = new Uint8Array(1185)
    stretched.set(typeKey('x25519', KEYS.x25519))
    refused(() => untypeKey('mlKem768', stretched))
  })

  it('refuses no bytes, one too few, one too many, and an unknown type', () => {
    for (const type of TYPES) {
      const typed = typeKey(type, KEYS[type])
      refused(() => untypeKey(type, new Uint8Array(0)))
      refused(() => untypeKey(type, typed.subarray(0, -1)))
      refused(() => untypeKey(type, Uint8Array.of(...typed, 0)))
      for (const byte of [0, 4, 0x80, 0xff]) refused(() => untypeKey(type, Uint8Array.of(byte, ...typed.subarray(1))))
    }
  })

  it('checks the form of every kind', () => {
    refused(() => untypeKey('x25519', typeKey('x25519', new Uint8Array(32).fill(0xff))))
    refused(() => untypeKey('ed25519', typeKey('ed25519', new Uint8Array(32))))
    refused(() => untypeKey('mlKem768', typeKey('mlKem768', new Uint8Array(1184).fill(0xff))))
  })

  it('hands out a copy', () => {
    const typed = typeKey('x25519', KEYS.x25519)
    const key = untypeKey('x25519', typed)
    typed[1] = typed[1]! ^ 1
    expect(toHex(key)).to.equal(toHex(KEYS.x25519))
  })
})
