/**
 * T8: what was made for one purpose is refused by every reader of another, over all labels, all maps of the wire, all other
 * forms, and texts. Where two readers take the same bytes the pair stands here with what keeps the two apart, and a pair
 * that is not listed, or listed in vain, fails.
 */
import { expect } from 'chai'
import * as fc from 'fast-check'
import { open, seal } from '../../../node/crypto/aead.ts'
import { ed25519KeyPair, sign, verify } from '../../../node/crypto/ed25519.ts'
import { allLabels, L, type Label } from '../../../node/crypto/labels.ts'
import { KithError } from '../../../node/errors.ts'
import { signedCommand, VERB } from '../../../node/wire/commands.ts'
import { peerIdOf } from '../../../node/wire/peer-id.ts'
import { decode, encode } from '../../../node/wire/schema.ts'
import { OUTSIDE_DECODERS } from '../../support/outside-decoders.ts'
import { OUTSIDE_TEXTS } from '../../support/outside-texts.ts'
import { seededRandom } from '../../support/session-fixtures.ts'
import { WIRE_CODECS } from '../../support/wire-codecs.ts'

const LABELS = allLabels().map(([label]) => label)
const random = seededRandom('cross refusal')
/** Values of each map that are tried; arbitrary ones, the same in every run. */
const SAMPLES = { seed: 6, numRuns: 12 }

interface Reader {
  name: string
  read: (bytes: Uint8Array) => unknown
  valid: readonly Uint8Array[]
}

const MAPS: Reader[] = WIRE_CODECS.map(({ name, shape, value, maxBytes }) => ({
  name,
  read: (bytes) => decode(shape, bytes, maxBytes),
  valid: fc.sample(value, SAMPLES).map((each) => encode(shape, each)),
}))

/** Padding is left out: anything may stand before it, and it is read only where a key of its own has opened it. */
const FORMS: readonly Reader[] = OUTSIDE_DECODERS.filter(({ name }) => name !== 'padding')
const READERS = [...MAPS, ...FORMS]

/** Pairs that take each other's bytes, or the second the first's, by what keeps them apart. */
const APART: Record<string, readonly string[]> = {
  'the label under each signature': [
    'signed -> signed body',
    'signed -> proof',
    'signed body -> signed',
    'signed body -> proof',
    'proof -> signed',
    'proof -> signed body',
    'identity record at its place -> signed',
    'identity record at its place -> signed body',
    'identity record at its place -> proof',
    'prekey record at its place -> signed',
    'prekey record at its place -> signed body',
    'prekey record at its place -> proof',
  ],
  'the verb, which is signed with the arguments': [
    'stat args -> stat signed',
    'stat args -> acknowledge args',
    'stat signed -> stat args',
    'stat signed -> acknowledge args',
    'acknowledge args -> stat args',
    'acknowledge args -> stat signed',
    'read signed -> release args',
    'release args -> read signed',
    'forward args -> record args',
  ],
  'what a signature covers is always the first, what travels always the second': ['put signed -> put args'],
  'the side of the stream that it comes from, and the call that is answered': [
    'request -> answer',
    'answer -> request',
    'hello args -> claim answer',
    'hello args -> request answer',
    'claim answer -> hello args',
    'claim answer -> request answer',
    'request answer -> hello args',
    'request answer -> claim answer',
    'signed args -> record answer',
  ],
  'the type in the payload around it': ['head -> mailbox update body', 'mailbox update body -> head'],
  'the second reads the inside of the first': [
    'policy of a server -> hello answer',
    'sealed leg 1 -> leg 1',
    'sealed leg 2 -> leg 2',
    'sealed envelope -> envelope',
    'envelope -> sealed envelope',
    'leg 1 -> sealed leg 1',
    'leg 2 -> sealed leg 2',
  ],
  'a row at rest opens in its own table alone (T39)': ['row of an expiry -> put args'],
}

/** `from -> to` for each reader that takes what another one's bytes are. @throws whatever is no KithError */
function taken(from: readonly Reader[], to: readonly Reader[]): string[] {
  const found: string[] = []
  for (const maker of from) {
    for (const reader of to) {
      if (reader.name !== maker.name && maker.valid.some((bytes) => takes(reader, bytes))) {
        found.push(`${maker.name} -> ${reader.name}`)
      }
    }
  }
  return found
}

function takes({ read }: Reader, bytes: Uint8Array): boolean {
  try {
    read(bytes)
    return true
  } catch (error) {
    if (error instanceof KithError) return false
    throw error
  }
}

describe('T8 every purpose against every other', function () {
  this.timeout(120_000)

  it('T8 a signature under one label is refused under every other one', () => {
    const { seed, public: key } = ed25519KeyPair(random(32))
    const message = random(100)
    for (const made of LABELS) {
      const signature = sign(seed, made, message)
      expect(LABELS.filter((label) => verify(key, label, message, signature))).to.deep.equal([made])
    }
  })

  it('T8 what is sealed for one label opens for no other', () => {
    const [key, nonce] = [random(32), random(24)]
    for (const made of LABELS) {
      const sealed = seal(key, nonce, random(20), L(made))
      const opening = { name: '', valid: [], read: (label: Uint8Array) => open(key, sealed, label) }
      expect(LABELS.filter((label) => takes(opening, L(label)))).to.deep.equal([made])
    }
  })

  it('T8 where other bytes follow a label, it does not begin another one of the same primitive', () => {
    const hashed: Label[] = ['next', 'id', 'dhtIdentity', 'dhtPrekey', 'mailbox', 'copy', 'envelope', 'message']
    hashed.push('conversation', 'bucket', 'postage', 'claimPostage', 'request')
    const derived: Label[] = ['root', 'rendezvousKeys', 'mailboxKeys', 'vaultSlot', 'storeRecord']
    const exact: Label[] = ['inception', 'tagKey', 'requestK1', 'requestK2', 'session', 'sessionKeys', 'ratchetRoot']
    exact.push('messageKey', 'pqChains', 'pqRoot', 'pqMac', 'storeIndex')
    const texts = new Map(allLabels())
    for (const [followed, all] of [
      [hashed, hashed],
      [derived, [...derived, ...exact]],
    ] as const) {
      for (const label of followed) {
        const longer = all.filter((other) => other !== label && texts.get(other)!.startsWith(texts.get(label)!))
        expect(longer, label).to.deep.equal([])
      }
    }
  })

  it('T8 a command signed for one verb is refused for every other one, whatever the arguments', () => {
    const { seed, public: key } = ed25519KeyPair(random(32))
    const [server, challenge, args] = [peerIdOf(key), random(32), random(40)]
    const verbs = Object.values(VERB)
    for (const made of verbs) {
      const signature = sign(seed, 'command', signedCommand(made, server, challenge, args))
      const good = verbs.filter((verb) =>
        verify(key, 'command', signedCommand(verb, server, challenge, args), signature),
      )
      expect(good).to.deep.equal([made])
    }
  })

  it('T8 bytes of each map and form are refused by all other readers, but for the pairs that something else keeps apart', () => {
    const found = taken(READERS, READERS)
    expect(found.toSorted()).to.deep.equal(Object.values(APART).flat().toSorted())
  })

  it('T8 an invite, an ID, the words, a safety number and an address are taken for none of the others', () => {
    const texts = OUTSIDE_TEXTS.slice(0, 5)
    expect(texts.map(({ name }) => name)).to.deep.equal([
      'invite',
      'words',
      'ID',
      'safety number',
      'address of a server',
    ])
    expect(taken(texts, texts)).to.deep.equal([])
  })
})
