/**
 * Terms of the symbolic handshake: what is computed with keys, as trees without bytes. Equal terms are one object, so that
 * two people hold the same key exactly when they hold the same object. Cryptography is perfect here; what may be taken
 * apart, and by whom, is `intruder.ts`'s, and what the terms mean in bytes is `conformance.test.ts`'s.
 */
import type { Label } from '../../node/crypto/labels.ts'

export type TermKind =
  | 'name'
  | 'label'
  | 'tuple'
  | 'hash'
  | 'mac'
  | 'kdf'
  | 'part'
  | 'seal'
  | 'signed'
  | 'verifyKey'
  | 'public'
  | 'dh'
  | 'kemKey'
  | 'kemCiphertext'
  | 'kemSecret'
  | 'kemRejected'

export interface Term {
  readonly id: number
  readonly kind: TermKind
  readonly parts: readonly Term[]
  /** Of a name, a label, or what a derivation is called: label and length in bytes; of a part its first byte. */
  readonly text: string
}

const known = new Map<string, Term>()

function term(kind: TermKind, parts: readonly Term[], text = ''): Term {
  const key = `${kind} ${text} ${parts.map(({ id }) => id).join(',')}`
  const before = known.get(key)
  if (before) return before
  const made: Term = { id: known.size, kind, parts, text }
  known.set(key, made)
  return made
}

/** Something drawn at random, or a private key. Nobody has it who was not given it. */
export const name = (text: string): Term => term('name', [], text)
/** `L(x)`: known to all. */
export const label = (text: Label): Term => term('label', [], text)
export const tuple = (...parts: Term[]): Term => term('tuple', parts)
export const hash = (...parts: Term[]): Term => term('hash', parts)
/** HMAC of a byte under a key. */
export const mac = (key: Term, byte: number): Term => term('mac', [key], String(byte))
/** HKDF: its info is a label, its length in bytes; undefined as salt is `none`. */
export const kdf = (info: Label, length: number, salt: Term | undefined, ...input: Term[]): Term =>
  term('kdf', [salt ?? NO_SALT, ...input], `${info} ${length}`)
/** 32 bytes of a derivation, from the byte `from`. */
export const part = (derived: Term, from: number): Term => term('part', [derived], String(from))
/** AEAD: opens for whoever has the key, and is made only with it. */
export const seal = (key: Term, content: Term, associated: Term): Term => term('seal', [key, content, associated])
/** What was signed and the signature, as a record travels. */
export const signed = (key: Term, content: Term): Term => term('signed', [key, content])
export const verifyKey = (key: Term): Term => term('verifyKey', [key])
/** X25519 public key of a secret. */
export const publicKey = (secret: Term): Term => term('public', [secret])
/** X25519 of two secrets, whoever computes it from one of them and the other's public key. */
export const dh = (a: Term, b: Term): Term => term('dh', a.id < b.id ? [a, b] : [b, a])
export const kemKey = (seed: Term): Term => term('kemKey', [seed])
export const kemCiphertext = (coins: Term, seed: Term): Term => term('kemCiphertext', [coins, seed])
const kemSecret = (coins: Term, seed: Term): Term => term('kemSecret', [coins, seed])

/** What the holder of `seed` gets out of a ciphertext: ML-KEM answers with something for those made for others too. */
export function decapsulate(seed: Term, ciphertext: Term): Term {
  const [coins, to] = ciphertext.parts
  return ciphertext.kind === 'kemCiphertext' && to === seed
    ? kemSecret(coins!, seed)
    : term('kemRejected', [seed, ciphertext])
}

/** Salt `none`; known to all. */
export const NO_SALT = term('label', [], 'none')
