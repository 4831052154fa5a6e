/** Argon2id: node's against RFC 9106 5.3 (which needs a secret and associated data) and against noble's. */
import { argon2Sync } from 'node:crypto'
import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js'
import { expect } from 'chai'
import { argon2id } from '../../node/crypto/argon2.ts'
import { toHex, utf8 } from '../../node/crypto/bytes.ts'

describe('Argon2id vectors', () => {
  it('RFC 9106 5.3, by the function that ours wraps', () => {
    const tag = argon2Sync('argon2id', {
      message: new Uint8Array(32).fill(1),
      nonce: new Uint8Array(16).fill(2),
      secret: new Uint8Array(8).fill(3),
      associatedData: new Uint8Array(12).fill(4),
      parallelism: 4,
      memory: 32,
      passes: 3,
      tagLength: 32,
    })
    expect(toHex(tag)).to.equal('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659')
  })

  it('gives what noble gives, with small costs', async () => {
    const salt = new Uint8Array(16).fill(2)
    for (const [memoryKib, passes, lanes] of [
      [32, 3, 4],
      [64, 1, 1],
      [256, 2, 2],
    ] as const) {
      const ours = await argon2id(utf8('correct horse'), salt, { memoryKib, passes, lanes })
      const theirs = nobleArgon2id(utf8('correct horse'), salt, { m: memoryKib, t: passes, p: lanes, dkLen: 32 })
      expect(toHex(ours), `${memoryKib} KiB, ${passes} passes, ${lanes} lanes`).to.equal(toHex(theirs))
    }
  })
})
