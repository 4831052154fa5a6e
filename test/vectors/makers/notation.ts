/** The notation of the protocol document: hashes, both AEADs, signatures, typed keys, ML-KEM with its coins, canonical CBOR. */
import { open, openOnce, seal, sealOnce } from '../../../node/crypto/aead.ts'
import { concat, fromHex, leadingZeroBits, u16, u64, utf8 } from '../../../node/crypto/bytes.ts'
import { ed25519KeyPair, sign, verify } from '../../../node/crypto/ed25519.ts'
import { hkdfSha256, hmacSha256, NO_SALT, sha256 } from '../../../node/crypto/hash.ts'
import { kemDecapsulate, kemEncapsulate, kemKeyPair } from '../../../node/crypto/kem.ts'
import { KEY_TYPE, type KeyType, typeKey, untypeKey } from '../../../node/crypto/key-type.ts'
import { L } from '../../../node/crypto/labels.ts'
import { x25519, x25519KeyPair } from '../../../node/crypto/x25519.ts'
import { ForgedError } from '../../../node/errors.ts'
import { MAX_FRAME_BYTES } from '../../../node/limits.ts'
import { pad, unpad } from '../../../node/wire/payload.ts'
import { decode, encode, type Shape } from '../../../node/wire/schema.ts'
import { head, type Head } from '../../../node/wire/records.ts'
import { badX25519Keys } from '../../support/session-fixtures.ts'
import { drawn, type Fields, flipped, refused, type VectorFile } from './vector-file.ts'

export function notationVectors(): VectorFile {
  const key = drawn('notation, key')
  const salt = drawn('notation, salt')
  const ikm = drawn('notation, ikm', 40)
  const nonce = drawn('notation, nonce', 24)
  const plaintext = utf8('what is sealed')
  const associated = utf8('what is bound')
  const sealed = seal(key, nonce, plaintext, associated)
  const sealedOnce = sealOnce(key, plaintext, associated)
  const signer = ed25519KeyPair(drawn('notation, signer'))
  const signature = sign(signer.seed, 'command', plaintext)
  const a = x25519KeyPair(drawn('notation, X25519 a'))
  const b = x25519KeyPair(drawn('notation, X25519 b'))
  const padded = pad(plaintext, 32)
  return {
    name: 'notation',
    shows: ['Notation', 'Labels', 'Padding'],
    about:
      'Hashes, HKDF with and without salt, seal and seal1, a labelled signature, X25519, typed keys, ML-KEM-768 from d ‖ z and m, ' +
      'padding, leading zero bits.',
    cases: [
      {
        name: 'H, HMAC and HKDF',
        input: plaintext,
        hash: sha256(plaintext),
        key,
        hmac: hmacSha256(key, plaintext),
        salt,
        ikm,
        info: L('session'),
        length: 80,
        hkdf: hkdfSha256(salt, ikm, L('session'), 80),
        hkdfWithoutSalt: hkdfSha256(NO_SALT, ikm, L('session'), 80),
      },
      { name: 'seal', key, nonce, plaintext, associated, sealed },
      { name: 'seal1', key, plaintext, associated, sealed: sealedOnce },
      {
        name: 'signature under a label',
        seed: signer.seed,
        public: signer.public,
        label: L('command'),
        message: plaintext,
        signedBytes: concat(L('command'), new Uint8Array(1), plaintext),
        signature,
      },
      {
        name: 'X25519',
        secretA: a.secret,
        publicA: a.public,
        secretB: b.secret,
        publicB: b.public,
        shared: x25519(a.secret, b.public),
      },
      kemCase(),
      {
        name: 'typed keys',
        x25519: typeKey('x25519', a.public),
        ed25519: typeKey('ed25519', signer.public),
        mlKem768: typeKey('mlKem768', kemKeyPair(drawn('notation, KEM', 64)).public),
      },
      { name: 'padding', plaintext, length: 32, padded },
      { name: 'padding: as long as there is one byte for it', plaintext, length: 15, padded: pad(plaintext, 15) },
      {
        name: 'leading zero bits',
        counts: ['80', '7f', '01', '0080', '0001', '000000ff'].map((hex) => ({
          bytes: fromHex(hex),
          bits: leadingZeroBits(fromHex(hex)),
        })),
      },
      { name: 'u64 at its end', value: Number.MAX_SAFE_INTEGER, bytes: u64(Number.MAX_SAFE_INTEGER) },
    ],
    refused: [
      refused(
        'seal: one bit of the nonce',
        'the tag does not fit',
        { key, associated, sealed: flipped(sealed, 0) },
        () => open(key, flipped(sealed, 0), associated),
      ),
      refused(
        'seal: one bit of the tag',
        'the tag does not fit',
        { key, associated, sealed: flipped(sealed, -1) },
        () => open(key, flipped(sealed, -1), associated),
      ),
      refused(
        'seal: another associated data',
        'the associated data is bound',
        { key, associated: plaintext, sealed },
        () => open(key, sealed, plaintext),
      ),
      refused('seal: 39 bytes', 'shorter than nonce and tag', { key, associated, sealed: sealed.slice(0, 39) }, () =>
        open(key, sealed.slice(0, 39), associated),
      ),
      refused('seal1: one bit', 'the tag does not fit', { key, associated, sealed: flipped(sealedOnce, 3) }, () =>
        openOnce(key, flipped(sealedOnce, 3), associated),
      ),
      ...badSignatures({ public: signer.public, message: plaintext, signature }),
      ...badKeys(),
      ...badX25519Keys().map((bad, i) =>
        refused(
          `X25519 key ${i + 1}`,
          [2, 4].includes(i) ? 'not canonical' : 'of low order: the shared secret is zero',
          { secret: a.secret, public: bad },
          () => x25519(a.secret, bad),
        ),
      ),
      ...[new Uint8Array(32), flipped(padded, 14, 0), concat(padded, Uint8Array.of(1))].map((bad, i) =>
        refused(`padding ${i + 1}`, 'no 0x80 followed by nothing but zeros', { padded: bad }, () => unpad(bad)),
      ),
    ],
  }
}

function kemCase(): Fields & { name: string } {
  const seed = drawn('notation, KEM', 64)
  const coins = drawn('notation, KEM coins')
  const { public: key } = kemKeyPair(seed)
  const { ciphertext, secret } = kemEncapsulate(key, coins)
  const wrong = flipped(ciphertext, 500)
  return {
    name: 'ML-KEM-768',
    seed,
    d: seed.slice(0, 32),
    z: seed.slice(32),
    public: key,
    m: coins,
    ciphertext,
    secret,
    decapsulated: kemDecapsulate(seed, ciphertext),
    wrongCiphertext: wrong,
    decapsulatedOfWrong: kemDecapsulate(seed, wrong),
  }
}

function badSignatures(good: { public: Uint8Array; message: Uint8Array; signature: Uint8Array }) {
  const check = (changed: Partial<typeof good>, label: 'command' | 'policy' = 'command') => {
    const { public: key, message, signature } = { ...good, ...changed }
    if (!verify(key, label, message, signature)) throw new ForgedError()
  }
  const other = drawn('notation, another message')
  const short = good.signature.slice(0, 63)
  return [
    refused('signature: another label', 'the label is signed', { ...good, label: L('policy') }, () =>
      check({}, 'policy'),
    ),
    refused('signature: another message', 'does not verify', { ...good, message: other, label: L('command') }, () =>
      check({ message: other }),
    ),
    refused('signature: 63 bytes', 'not 64 bytes', { ...good, signature: short, label: L('command') }, () =>
      check({ signature: short }),
    ),
  ]
}

function badKeys() {
  const kem = kemKeyPair(drawn('notation, KEM', 64)).public
  const over = kem.slice()
  // the first coefficient of 12 bits becomes 3329
  over[0] = 0x01
  over[1] = (over[1]! & 0xf0) | 0x0d
  const ed = ed25519KeyPair(drawn('notation, signer')).public
  const neutral = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))
  const cases: [string, string, KeyType, Uint8Array][] = [
    ['another type', 'type byte 2 where 1 is wanted', 'x25519', typeKey('ed25519', ed)],
    ['no type byte', '32 bytes', 'ed25519', ed],
    ['a small-order Ed25519 key', 'not of prime order', 'ed25519', typeKey('ed25519', neutral)],
    ['an ML-KEM key with a coefficient of 3329', 'FIPS 203 §7.2', 'mlKem768', typeKey('mlKem768', over)],
    ['a short ML-KEM key', '1184 bytes with its type', 'mlKem768', typeKey('mlKem768', kem).slice(0, -1)],
  ]
  return cases.map(([name, reason, type, bad]) =>
    refused(`typed key: ${name}`, reason, { wanted: KEY_TYPE[type], typed: bad }, () => untypeKey(type, bad)),
  )
}

// ---- canonical CBOR ----

const HASH = drawn('CBOR, hash')

export function cborVectors(): VectorFile {
  const numbers = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40]
  const heads = numbers.map((seq) => ({ events: 0, seq, hash: HASH }))
  const good = encode(head, heads[0]!)
  return {
    name: 'cbor',
    shows: ['Notation'],
    about:
      'Canonical CBOR, shown at the map `head`: the shortest form of each width, and every other form of the same value. Cases ' +
      'without `map` are values of no map of ours, for the bounds of nesting and items, which no map reaches.',
    cases: [
      ...heads.map((value) => ({
        name: `seq ${value.seq}`,
        map: 'head',
        value: { ...value },
        encoded: encode(head, value),
      })),
      ...bounds(8, 32_768, (name, _reason, encoded) => {
        decode(anything, encoded, MAX_FRAME_BYTES)
        return { name, encoded }
      }),
    ],
    refused: [
      ...badEncodings(good).map(([name, reason, encoded]) =>
        refused(name, reason, { map: 'head', encoded }, () => decode<Head>(head, encoded, MAX_FRAME_BYTES)),
      ),
      ...bounds(9, 32_769, (name, reason, encoded) =>
        refused(name, reason, { encoded }, () => decode(anything, encoded, MAX_FRAME_BYTES)),
      ),
    ],
  }
}

/** Whatever CBOR reads: the form alone decides. */
const anything: Shape<unknown> = { write: (value) => value as number, read: (value) => value }

/** Values of no map of ours that have as many containers nested, or items in all, as told. */
function bounds<T>(depth: number, items: number, found: (name: string, reason: string, encoded: Uint8Array) => T): T[] {
  const arrays = fromHex(`${'81'.repeat(depth)}00`)
  const inMap = fromHex(`a101${'81'.repeat(depth - 2)}80`)
  const numbers = concat(fromHex('99'), u16(items - 1), new Uint8Array(items - 1))
  const pairs = concat(fromHex('82'), fromHex('a10100'), fromHex('99'), u16(items - 5), new Uint8Array(items - 5))
  const container = `at most 8 nested, the outermost among them`
  const count = 'at most 32,768, containers, keys and values'
  return [
    found(`${depth} containers`, container, arrays),
    found(`${depth} containers, a map outside and an empty array inside`, container, inMap),
    found(`${items} items`, count, numbers),
    found(`${items} items, a map among them`, count, pairs),
  ]
}

/** `head` by hand: 3 entries, 1: 0, 2: 0, 3: 32 bytes. */
function badEncodings(good: Uint8Array): [string, string, Uint8Array][] {
  const hash = concat(fromHex('5820'), HASH)
  const map = (hex: string, last: Uint8Array = concat(fromHex('03'), hash)): Uint8Array => concat(fromHex(hex), last)
  const nested = concat(fromHex('a301000200'), fromHex('03'), fromHex('81'.repeat(9)), fromHex('00'))
  const many = concat(fromHex('a301000200'), fromHex('03'), fromHex('998001'), new Uint8Array(32_769))
  return [
    ['a longer integer', 'an integer in another than its shortest form', map('a30118000200')],
    ['a longer key', 'a key in another than its shortest form', map('a31801000200')],
    [
      'a longer length',
      'a length in another than its shortest form',
      map('a301000200', concat(fromHex('03590020'), HASH)),
    ],
    ['an indefinite map', 'lengths are definite', concat(map('bf01000200'), fromHex('ff'))],
    ['indefinite bytes', 'lengths are definite', map('a301000200', concat(fromHex('035f'), hash, fromHex('ff')))],
    ['keys out of order', 'keys ascend', map('a302000100')],
    ['a key twice', 'each key once', map('a401000200', concat(fromHex('0200'), fromHex('03'), hash))],
    ['an unknown key', 'a key that the map does not have', concat(map('a401000200'), fromHex('0400'))],
    ['a missing key', 'a key that is not optional is missing', map('a20100')],
    ['a text key', 'keys are unsigned integers', map('a36131000200')],
    ['a trailing byte', 'one value and nothing behind it', concat(good, fromHex('00'))],
    ['a byte too few', 'it ends early', good.slice(0, -1)],
    ['nothing', 'it ends early', new Uint8Array(0)],
    ['a negative number', 'unsigned integers alone', map('a301200200')],
    ['a float', 'no floats', map('a301f900000200')],
    ['false', 'no booleans', map('a301f40200')],
    ['null', 'no null: an absent field has no key', map('a301f60200')],
    ['undefined', 'no undefined', map('a301f70200')],
    ['a tag', 'no tags', map('a301c1000200')],
    ['a number above 2^53 − 1', 'above 2^53 − 1', map('a30100021b0020000000000000')],
    ['a number above the bound of its field', '`events` is at most 8', map('a301090200')],
    [
      'text for bytes',
      '`hash` is a byte string',
      map('a301000200', concat(fromHex('037820'), new Uint8Array(32).fill(97))),
    ],
    ['31 bytes', '`hash` has 32', map('a301000200', concat(fromHex('03581f'), HASH.slice(1)))],
    ['ten containers', 'at most 8 nested', nested],
    ['32,775 items', 'at most 32,768', many],
    ['an array', '`head` is a map', concat(fromHex('83000058'), fromHex('20'), HASH)],
  ]
}
