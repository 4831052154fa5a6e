import { expect } from 'chai'
import { codeOf, seededRandom, testPerson } from '../../support/identity-fixtures.ts'
import {
  createInception,
  createKeyEvent,
  idFromText,
  idToText,
  inceptionId,
  nextDigest,
  rootKeyPair,
} from '../../../node/identity/root.ts'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { inception } from '../../../node/wire/records.ts'
import { decode } from '../../../node/wire/schema.ts'
import type { UsageError } from '../../../node/errors.ts'

describe('identity/root', () => {
  const { entropy, id } = testPerson(1)

  it('gives the ID from the words alone, and another for other words', () => {
    expect(inceptionId(createInception(entropy.slice()))).to.deep.equal(id)
    expect(inceptionId(createInception(seededRandom(99).bytes(32)))).not.to.deep.equal(id)
  })

  it('shows root 0 and only the digest of root 1', () => {
    const bytes = createInception(entropy)
    const start = decode(inception, bytes, 128)
    expect(start.root).to.deep.equal(typeKey('ed25519', rootKeyPair(entropy, 0).public))
    const next = rootKeyPair(entropy, 1).public
    expect(start.next).to.deep.equal(nextDigest(typeKey('ed25519', next)))
    expect(Buffer.from(bytes).includes(Buffer.from(next))).to.equal(false)
  })

  it('gives every root its own keys', () => {
    const names = Array.from({ length: 10 }, (_, i) => Buffer.from(rootKeyPair(entropy, i).public).toString('hex'))
    expect(new Set(names).size).to.equal(10)
  })

  it('writes an ID as text of 63 characters and reads it in either case', () => {
    const text = idToText(id)
    expect(text).to.match(/^kith1[a-z0-9]{58}$/)
    expect(idFromText(text)).to.deep.equal(id)
    expect(idFromText(` ${text.toUpperCase()}\n`)).to.deep.equal(id)
  })

  it('refuses each mistyped character, each truncation, and other prefixes', () => {
    const text = idToText(id)
    for (let i = 0; i < text.length; i++) {
      const other = text[i] === 'q' ? 'p' : 'q'
      expect(
        codeOf(() => idFromText(text.slice(0, i) + other + text.slice(i + 1))),
        `character ${i}`,
      ).to.equal('BAD_ID')
      expect(
        codeOf(() => idFromText(text.slice(0, i))),
        `cut at ${i}`,
      ).to.equal('BAD_ID')
    }
    expect(codeOf(() => idFromText(`${text}q`))).to.equal('BAD_ID')
    expect(codeOf(() => idFromText(`${text.slice(0, -1)}Q`))).to.equal('BAD_ID')
  })

  it('tells somebody who pastes an invite what to do', () => {
    try {
      idFromText('kithinvite1qqqq')
      expect.fail('was accepted')
    } catch (error) {
      expect((error as UsageError).hint).to.contain('kith add')
    }
  })

  it('ends after the eighth rotation', () => {
    const events: Uint8Array[] = []
    for (let i = 0; i < 8; i++) events.push(createKeyEvent(entropy, events))
    expect(codeOf(() => createKeyEvent(entropy, events))).to.equal('TOO_MANY')
  })
})
