/**
 * The handshake of PROTOCOL 7 and the first steps of the ratchet of section 8, in terms: the same values from the same inputs
 * as `node/session/key-schedule.ts`, which `conformance.test.ts` compares byte for byte. Flaws leave one thing out, to see
 * that the checker finds what that costs.
 */
import {
  decapsulate,
  dh,
  hash,
  kdf,
  kemCiphertext,
  kemKey,
  label,
  mac,
  name,
  part,
  publicKey,
  seal,
  signed,
  type Term,
  tuple,
  verifyKey,
} from './terms.ts'

/** What a planted variant leaves out. */
export interface Flaws {
  /** DH(DIKb, OTa) and DH(EKa, DIKb). */
  noIdentityOfB?: boolean
  /** DH(EKb, DIKa). */
  noIdentityOfAInLeg2?: boolean
  /** DH(DIKa, SPKb). */
  noIdentityOfAInLeg1?: boolean
  /** EKb, ct2 and the one-time keys: the session comes from SK1 alone. */
  noSecondLeg?: boolean
  /** ss1 and ss2. */
  noKem?: boolean
  /** DH(EKb, OTa). */
  noOneTimeKeys?: boolean
  /** The clear part and both records of B in th0. */
  noRecordsInTranscript?: boolean
  /** A takes any leg 2, whether c3 opens or not. */
  noConfirmation?: boolean
}

/** Private keys are names; every public key is made from one. */
export interface Identity {
  record: Term
  /** Private device identity key. */
  identity: Term
  /** Typed device signing key. */
  device: Term
}

export interface Prekeys {
  record: Term
  prekey: Term
  kemSeed: Term
}

export function identityRecord(root: Term, identity: Term, device: Term): Identity {
  const body = tuple(verifyKey(root), device, publicKey(identity))
  return { record: signed(root, body), identity, device }
}

export function prekeyRecord(signing: Term, root: Term, prekey: Term, kemSeed: Term): Prekeys {
  const body = tuple(verifyKey(root), verifyKey(signing), publicKey(prekey), kemKey(kemSeed))
  return { record: signed(signing, body), prekey, kemSeed }
}

/** What leg 1 is made of, from A's side and from B's: whose secrets they are does not show in a term. */
export interface Leg1Parts {
  asker: Identity
  asked: Identity
  prekeys: Prekeys
  ephemeral: Term
  ciphertext: Term
  oneTime: Term
  oneTimeKem: Term
  /** What c1 tells besides the record: that this person asks. */
  asking: Term
  note: Term
}

export interface Leg1 {
  /** All that travels. */
  sent: readonly Term[]
  c1: Term
  c2: Term
  sk1: Term
  tc2: Term
  /** What c1 and c2 seal. */
  sealed: readonly [Term, Term]
}

export function leg1(x: Leg1Parts, flaws: Flaws): Leg1 {
  const { asker, asked, prekeys, ephemeral, ciphertext } = x
  const clear = tuple(asked.device, hash(prekeys.record), hash(asked.record))
  const bound = flaws.noRecordsInTranscript ? [] : [clear, hash(asked.record), hash(prekeys.record)]
  const ss1 = flaws.noKem ? [] : [decapsulate(prekeys.kemSeed, ciphertext)]
  const th0 = hash(label('request'), ...bound, publicKey(ephemeral), ciphertext)
  const k1 = kdf('requestK1', 32, th0, dh(ephemeral, prekeys.prekey), ...ss1)
  const identity = tuple(asker.record, asker.device, x.asking)
  const c1 = seal(k1, identity, th0)
  const th1 = hash(th0, c1)
  const shared = [
    k1,
    ...(flaws.noIdentityOfAInLeg1 ? [] : [dh(asker.identity, prekeys.prekey)]),
    ...(flaws.noIdentityOfB ? [] : [dh(ephemeral, asked.identity)]),
    ...ss1,
  ]
  const keys = kdf('requestK2', 64, th1, ...shared)
  const request = tuple(publicKey(x.oneTime), kemKey(x.oneTimeKem), x.note)
  const c2 = seal(part(keys, 0), request, th1)
  return {
    sent: [clear, publicKey(ephemeral), ciphertext, c1, c2],
    c1,
    c2,
    sk1: part(keys, 32),
    tc2: hash(th1, c2),
    sealed: [identity, request],
  }
}

export interface Leg2Parts {
  ephemeral: Term
  ciphertext: Term
  /** Private first ratchet key of B's, whose public key stands in c3. */
  ratchet: Term
  /** What c3 tells besides. */
  said: Term
}

export interface Leg2 {
  sent: readonly Term[]
  c3: Term
  sealed: Term
  /** th3: bound by every message. */
  th3: Term
  session: SessionTerms
}

export interface SessionTerms {
  ecRoot: Term
  pqRoot: Term
  headerKeyA: Term
  headerKeyB: Term
}

export function leg2(one: Leg1, x: Leg1Parts, y: Leg2Parts, flaws: Flaws): Leg2 {
  const { ephemeral, ciphertext } = y
  const th2 = flaws.noSecondLeg ? one.tc2 : hash(one.tc2, label('accept'), publicKey(ephemeral), ciphertext)
  const shared = [
    one.sk1,
    ...(flaws.noIdentityOfB || flaws.noSecondLeg ? [] : [dh(x.asked.identity, x.oneTime)]),
    ...(flaws.noIdentityOfAInLeg2 || flaws.noSecondLeg ? [] : [dh(ephemeral, x.asker.identity)]),
    ...(flaws.noOneTimeKeys || flaws.noSecondLeg ? [] : [dh(ephemeral, x.oneTime)]),
    ...(flaws.noKem || flaws.noSecondLeg ? [] : [decapsulate(x.oneTimeKem, ciphertext)]),
  ]
  const keys = kdf('sessionKeys', 288, th2, kdf('session', 32, th2, ...shared))
  const sealed = tuple(publicKey(y.ratchet), x.asked.device, y.said)
  const c3 = seal(part(keys, 0), sealed, th2)
  return {
    sent: [publicKey(ephemeral), ciphertext, c3],
    c3,
    sealed,
    th3: hash(th2, c3),
    session: {
      ecRoot: part(keys, 32),
      pqRoot: part(keys, 64),
      headerKeyA: part(keys, 96),
      headerKeyB: part(keys, 128),
    },
  }
}

/** The root after a step of the classical half, 96 bytes: root key, chain key, next header key. */
export function ratchetStep(root: Term, mine: Term, theirs: Term): Term {
  return kdf('ratchetRoot', 96, root, dh(mine, theirs))
}

/** Steps 0 to 2 of section 8: `oneTime`, then B's pair of c3, A's first new pair, B's second. */
export interface FirstSteps {
  oneTime: Term
  ratchetB: Term
  ratchetA: Term
  ratchetB2: Term
}

export interface FirstKeys {
  /** Roots after steps 0, 1 and 2. */
  steps: readonly [Term, Term, Term]
  /** Chains of epoch 0: A's at byte 0, B's at 32. */
  pqChains: Term
}

export function firstKeys({ ecRoot, pqRoot }: SessionTerms, x: FirstSteps): FirstKeys {
  const step0 = ratchetStep(ecRoot, x.ratchetB, x.oneTime)
  const step1 = ratchetStep(part(step0, 0), x.ratchetA, x.ratchetB)
  const step2 = ratchetStep(part(step1, 0), x.ratchetB2, x.ratchetA)
  return { steps: [step0, step1, step2], pqChains: kdf('pqChains', 64, undefined, pqRoot) }
}

/** The key of the first message of a chain of the classical half whose post-quantum count is `pqCount`. */
export function messageKey(ecStep: Term, pqChain: Term, pqCount: number): Term {
  let chain = pqChain
  for (let i = 0; i < pqCount; i++) chain = mac(chain, 2)
  return kdf('messageKey', 32, mac(chain, 1), mac(part(ecStep, 32), 1))
}

/** A message as it travels: the ratchet key under the header key, the text under its own key, both bound to the handshake. */
export function message(headerKey: Term, key: Term, ratchet: Term, text: Term, th3: Term): Term {
  const header = seal(headerKey, publicKey(ratchet), th3)
  return tuple(header, seal(key, text, tuple(th3, header)))
}

/** What A draws for one request; `tag` keeps those of several apart. */
export function drawnByA(tag: string) {
  return {
    ephemeral: name(`EKa ${tag}`),
    coins: name(`coins of ct1 ${tag}`),
    oneTime: name(`OTa ${tag}`),
    oneTimeKem: name(`KEMa ${tag}`),
    asking: name(`who asks ${tag}`),
    note: name(`note ${tag}`),
    ratchet: name(`RKa ${tag}`),
  }
}

/** What B draws for one answer. */
export function drawnByB(tag: string) {
  return {
    ephemeral: name(`EKb ${tag}`),
    coins: name(`coins of ct2 ${tag}`),
    ratchet: name(`RKb ${tag}`),
    ratchet2: name(`RKb2 ${tag}`),
    said: name(`said in c3 ${tag}`),
  }
}

/** A's request to somebody whose records these are. */
export function requestOf(tag: string, asker: Identity, asked: Identity, prekeys: Prekeys): Leg1Parts {
  const { ephemeral, coins, oneTime, oneTimeKem, asking, note } = drawnByA(tag)
  const ciphertext = kemCiphertext(coins, prekeys.kemSeed)
  return { asker, asked, prekeys, ephemeral, ciphertext, oneTime, oneTimeKem, asking, note }
}
