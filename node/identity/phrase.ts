/**
 * The recovery phrase (PROTOCOL 1): 24 words of the English BIP39 list stand for the 32 bytes from which the root keys
 * follow. The words are no password: BIP39's key stretching is not used. Drawing the bytes and keeping them is the caller's.
 */
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { UsageError } from '../errors.ts'

const ENTROPY_BYTES = 32
const PHRASE_WORDS = 24

const known = new Set(wordlist)

/** The 24 words of 32 bytes, in order. @throws RangeError for another length */
export function wordsOf(entropy: Uint8Array): string[] {
  if (entropy.length !== ENTROPY_BYTES) throw new RangeError(`expected 32 bytes of entropy, got ${entropy.length}`)
  return entropyToMnemonic(entropy, wordlist).split(' ')
}

/**
 * The 32 bytes that the words stand for. Capitals, line breaks and repeated spaces are forgiven.
 * @throws UsageError `BAD_WORDS`; its hint names the position of a wrong word, never the word
 */
export function entropyOf(phrase: string): Uint8Array {
  const words = phrase.normalize('NFKD').toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length !== PHRASE_WORDS) {
    throw new UsageError('BAD_WORDS', `expected ${PHRASE_WORDS} words, got ${words.length}`, {
      hint: 'write all 24 words in their order, separated by spaces',
    })
  }
  const unknown = words.findIndex((word) => !known.has(word))
  if (unknown >= 0) {
    throw new UsageError('BAD_WORDS', `word ${unknown + 1} is not in the list`, {
      hint: `check the spelling of word ${unknown + 1}`,
    })
  }
  try {
    return new Uint8Array(mnemonicToEntropy(words.join(' '), wordlist))
  } catch {
    // the library's error may quote the words
    throw new UsageError('BAD_WORDS', 'the words do not belong together: their checksum does not fit', {
      hint: 'one word is another one of the list, or two words changed places',
    })
  }
}
