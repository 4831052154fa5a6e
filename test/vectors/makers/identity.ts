/** Words, root keys, inception, ID, rotations, device keys and the safety number (PROTOCOL 1). */
import { concat, u8 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair } from '../../../node/crypto/ed25519.ts'
import { hkdfSha256, NO_SALT } from '../../../node/crypto/hash.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { L } from '../../../node/crypto/labels.ts'
import { entropyOf, wordsOf } from '../../../node/identity/phrase.ts'
import {
  createKeyEvent,
  createInception,
  idFromText,
  idToText,
  inceptionId,
  nextDigest,
  rootKeyPair,
} from '../../../node/identity/root.ts'
import { formatSafetyNumber, numericFingerprint, safetyNumber } from '../../../node/identity/safety-number.ts'
import { inception, keyEvent, signed } from '../../../node/wire/records.ts'
import { decode } from '../../../node/wire/schema.ts'
import { ALICE, BOB, personFields, RELAY_A } from './people.ts'
import { type Fields, refused, same, type VectorFile } from './vector-file.ts'

export function identityVectors(): VectorFile {
  const { entropy } = ALICE
  const words = wordsOf(entropy)
  const typed = (person: { entropy: Uint8Array }, index: number) =>
    typeKey('ed25519', rootKeyPair(person.entropy, index).public)
  const alice = { root: typed(ALICE, 0), id: ALICE.id }
  const bob = { root: typed(BOB, 0), id: BOB.id }
  const rotated = { root: typed(ALICE, 1), id: ALICE.id }
  return {
    name: 'identity',
    shows: ['Words, root keys, ID', 'Keys of a device', 'Safety number'],
    about:
      'From the 24 words to the ID, two rotations of the root key, the keys of a device, and the safety number of two people.',
    cases: [
      { name: 'words', entropy, text: words.join(' '), alsoReadAs: { text: ` ${words.join('\n').toUpperCase()} ` } },
      ...[0, 1, 2, 9].map((index) => rootCase(entropy, index)),
      inceptionCase(entropy),
      ...eventCases(entropy),
      { name: 'device of Alice', ...personFields(ALICE), deviceSeed: ALICE.deviceSeed },
      { name: 'device of Bob', ...personFields(BOB), deviceSeed: BOB.deviceSeed },
      {
        name: 'libp2p peer ID',
        seed: RELAY_A.seed,
        public: ed25519KeyPair(RELAY_A.seed).public,
        peerId: RELAY_A.peerId,
        text: RELAY_A.address.split('/').at(-1)!,
      },
      {
        name: 'safety number',
        rootA: alice.root,
        idA: alice.id,
        rootB: bob.root,
        idB: bob.id,
        digitsOfA: { text: numericFingerprint(alice.root, alice.id) },
        digitsOfB: { text: numericFingerprint(bob.root, bob.id) },
        text: safetyNumber(alice, bob),
        shownAs: { text: formatSafetyNumber(safetyNumber(alice, bob)) },
      },
      {
        name: 'safety number after a rotation of A',
        rootA: rotated.root,
        idA: rotated.id,
        rootB: bob.root,
        idB: bob.id,
        text: safetyNumber(bob, rotated),
      },
    ],
    refused: [...badWords(words), ...badIds()],
  }
}

function rootCase(entropy: Uint8Array, index: number): Fields & { name: string } {
  const { seed, public: key } = rootKeyPair(entropy, index)
  const typed = typeKey('ed25519', key)
  same('root', seed, hkdfSha256(NO_SALT, entropy, concat(L('root'), u8(index)), 32))
  return { name: `root key ${index}`, entropy, index, seed, public: key, typed, commitment: nextDigest(typed) }
}

function inceptionCase(entropy: Uint8Array): Fields & { name: string } {
  const encoded = createInception(entropy)
  const id = inceptionId(encoded)
  return {
    name: 'inception and ID',
    entropy,
    map: 'inception',
    value: { ...decode(inception, encoded, 128) },
    encoded,
    id,
    text: idToText(same('id', id, ALICE.id)),
  }
}

function eventCases(entropy: Uint8Array): (Fields & { name: string })[] {
  const events: Uint8Array[] = []
  return [1, 2].map((index) => {
    const event = createKeyEvent(entropy, events)
    events.push(event)
    const { body, signature } = decode(signed, event, 256)
    const value = { ...decode(keyEvent, body, 256) }
    return { name: `rotation ${index}`, entropy, map: 'keyEvent', value, body, signature, encoded: event }
  })
}

function badWords(words: string[]) {
  const swapped = [words[1]!, words[0]!, ...words.slice(2)].join(' ')
  const cases: [string, string, string][] = [
    ['two words changed places', 'the checksum does not fit', swapped],
    ['23 words', 'there are 24', words.slice(1).join(' ')],
    ['a word of another list', 'not in the list', ['zoology', ...words.slice(1)].join(' ')],
  ]
  return cases.map(([name, reason, text]) => refused(`words: ${name}`, reason, { text }, () => entropyOf(text)))
}

function badIds() {
  const text = idToText(ALICE.id)
  const wrong = `${text.slice(0, -1)}${text.endsWith('q') ? 'p' : 'q'}`
  const mixed = `${text.slice(0, 10)}${text.slice(10).toUpperCase()}`
  const cases: [string, string, string][] = [
    ['a character mistyped', 'the checksum does not fit', wrong],
    ['capitals and small letters', 'BIP350 allows one case', mixed],
    ['another prefix', 'the prefix is kith', text.replace('kith1', 'kin1')],
    ['a character less', 'the checksum does not fit', text.slice(0, -1)],
  ]
  return cases.map(([name, reason, bad]) => refused(`ID: ${name}`, reason, { text: bad }, () => idFromText(bad)))
}
