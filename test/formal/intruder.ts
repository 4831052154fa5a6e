/**
 * What a Dolev-Yao intruder can know: a closure over Horn rules ("who has these terms has that one"), for all sets of leaks
 * at once. With each term stands not yes or no but under which leaks it is known: the smallest sets of leaks that are
 * enough, as bit masks, none inside another. An empty list is "never", the list of the empty set "always".
 */
import { kemCiphertext, kemKey, publicKey, type Term } from './terms.ts'

/** Smallest sets of leaks that are enough; each a bit mask. */
export type Conditions = readonly number[]

export const NEVER: Conditions = []
export const ALWAYS: Conditions = [0]

/** What lies at the intruder's feet when a primitive is broken. */
export interface BrokenPrimitives {
  /** X25519: the secret of every public key. */
  x25519: Conditions
  /** ML-KEM: the secret of every ciphertext, even without the key it was made for. */
  kem: Conditions
}

interface Rule {
  premises: readonly Term[]
  conclusion: Term
  /** Leaks that it needs besides. */
  when: Conditions
}

export class Intruder {
  private readonly broken: BrokenPrimitives
  private readonly known = new Map<Term, Conditions>()
  /** The rules that a term is a premise of. */
  private readonly uses = new Map<Term, Rule[]>()
  private readonly queue = new Set<Rule>()

  constructor(broken: BrokenPrimitives) {
    this.broken = broken
  }

  /** Gives the intruder a term. */
  learn(term: Term, when: Conditions = ALWAYS): void {
    this.register(term)
    this.improve(term, when)
  }

  /** Somebody honest answers: whoever sends the premises gets the conclusions. */
  addAnswer(premises: readonly Term[], conclusions: readonly Term[]): void {
    for (const conclusion of conclusions) this.addRule(premises, conclusion)
  }

  /** Under which leaks the intruder has the term, or all of them. */
  has(...terms: readonly Term[]): Conditions {
    for (const term of terms) this.register(term)
    this.run()
    return allOf(terms.map((term) => this.conditionsOf(term)))
  }

  private conditionsOf(term: Term): Conditions {
    return this.known.get(term) ?? NEVER
  }

  private run(): void {
    for (const rule of this.queue) {
      this.queue.delete(rule)
      this.improve(rule.conclusion, allOf([rule.when, ...rule.premises.map((premise) => this.conditionsOf(premise))]))
    }
  }

  private improve(term: Term, conditions: Conditions): void {
    if (conditions.length === 0) return
    const before = this.conditionsOf(term)
    if (conditions.every((mask) => isEnough(mask, before))) return
    this.known.set(term, anyOf([before, conditions]))
    for (const rule of this.uses.get(term) ?? []) this.queue.add(rule)
  }

  private addRule(premises: readonly Term[], conclusion: Term, when: Conditions = ALWAYS): void {
    if (when.length === 0) return
    for (const term of [...premises, conclusion]) this.register(term)
    const rule = { premises, conclusion, when }
    for (const premise of premises) this.uses.get(premise)!.push(rule)
    this.queue.add(rule)
  }

  /** The rules that a term brings with it: how it is made, and what it gives away. */
  private register(term: Term): void {
    if (this.uses.has(term)) return
    this.uses.set(term, [])
    const { kind, parts } = term
    const [first, second, third] = parts as [Term, Term, Term]
    for (const each of parts) this.register(each)
    switch (kind) {
      case 'name':
        return
      case 'label':
        this.improve(term, ALWAYS)
        return
      case 'tuple':
        for (const each of parts) this.addRule([term], each)
        this.addRule(parts, term)
        return
      case 'hash':
      case 'mac':
      case 'kdf':
      case 'part':
      case 'verifyKey':
        this.addRule(parts, term)
        return
      case 'seal':
        this.addRule([first, second, third], term)
        this.addRule([term, first], second)
        return
      case 'signed':
        this.addRule([first, second], term)
        this.addRule([term], second)
        return
      case 'public':
        this.addRule([first], term)
        this.addRule([term], first, this.broken.x25519)
        return
      case 'dh':
        this.addRule([first, publicKey(second)], term)
        this.addRule([second, publicKey(first)], term)
        return
      case 'kemKey':
        this.addRule([first], term)
        this.addRule([term], first, this.broken.kem)
        return
      case 'kemCiphertext':
        this.addRule([first, kemKey(second)], term)
        return
      case 'kemSecret':
        this.addRule([first, kemKey(second)], term)
        this.addRule([second, kemCiphertext(first, second)], term)
        this.addRule([kemCiphertext(first, second)], term, this.broken.kem)
        return
      case 'kemRejected':
        this.addRule([first, second], term)
        return
    }
  }
}

/** Enough for one or the other: the smallest sets among all, smaller ones first. */
export function anyOf(choices: readonly Conditions[]): Conditions {
  const smallest: number[] = []
  for (const conditions of choices) for (const mask of conditions) keepSmallest(smallest, mask)
  return smallest.sort((a, b) => bitCount(a) - bitCount(b) || a - b)
}

/** Enough for all of them together. */
export function allOf(needs: readonly Conditions[]): Conditions {
  if (needs.some(({ length }) => length === 0)) return NEVER
  let joined: Conditions = ALWAYS
  for (const conditions of needs) {
    if (joined.every((mask) => isEnough(mask, conditions))) continue
    const both: number[] = []
    for (const mask of joined) for (const other of conditions) keepSmallest(both, mask | other)
    joined = both
  }
  return joined
}

function keepSmallest(masks: number[], mask: number): void {
  let kept = 0
  for (const other of masks) {
    if ((other & mask) === other) return
    if ((other & mask) !== mask) masks[kept++] = other
  }
  masks.length = kept
  masks.push(mask)
}

/** Whether a set of leaks is enough. */
export function isEnough(leaks: number, conditions: Conditions): boolean {
  return conditions.some((mask) => (mask & leaks) === mask)
}

function bitCount(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}
