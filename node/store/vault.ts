/**
 * The vault file (PROTOCOL 9): one random master key, wrapped once for the passphrase and once for the words. A slot is
 *   kek    = Argon2id(passphrase in NFKC as UTF-8, salt, cost)   or   HKDF(salt, entropy, L(vault-slot) || kind)
 *   sealed = nonce (24) || XChaCha20-Poly1305(kek, master key; AD = L(vault-slot) || head)
 *   commit = HMAC(kek, L(vault-commit) || head || sealed),   head = kind || memory || passes || lanes || salt
 * The commitment is checked before the ciphertext: a slot opens under one key only, which Poly1305 alone does not promise.
 */
import { AEAD_TAG_BYTES, NONCE_BYTES, open, seal } from '../crypto/aead.ts'
import { type Argon2Cost, argon2id } from '../crypto/argon2.ts'
import { concat, equal, u8, u32, utf8 } from '../crypto/bytes.ts'
import { hkdfSha256, hmacSha256 } from '../crypto/hash.ts'
import { L } from '../crypto/labels.ts'
import { PeerError, StoreError, UsageError } from '../errors.ts'
import { MAX_PASSPHRASE_BYTES, MAX_VAULT_BYTES, MIN_PASSPHRASE_CHARACTERS } from '../limits.ts'
import type { Random } from '../ports.ts'
import { bytes, decode, encode, type Infer, list, optional, struct, uint } from '../wire/schema.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'
import { MASTER_KEY_BYTES } from './rows.ts'

export const ENTROPY_BYTES = 32
/** What a new passphrase slot costs: about 0.2 s and 64 MiB. */
export const PASSPHRASE_COST: Argon2Cost = { memoryKib: 64 * 1024, passes: 3, lanes: 4 }

/** Costs that are run when a vault is read: below is too weak to have been written by Kith, above is somebody's attack. */
const COST_BOUNDS = {
  memoryKib: [19 * 1024, 512 * 1024],
  passes: [1, 10],
  lanes: [1, 8],
} as const

/** The least that is accepted: for homes whose passphrase is no secret, such as those of tests. */
export const CHEAPEST_COST: Argon2Cost = {
  memoryKib: COST_BOUNDS.memoryKib[0],
  passes: COST_BOUNDS.passes[0],
  lanes: COST_BOUNDS.lanes[0],
}

const VAULT_VERSION = 1
const SALT_BYTES = 16
const SEALED_BYTES = NONCE_BYTES + MASTER_KEY_BYTES + AEAD_TAG_BYTES
const SLOT = { passphrase: 1, words: 2 } as const

const cost = struct({ memoryKib: [1, uint(2 ** 32 - 1)], passes: [2, uint(255)], lanes: [3, uint(255)] })
const slot = struct({
  kind: [1, uint(255)],
  /** Argon2id's; present in the passphrase slot only. */
  cost: [2, optional(cost)],
  salt: [3, bytes(SALT_BYTES)],
  sealed: [4, bytes(SEALED_BYTES)],
  commit: [5, bytes(32)],
})
type Slot = Infer<typeof slot>
const vault = struct({ version: [1, uint(255)], slots: [2, list(slot, 2, 1)] })

/** One of the two ways into a vault. */
export type Unlock = { passphrase: string } | { entropy: Uint8Array }

export interface CreateVaultInit {
  path: string
  /** 32 random bytes. */
  masterKey: Uint8Array
  passphrase: string
  /** The 32 bytes of the recovery words; without it only the passphrase opens the vault. */
  entropy?: Uint8Array
  random: Random
  /** @default PASSPHRASE_COST */
  cost?: Argon2Cost
}

/**
 * Writes a vault over whatever is at `path`, whole or not at all.
 * @throws UsageError `WEAK_PASSPHRASE`; StoreError `STORE_FULL`, `STORE_FAILED`
 */
export async function createVault(init: CreateVaultInit): Promise<void> {
  const slots = [await passphraseSlot(init.masterKey, init.passphrase, init.random, init.cost ?? PASSPHRASE_COST)]
  if (init.entropy !== undefined) slots.push(await wordsSlot(init.masterKey, init.entropy, init.random))
  await writeVault(init.path, slots)
}

/**
 * The 32-byte master key.
 * @throws UsageError `WRONG_PASSPHRASE` or `WRONG_WORDS`; StoreError `NO_VAULT`, `VAULT_DAMAGED`, `FILE_UNSAFE`
 */
export async function openVault(path: string, unlock: Unlock): Promise<Uint8Array> {
  return openSlots(await readVault(path), unlock)
}

export interface ChangePassphraseInit {
  path: string
  unlock: Unlock
  passphrase: string
  random: Random
  /** @default PASSPHRASE_COST */
  cost?: Argon2Cost
}

/**
 * Replaces the passphrase slot; the master key, and with it every row, stays. Opening by words sets a forgotten passphrase.
 * @throws what openVault and createVault throw; the old vault then stays as it was
 */
export async function changePassphrase(init: ChangePassphraseInit): Promise<void> {
  const slots = await readVault(init.path)
  const masterKey = await openSlots(slots, init.unlock)
  const renewed = await passphraseSlot(masterKey, init.passphrase, init.random, init.cost ?? PASSPHRASE_COST)
  await writeVault(init.path, [renewed, ...slots.filter(({ kind }) => kind !== SLOT.passphrase)])
}

/**
 * The bytes that go into Argon2id.
 * @throws UsageError `WEAK_PASSPHRASE` when it is shorter than 8 characters, `TOO_LONG` above 1024 bytes
 */
export function passphraseBytes(passphrase: string): Uint8Array {
  const normal = passphrase.normalize('NFKC')
  if (Array.from(normal).length < MIN_PASSPHRASE_CHARACTERS) {
    throw new UsageError(
      'WEAK_PASSPHRASE',
      `expected a passphrase of ${MIN_PASSPHRASE_CHARACTERS} or more characters`,
      {
        hint: 'four or more random words are easy to remember and hard to guess',
      },
    )
  }
  const encoded = utf8(normal)
  if (encoded.length > MAX_PASSPHRASE_BYTES) {
    throw new UsageError('TOO_LONG', `expected a passphrase of at most ${MAX_PASSPHRASE_BYTES} bytes`)
  }
  return encoded
}

async function passphraseSlot(
  masterKey: Uint8Array,
  passphrase: string,
  random: Random,
  slotCost: Argon2Cost,
): Promise<Slot> {
  const head = { kind: SLOT.passphrase, cost: slotCost, salt: random.bytes(SALT_BYTES) }
  return sealSlot(head, await argon2id(passphraseBytes(passphrase), head.salt, slotCost), masterKey, random)
}

async function wordsSlot(masterKey: Uint8Array, entropy: Uint8Array, random: Random): Promise<Slot> {
  const head = { kind: SLOT.words, salt: random.bytes(SALT_BYTES) }
  return sealSlot(head, wordsKey(entropy, head.salt), masterKey, random)
}

function wordsKey(entropy: Uint8Array, salt: Uint8Array): Uint8Array {
  if (entropy.length !== ENTROPY_BYTES) throw new RangeError(`expected ${ENTROPY_BYTES} bytes, got ${entropy.length}`)
  return hkdfSha256(salt, entropy, concat(L('vaultSlot'), u8(SLOT.words)), 32)
}

type SlotHead = Pick<Slot, 'kind' | 'cost' | 'salt'>

function headBytes({ kind, cost: slotCost, salt }: SlotHead): Uint8Array {
  const { memoryKib, passes, lanes } = slotCost ?? { memoryKib: 0, passes: 0, lanes: 0 }
  return concat(u8(kind), u32(memoryKib), u8(passes), u8(lanes), salt)
}

function sealSlot(head: SlotHead, kek: Uint8Array, masterKey: Uint8Array, random: Random): Slot {
  const sealed = seal(kek, random.bytes(NONCE_BYTES), masterKey, concat(L('vaultSlot'), headBytes(head)))
  return { ...head, sealed, commit: commitment(head, kek, sealed) }
}

function commitment(head: SlotHead, kek: Uint8Array, sealed: Uint8Array): Uint8Array {
  return hmacSha256(kek, L('vaultCommit'), headBytes(head), sealed)
}

/** The master key, or undefined when `kek` is not the key that the slot was made with. */
function openSlot(entry: Slot, kek: Uint8Array): Uint8Array | undefined {
  if (!equal(commitment(entry, kek, entry.sealed), entry.commit)) return undefined
  return open(kek, entry.sealed, concat(L('vaultSlot'), headBytes(entry)))
}

async function openSlots(slots: Slot[], unlock: Unlock): Promise<Uint8Array> {
  if ('passphrase' in unlock) {
    const entry = slots.find(({ kind }) => kind === SLOT.passphrase)
    if (entry?.cost === undefined) throw damaged('the vault has no passphrase')
    // What is too short to have been set needs no Argon2id, and is no other error than a wrong one.
    const wrong = new UsageError('WRONG_PASSPHRASE', 'the passphrase does not open this home')
    let message: Uint8Array
    try {
      message = passphraseBytes(unlock.passphrase)
    } catch {
      throw wrong
    }
    const masterKey = openSlot(entry, await argon2id(message, entry.salt, entry.cost))
    if (masterKey === undefined) throw wrong
    return masterKey
  }
  const entry = slots.find(({ kind }) => kind === SLOT.words)
  const masterKey = entry && openSlot(entry, wordsKey(unlock.entropy, entry.salt))
  if (masterKey === undefined) throw new UsageError('WRONG_WORDS', 'the words do not open this home')
  return masterKey
}

async function writeVault(path: string, slots: Slot[]): Promise<void> {
  await writePrivateFile(path, encode(vault, { version: VAULT_VERSION, slots }))
}

async function readVault(path: string): Promise<Slot[]> {
  const encoded = await readPrivateFile(path, MAX_VAULT_BYTES, 0o077)
  if (encoded === undefined)
    throw new StoreError('NO_VAULT', 'there is no vault in this home', { hint: 'run kith init' })
  try {
    const { version, slots } = decode(vault, encoded, MAX_VAULT_BYTES)
    if (version !== VAULT_VERSION) {
      throw new StoreError('SCHEMA', `expected a vault of version ${VAULT_VERSION}, got ${version}`, {
        hint: 'use the version of kith that wrote this home, or a newer one',
      })
    }
    for (const [index, entry] of slots.entries()) checkSlot(entry, slots.slice(0, index))
    return slots
  } catch (cause) {
    throw cause instanceof PeerError ? damaged(cause.message, cause) : cause
  }
}

function checkSlot(entry: Slot, before: Slot[]): void {
  if (entry.kind !== SLOT.passphrase && entry.kind !== SLOT.words) throw damaged(`no slot has the kind ${entry.kind}`)
  if (before.some(({ kind }) => kind === entry.kind)) throw damaged('expected one slot of a kind')
  if ((entry.cost !== undefined) !== (entry.kind === SLOT.passphrase)) {
    throw damaged('expected a cost in the passphrase slot alone')
  }
  if (entry.cost === undefined) return
  for (const name of ['memoryKib', 'passes', 'lanes'] as const) {
    const [min, max] = COST_BOUNDS[name]
    const value = entry.cost[name]
    if (value < min || value > max) throw damaged(`expected ${name} from ${min} to ${max}, got ${value}`)
  }
}

function damaged(message: string, cause?: unknown): StoreError {
  return new StoreError('VAULT_DAMAGED', message, { hint: 'restore vault.cbor from a backup, or use the words', cause })
}
