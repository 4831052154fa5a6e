/** The vault: who opens it, what is refused before it costs anything, and that a slot opens under one key only. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { xchacha20 } from '@noble/ciphers/chacha.js'
import { expect } from 'chai'
import { open } from '../../../node/crypto/aead.ts'
import { argon2id } from '../../../node/crypto/argon2.ts'
import { concat, fromHex, toHex, u32, u8, utf8 } from '../../../node/crypto/bytes.ts'
import { hmacSha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { changePassphrase, createVault, openVault, CHEAPEST_COST, PASSPHRASE_COST } from '../../../node/store/vault.ts'
import { bytesBetween, decode, encode, type Infer, list, optional, struct, uint } from '../../../node/wire/schema.ts'
import { countingRandom } from '../../support/counting-random.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

const PASSPHRASE = 'correct horse battery staple'
const MASTER = new Uint8Array(32).fill(9)
const ENTROPY = new Uint8Array(32).fill(4)
/** The cheapest that is accepted. */
const CHEAP = { memoryKib: 19 * 1024, passes: 1, lanes: 1 }

// The form of the file, written down a second time and laxer, so that tests can write what the vault never would.
const anything = bytesBetween(0, 4096)
const cost = struct({ memoryKib: [1, uint()], passes: [2, uint()], lanes: [3, uint()] })
const slot = struct({
  kind: [1, uint()],
  cost: [2, optional(cost)],
  salt: [3, anything],
  sealed: [4, anything],
  commit: [5, anything],
})
const file = struct({ version: [1, uint()], slots: [2, list(slot, 100)] })
type File = Infer<typeof file>

function headBytes({ kind, cost: c, salt }: File['slots'][number]): Uint8Array {
  return concat(u8(kind), u32(c?.memoryKib ?? 0), u8(c?.passes ?? 0), u8(c?.lanes ?? 0), salt)
}

describe('vault', () => {
  const temporaryDirectory = temporaryDirectories()
  let path: string
  beforeEach(async () => {
    path = join(await temporaryDirectory(), 'vault.cbor')
    await createVault({
      path,
      masterKey: MASTER,
      passphrase: PASSPHRASE,
      entropy: ENTROPY,
      random: countingRandom(),
      cost: CHEAP,
    })
  })
  const rewrite = async (change: (vault: File) => void): Promise<void> => {
    const vault = decode(file, new Uint8Array(await readFile(path)), 4096)
    change(vault)
    await writeFile(path, encode(file, vault))
  }
  const refusal = (passphrase = PASSPHRASE): Promise<unknown> => rejection(openVault(path, { passphrase }))

  it('opens with the passphrase and with the words', async () => {
    expect(await openVault(path, { passphrase: PASSPHRASE })).to.deep.equal(MASTER)
    expect(await openVault(path, { entropy: ENTROPY })).to.deep.equal(MASTER)
  })

  it('opens with nothing else', async () => {
    for (const wrong of ['', 'short', 'correct horse battery stapl', `${PASSPHRASE} `, 'x'.repeat(5000)]) {
      expect(await refusal(wrong), wrong.slice(0, 40)).to.have.property('code', 'WRONG_PASSPHRASE')
    }
    const entropy = ENTROPY.with(0, 5)
    expect(await rejection(openVault(path, { entropy }))).to.have.property('code', 'WRONG_WORDS')
  })

  it('takes a passphrase however its letters are composed', async () => {
    const random = countingRandom()
    const composed = 'pass\u00e9 compos\u00e9\ufb01'
    await createVault({ path, masterKey: MASTER, passphrase: composed, random, cost: CHEAP })
    expect(await openVault(path, { passphrase: 'passe\u0301 compose\u0301fi' })).to.deep.equal(MASTER)
  })

  it('refuses to set a passphrase that is empty, short or endless', async () => {
    const set = (passphrase: string): Promise<unknown> =>
      rejection(createVault({ path, masterKey: MASTER, passphrase, random: countingRandom(), cost: CHEAP }))
    expect(await set('')).to.have.property('code', 'WEAK_PASSPHRASE')
    expect(await set('1234567')).to.have.property('code', 'WEAK_PASSPHRASE')
    expect(await set('\u{1f600}'.repeat(7)), 'characters count, not code units').to.have.property(
      'code',
      'WEAK_PASSPHRASE',
    )
    expect(await set('x'.repeat(1025))).to.have.property('code', 'TOO_LONG')
    expect(await openVault(path, { passphrase: PASSPHRASE }), 'the old vault is untouched').to.deep.equal(MASTER)
  })

  it('changes the passphrase and keeps master key and words', async () => {
    const random = countingRandom('change')
    const change = { path, passphrase: 'another passphrase', random, cost: CHEAP }
    expect(
      await rejection(changePassphrase({ ...change, unlock: { passphrase: 'not the right one' } })),
    ).to.have.property('code', 'WRONG_PASSPHRASE')
    await changePassphrase({ ...change, unlock: { passphrase: PASSPHRASE } })
    expect(await refusal()).to.have.property('code', 'WRONG_PASSPHRASE')
    expect(await openVault(path, { passphrase: 'another passphrase' })).to.deep.equal(MASTER)
    expect(await openVault(path, { entropy: ENTROPY })).to.deep.equal(MASTER)
    await changePassphrase({ ...change, unlock: { entropy: ENTROPY }, passphrase: 'set anew by words' })
    expect(await openVault(path, { passphrase: 'set anew by words' })).to.deep.equal(MASTER)
  })

  it('is a file of its owner alone, and is refused when others could read it', async () => {
    expect((await stat(path)).mode & 0o777).to.equal(0o600)
    await writeFile(join(path, '..', 'open'), await readFile(path), { mode: 0o644 })
    const error = await rejection(openVault(join(path, '..', 'open'), { passphrase: PASSPHRASE }))
    expect(error).to.have.property('code', 'FILE_UNSAFE')
  })

  it('costs 64 MiB in three passes when nothing else is said', async () => {
    await createVault({ path, masterKey: MASTER, passphrase: PASSPHRASE, random: countingRandom() })
    const { slots } = decode(file, new Uint8Array(await readFile(path)), 4096)
    expect(slots[0]!.cost).to.deep.equal({ memoryKib: 65536, passes: 3, lanes: 4 })
    expect(PASSPHRASE_COST).to.deep.equal(slots[0]!.cost)
    // homes that are thrown away; less than this is refused below
    expect(CHEAPEST_COST).to.deep.equal(CHEAP)
  })

  describe('reading', () => {
    it('says when there is none', async () => {
      const error = await rejection(openVault(`${path}.not`, { passphrase: PASSPHRASE }))
      expect(error).to.have.property('code', 'NO_VAULT')
    })

    it('refuses each truncation and a trailing byte', async () => {
      const whole = new Uint8Array(await readFile(path))
      for (let length = 0; length < whole.length; length++) {
        await writeFile(path, whole.subarray(0, length))
        expect(await refusal()).to.have.property('code', 'VAULT_DAMAGED')
      }
      await writeFile(path, concat(whole, u8(0)))
      expect(await refusal()).to.have.property('code', 'VAULT_DAMAGED')
    })

    it('refuses a newer version with a hint', async () => {
      await rewrite((vault) => (vault.version = 2))
      const error = await refusal()
      expect(error).to.have.property('code', 'SCHEMA')
      expect(error).to.have.property('hint').that.contains('newer')
    })

    it('T36 refuses a large file before it reads it', async () => {
      await writeFile(path, new Uint8Array(1025))
      expect(await refusal()).to.have.property('code', 'FILE_OVERSIZED')
    })

    const costs: [string, typeof CHEAP][] = [
      ['1 GiB of memory', { ...CHEAP, memoryKib: 1024 * 1024 }],
      ['more memory than 512 MiB', { ...CHEAP, memoryKib: 512 * 1024 + 1 }],
      ['4 TiB of memory', { ...CHEAP, memoryKib: 2 ** 32 - 1 }],
      ['less memory than 19 MiB', { ...CHEAP, memoryKib: 19 * 1024 - 1 }],
      ['no pass', { ...CHEAP, passes: 0 }],
      ['11 passes', { ...CHEAP, passes: 11 }],
      ['no lane', { ...CHEAP, lanes: 0 }],
      ['9 lanes', { ...CHEAP, lanes: 9 }],
    ]
    for (const [name, wrong] of costs) {
      it(`T36 refuses a header that wants ${name}, for the words too`, async () => {
        await rewrite((vault) => (vault.slots[0]!.cost = wrong))
        expect(await refusal()).to.have.property('code', 'VAULT_DAMAGED')
        expect(await rejection(openVault(path, { entropy: ENTROPY }))).to.have.property('code', 'VAULT_DAMAGED')
      })
    }

    it('refuses no slot, unknown kinds and costs where none belong', async () => {
      const changes: ((vault: File) => void)[] = [
        (vault) => (vault.slots = []),
        (vault) => (vault.slots[0]!.kind = 3),
        (vault) => delete vault.slots[0]!.cost,
        (vault) => (vault.slots[1]!.cost = CHEAP),
        (vault) => (vault.slots[0]!.salt = new Uint8Array(15)),
        (vault) => (vault.slots[0]!.sealed = new Uint8Array(71)),
        (vault) => (vault.slots[0]!.commit = new Uint8Array(31)),
      ]
      const whole = await readFile(path)
      for (const change of changes) {
        await writeFile(path, whole)
        await rewrite(change)
        expect(await refusal(), String(change)).to.have.property('code', 'VAULT_DAMAGED')
      }
    })

    it('refuses every flipped byte of a slot', async () => {
      for (const [name, length] of Object.entries({ salt: 16, sealed: 72, commit: 32 })) {
        for (let i = 0; i < length; i += 7) {
          const whole = await readFile(path)
          await rewrite((vault) => {
            const field = vault.slots[1]![name as 'salt']
            vault.slots[1]![name as 'salt'] = field.with(i, field[i]! ^ 1)
          })
          expect(await rejection(openVault(path, { entropy: ENTROPY }))).to.have.property('code', 'WRONG_WORDS')
          await writeFile(path, whole)
        }
      }
    })
  })

  describe('T41 one slot, one key', () => {
    it('T41 refuses two slots of one kind', async () => {
      await rewrite((vault) => (vault.slots[1] = vault.slots[0]!))
      expect(await refusal()).to.have.property('code', 'VAULT_DAMAGED')
    })

    it('T41 refuses a ciphertext crafted to open under two passphrases', async () => {
      const passphrases = ['first passphrase', 'second passphrase'] as const
      const head = { kind: 1, cost: CHEAP, salt: new Uint8Array(16).fill(1) }
      const [a, b] = await Promise.all(passphrases.map((each) => argon2id(utf8(each), head.salt, CHEAP)))
      const associated = concat(L('vaultSlot'), headBytes({ ...head, sealed: u8(0), commit: u8(0) }))
      const sealed = forgeForTwoKeys(a!, b!, associated)
      // The control: to the AEAD alone it is a good ciphertext under both.
      expect(open(a!, sealed, associated)).to.have.length(32)
      expect(open(b!, sealed, associated)).to.have.length(32)
      for (const kek of [a!, b!]) {
        const commit = hmacSha256(kek, L('vaultCommit'), headBytes({ ...head, sealed, commit: u8(0) }), sealed)
        await rewrite((vault) => (vault.slots[0] = { ...head, sealed, commit }))
        const opened = await Promise.allSettled(passphrases.map((passphrase) => openVault(path, { passphrase })))
        expect(opened.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected'])
      }
      await rewrite((vault) => (vault.slots[0] = { ...head, sealed, commit: new Uint8Array(32) }))
      for (const passphrase of passphrases) {
        expect(await refusal(passphrase)).to.have.property('code', 'WRONG_PASSPHRASE')
      }
    })
  })
})

/** What a vault's `sealed` is made of, opening under both keys: Poly1305 (RFC 8439 2.5) solved for two of its blocks. */
function forgeForTwoKeys(a: Uint8Array, b: Uint8Array, associated: Uint8Array): Uint8Array {
  const prime = 2n ** 130n - 5n
  const nonce = new Uint8Array(24)
  const keys = [a, b].map((key) => {
    const oneTime = xchacha20(key, nonce, new Uint8Array(32))
    const clamp = fromHex('0ffffffc0ffffffc0ffffffc0fffffff').toReversed()
    return {
      r: littleEndian(oneTime.slice(0, 16).map((byte, i) => byte & clamp[i]!)),
      s: littleEndian(oneTime.slice(16)),
    }
  }) as [PolyKey, PolyKey]
  const padded = concat(associated, new Uint8Array((16 - (associated.length % 16)) % 16))
  const blocks = Array.from({ length: padded.length / 16 }, (_, i) =>
    littleEndian(padded.subarray(i * 16, i * 16 + 16)),
  )
  const lengths = BigInt(associated.length) | (32n << 64n)
  for (let attempt = 1n; ; attempt++) {
    const tag = (attempt * 0x9e3779b97f4a7c15f39cc0605cedc835n) % 2n ** 128n
    // For each key: sum of (block + 2^128) r^k = tag - s. The two blocks of ciphertext are the unknowns x and y.
    const [p, q] = keys.map(({ r, s }) => {
      let known = 0n
      for (const block of blocks) known = ((known + block + 2n ** 128n) * r) % prime
      known = (known * r * r * r + (lengths + 2n ** 128n) * r) % prime
      return { x: r ** 3n % prime, y: r ** 2n % prime, sum: mod(mod(tag - s, 2n ** 128n) - known, prime) }
    }) as [Equation, Equation]
    const inverse = power(mod(p.x * q.y - q.x * p.y, prime), prime - 2n, prime)
    const x = mod((p.sum * q.y - q.sum * p.y) * inverse, prime) - 2n ** 128n
    const y = mod((p.x * q.sum - q.x * p.sum) * inverse, prime) - 2n ** 128n
    if ([x, y].every((block) => block >= 0n && block < 2n ** 128n)) {
      return concat(nonce, ...[x, y, tag].map(fromLittleEndian))
    }
  }
}

interface PolyKey {
  r: bigint
  s: bigint
}

interface Equation {
  x: bigint
  y: bigint
  sum: bigint
}

function mod(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let rest = exponent, square = base; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus
  }
  return result
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}

function fromLittleEndian(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(32, '0')).toReversed()
}
