/** The machine's own encapsulation beside the one from coins: the same function, and the same keys refused. */
import { expect } from 'chai'
import { equal } from '../../../node/crypto/bytes.ts'
import { KEM_CIPHERTEXT_BYTES, kemDecapsulateByNoble, kemKeyPairByNoble } from '../../../node/crypto/kem.ts'
import { drawFrom, encapsulateTo } from '../../../node/session/draw.ts'
import { systemRandom } from '../../../node/system.ts'

const PAIR = kemKeyPairByNoble(new Uint8Array(64).fill(7))

describe('what a session draws', () => {
  const machine = drawFrom(systemRandom)
  const coins = drawFrom({ bytes: (length) => new Uint8Array(length).fill(3) })

  it('is encapsulated by the machine so that noble finds the secret, each time another one', () => {
    expect(machine.kemTo, 'the machine has ML-KEM').to.not.equal(undefined)
    const [one, two] = [encapsulateTo(PAIR.public, machine), encapsulateTo(PAIR.public, machine)]
    for (const { ciphertext, secret } of [one, two]) {
      expect(ciphertext).to.have.lengthOf(KEM_CIPHERTEXT_BYTES)
      expect(kemDecapsulateByNoble(PAIR.seed, ciphertext)).to.deep.equal(secret)
    }
    expect(equal(one.secret, two.secret)).to.equal(false)
  })

  it('is encapsulated from coins where a run has to repeat', () => {
    expect(encapsulateTo(PAIR.public, coins)).to.deep.equal(encapsulateTo(PAIR.public, coins))
  })

  it('goes to no key that is none', () => {
    const unreduced = PAIR.public.slice()
    unreduced.set([0xff, 0xff, 0xff])
    for (const draw of [machine, coins]) {
      for (const key of [unreduced, PAIR.public.slice(1), new Uint8Array(0)]) {
        expect(() => encapsulateTo(key, draw))
          .to.throw()
          .with.property('code', 'BAD_KEY')
      }
    }
  })
})
