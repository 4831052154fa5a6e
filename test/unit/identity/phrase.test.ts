import { expect } from 'chai'
import { entropyOf, wordsOf } from '../../../node/identity/phrase.ts'
import type { KithError } from '../../../node/errors.ts'
import { seededRandom } from '../../support/identity-fixtures.ts'

function failure(phrase: string): KithError {
  try {
    entropyOf(phrase)
  } catch (error) {
    return error as KithError
  }
  throw new Error('was accepted')
}

describe('identity/phrase', () => {
  const entropy = seededRandom(1).bytes(32)
  const words = wordsOf(entropy)

  it('turns 32 bytes into 24 words and back', () => {
    for (let seed = 0; seed < 50; seed++) {
      const bytes = seededRandom(seed).bytes(32)
      expect(wordsOf(bytes)).to.have.length(24)
      expect(entropyOf(wordsOf(bytes).join(' '))).to.deep.equal(bytes)
    }
  })

  it('forgives capitals, line breaks and spaces', () => {
    expect(entropyOf(`  ${words.join('\n  ').toUpperCase()}\t`)).to.deep.equal(entropy)
  })

  it('names the position of an unknown word, and no word', () => {
    const wrong = words.with(6, 'zzzsecret')
    const error = failure(wrong.join(' '))
    expect(error.code).to.equal('BAD_WORDS')
    expect(error.hint).to.contain('word 7')
    const shown = `${error.message} ${error.hint} ${String(error.cause)}`.split(/\W+/)
    for (const word of wrong) expect(shown).not.to.include(word)
  })

  it('refuses another number of words', () => {
    for (const count of [0, 1, 12, 23, 25]) {
      const phrase = Array.from({ length: count }, (_, i) => words[i % 24]!).join(' ')
      expect(failure(phrase).code).to.equal('BAD_WORDS')
    }
  })

  it('refuses two words that changed places, without quoting them', () => {
    const index = words.findIndex((word, i) => i > 0 && word !== words[i - 1])
    const swapped = words.with(index, words[index - 1]!).with(index - 1, words[index]!)
    const error = failure(swapped.join(' '))
    expect(error.code).to.equal('BAD_WORDS')
    expect(error.cause).to.equal(undefined)
  })

  it('refuses other lengths of entropy', () => {
    expect(() => wordsOf(new Uint8Array(16))).to.throw(RangeError)
  })
})
