/*
 * Section 1: words, root keys, inception, ID, rotations of the root key, and the safety number.
 */
import { readFileSync } from 'node:fs'
import { fromBech32m, toBech32m } from './bech32m.ts'
import { concat, cut, L, must, readUint, same, u8, zeros } from './bytes.ts'
import { checkSignature, ED25519, ed25519Public, signLabelled, typed, untyped } from './keys.ts'
import { inception, keyEvent, signedEvent } from './maps.ts'
import { H, HKDF, none, sha512 } from './primitives.ts'

const LIST = new URL('../../node_modules/@scure/bip39/wordlists/english.js', import.meta.url)
const WORDS = /`([^`]*)`/.exec(readFileSync(LIST, 'utf8'))?.[1]?.split('\n') ?? []

const bitsOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')

/** The 24 words of an entropy. */
export function toWords(entropy: Uint8Array): string {
  const bits = bitsOf(concat(entropy, cut(H(entropy), 0, 1)))
  return (bits.match(/.{11}/g) ?? []).map((group) => WORDS[Number.parseInt(group, 2)]).join(' ')
}

/** The entropy of 24 words, in any capitals and spacing. */
export function fromWords(text: string): Uint8Array {
  const words = text.normalize('NFKD').toLowerCase().trim().split(/\s+/)
  must(words.length === 24, 'there are 24 words')
  const numbers = words.map((word) => WORDS.indexOf(word))
  must(!numbers.includes(-1), 'words of the list')
  const bits = numbers.map((n) => n.toString(2).padStart(11, '0')).join('')
  const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
  const entropy = cut(bytes, 0, 32)
  must(same(cut(H(entropy), 0, 1), cut(bytes, 32, 33)), 'the checksum of the words')
  return entropy
}

/** Seed of root key i. */
export function rootSeed(entropy: Uint8Array, i: number): Uint8Array {
  return HKDF(none, entropy, concat(L('root'), u8(i)), 32)
}

/** Root key i, typed. */
export function rootKey(entropy: Uint8Array, i: number): Uint8Array {
  return typed(ED25519, ed25519Public(rootSeed(entropy, i)))
}

/** Commitment to a typed root key. */
export function commitment(typedRoot: Uint8Array): Uint8Array {
  return H(L('next'), typedRoot)
}

/** The encoded inception of an entropy. */
export function makeInception(entropy: Uint8Array): Uint8Array {
  return inception.encode({
    version: 1,
    root: rootKey(entropy, 0),
    next: commitment(rootKey(entropy, 1)),
    salt: HKDF(none, entropy, L('inception'), 16),
  })
}

/** ID of an encoded inception. */
export function idOf(encodedInception: Uint8Array): Uint8Array {
  return H(L('id'), encodedInception)
}

/** ID as text. */
export function idText(id: Uint8Array): string {
  return toBech32m('kith', id)
}

/** The ID in a text. */
export function readId(text: string): Uint8Array {
  const id = fromBech32m('kith', text)
  must(id.length === 32, 'an ID has 32 bytes')
  return id
}

/** The body of a rotation: key event `index` after the body before it. */
export function makeKeyEvent(entropy: Uint8Array, index: number, bodyBefore: Uint8Array): Uint8Array {
  return keyEvent.encode({
    version: 1,
    index,
    previous: H(bodyBefore),
    root: rootKey(entropy, index),
    next: commitment(rootKey(entropy, index + 1)),
  })
}

/** Signs a key event by the key that it reveals. */
export function signKeyEvent(entropy: Uint8Array, index: number, body: Uint8Array): Uint8Array {
  return signedEvent.encode({ body, signature: signLabelled(rootSeed(entropy, index), 'key-event', body) })
}

/** A chain of key events that was checked, but for its signatures. */
export interface Chain {
  /** The current root key, typed. */
  root: Uint8Array
  /** Checks the signature of each event. */
  checkSignatures(): void
}

/** Checks the inception and the chain of events: versions, indices, each previous, each root. */
export function readChain(encodedInception: Uint8Array, events: Uint8Array[]): Chain {
  const first = inception.decode(encodedInception)
  must(first.version === 1 && first.root[0] === ED25519, 'an inception of version 1')
  let { root, next } = first
  let before = encodedInception
  const signatures: (() => void)[] = []
  events.forEach((encoded, i) => {
    const { body, signature } = signedEvent.decode(encoded)
    const event = keyEvent.decode(body)
    must(event.version === 1, 'an event of version 1')
    must(event.index === i + 1, 'indices 1, 2, …')
    must(same(event.previous, H(before)), '`previous` is H of the body before')
    must(event.root[0] === ED25519 && same(commitment(event.root), next), 'the root that was committed to')
    signatures.push(() => checkSignature(untyped(ED25519, event.root), 'key-event', body, signature))
    ;({ root, next } = event)
    before = body
  })
  const checkSignatures = (): void => {
    for (const check of signatures) check()
  }
  return { root, checkSignatures }
}

/** The 30 digits of one side of a safety number. */
export function safetyDigits(root: Uint8Array, id: Uint8Array): string {
  let digest = sha512(zeros(2), root, id, root)
  for (let i = 0; i < 5199; i++) digest = sha512(digest, root)
  const groups = [0, 1, 2, 3, 4, 5].map((g) => readUint(digest, 5 * g, 5) % 100_000)
  return groups.map((group) => String(group).padStart(5, '0')).join('')
}

/** The 60 digits of both, the smaller ones in front. */
export function safetyNumber(a: string, b: string): string {
  return a < b ? a + b : b + a
}

/** In groups of five. */
export function grouped(digits: string): string {
  return (digits.match(/.{5}/g) ?? []).join(' ')
}
