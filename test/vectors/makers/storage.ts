/** The vault file with both slots, and one encrypted row (PROTOCOL 9): ours, so that an export or a repair can be written. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode as decodeCbor, encode as encodeCbor } from 'cborg'
import { MemoryLevel } from 'memory-level'
import { argon2id } from '../../../node/crypto/argon2.ts'
import { concat, u32, u8, utf8 } from '../../../node/crypto/bytes.ts'
import { hkdfSha256, hmacSha256 } from '../../../node/crypto/hash.ts'
import { L } from '../../../node/crypto/labels.ts'
import { KithError } from '../../../node/errors.ts'
import { type RowKey, TABLE } from '../../../node/ports.ts'
import { createRowStore, deriveStoreKeys } from '../../../node/store/rows.ts'
import { createVault, openVault, passphraseBytes, type Unlock } from '../../../node/store/vault.ts'
import { ALICE } from './people.ts'
import { drawn, type Fields, flipped, handingOut, same, type VectorFile } from './vector-file.ts'

type Case = Fields & { name: string }
type Slot = Map<number, unknown>

/** Less than a home costs: the test opens it again and again. */
const COST = { memoryKib: 19 * 1024, passes: 2, lanes: 4 }
const PASSPHRASE = 'correct horse \uFB01sh battery'
const MASTER_KEY = drawn('master key')
const ROW: RowKey = { table: TABLE.contact, scope: utf8('a scope'), position: Uint8Array.of(0, 0, 0, 7) }

export async function storageVectors(): Promise<VectorFile> {
  const folder = await mkdtemp(join(tmpdir(), 'kith-vectors-'))
  try {
    const vault = await vaultCase(folder)
    const row = await rowCase()
    return {
      name: 'storage',
      shows: ['9. On disk (ours)'],
      about:
        'A vault with a slot for a passphrase and one for the words, which hold one master key; one row of the database under it.',
      cases: [vault, row],
      refused: [...(await badVaults(folder, vault['file'] as Uint8Array)), ...(await badRows(row))],
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function vaultCase(folder: string): Promise<Case> {
  const path = join(folder, 'vault.cbor')
  const salts = [drawn('salt of the passphrase', 16), drawn('salt of the words', 16)] as const
  const nonces = [drawn('nonce of the passphrase slot', 24), drawn('nonce of the words slot', 24)] as const
  const { entropy } = ALICE
  await createVault({
    path,
    masterKey: MASTER_KEY.slice(),
    passphrase: PASSPHRASE,
    entropy,
    cost: COST,
    random: { bytes: handingOut(salts[0], nonces[0], salts[1], nonces[1]) },
  })
  const file = new Uint8Array(await readFile(path))
  same('master key', await openVault(path, { entropy }), MASTER_KEY)
  const { memoryKib, passes, lanes } = COST
  const keys = [
    await argon2id(passphraseBytes(PASSPHRASE), salts[0], COST),
    hkdfSha256(salts[1], entropy, concat(L('vaultSlot'), u8(2)), 32),
  ]
  const heads = [
    concat(u8(1), u32(memoryKib), u8(passes), u8(lanes), salts[0]),
    concat(u8(2), new Uint8Array(6), salts[1]),
  ]
  const slots = (decodeCbor(file, { useMaps: true }) as Map<number, Slot[]>).get(2)!
  return {
    name: 'vault',
    passphrase: { text: PASSPHRASE },
    passphraseBytes: passphraseBytes(PASSPHRASE),
    argon2id: { KiB: memoryKib, passes, lanes, length: 32 },
    entropy,
    slots: slots.map((slot, i) => {
      const [key, head] = [keys[i]!, heads[i]!]
      const [sealed, commitment] = [slot.get(4) as Uint8Array, slot.get(5) as Uint8Array]
      same('commitment', commitment, hmacSha256(key, L('vaultCommit'), head, sealed))
      return { kind: i + 1, salt: salts[i], key, head, nonce: nonces[i], sealed, commitment }
    }),
    masterKey: MASTER_KEY,
    file,
  }
}

async function badVaults(folder: string, file: Uint8Array) {
  const changed = (change: (slots: Slot[]) => void): Uint8Array => {
    const vault = decodeCbor(file, { useMaps: true }) as Map<number, Slot[]>
    change(vault.get(2)!)
    return new Uint8Array(encodeCbor(vault))
  }
  const costs = (memoryKib: number, passes: number, lanes: number): Uint8Array =>
    changed(([slot]) =>
      slot!.set(
        2,
        new Map([
          [1, memoryKib],
          [2, passes],
          [3, lanes],
        ]),
      ),
    )
  const good: Unlock = { passphrase: PASSPHRASE }
  const cases: [string, string, Uint8Array, Unlock][] = [
    ['another passphrase', 'the commitment does not fit', file, { passphrase: 'correct horse battery' }],
    ['other words', 'the commitment does not fit', file, { entropy: drawn('other words') }],
    [
      'a bit of the sealed key',
      'the commitment does not fit',
      changed(([, slot]) => slot!.set(4, flipped(slot!.get(4) as Uint8Array, 30))),
      { entropy: ALICE.entropy },
    ],
    [
      'a bit of the commitment',
      'the commitment does not fit',
      changed(([, slot]) => slot!.set(5, flipped(slot!.get(5) as Uint8Array, 0))),
      { entropy: ALICE.entropy },
    ],
    ['another cost', 'the head is bound, and the key is another', costs(19 * 1024, 1, 1), good],
    ['18 MiB', 'at least 19 MiB', costs(18 * 1024, 2, 4), good],
    ['513 MiB', 'at most 512 MiB', costs(513 * 1024, 2, 4), good],
    ['11 passes', 'at most 10', costs(19 * 1024, 11, 4), good],
    ['9 lanes', 'at most 8', costs(19 * 1024, 2, 9), good],
    ['no cost', 'the passphrase slot has one', changed(([slot]) => slot!.delete(2)), good],
    ['kind 3', 'there are two kinds', changed(([slot]) => slot!.set(1, 3)), good],
    ['a slot twice', 'one of a kind', changed((slots) => slots.splice(1, 1, slots[0]!)), good],
    ['a trailing byte', 'not canonical', concat(file, new Uint8Array(1)), good],
  ]
  const path = join(folder, 'bad.cbor')
  const found = []
  for (const [name, reason, bytes, unlock] of cases) {
    await writeFile(path, bytes, { mode: 0o600 })
    const by = 'passphrase' in unlock ? { passphrase: { text: unlock.passphrase } } : { entropy: unlock.entropy }
    found.push({ name: `vault: ${name}`, reason, error: await errorOf(openVault(path, unlock)), ...by, file: bytes })
  }
  return found
}

/** The code of what a promise rejects with. @throws Error when it does not */
async function errorOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KithError) return error.code
    throw error
  }
  throw new Error('not refused')
}

async function rowCase(): Promise<Case> {
  const keys = deriveStoreKeys(MASTER_KEY)
  const value = utf8('what the row holds')
  const nonce = drawn('nonce of a row', 24)
  const level = emptyLevel()
  const store = createRowStore(level, keys, { bytes: handingOut(nonce) })
  await store.write([{ key: ROW, value }])
  const [entry] = await level.iterator().all()
  const [place, stored] = entry!.map((bytes) => new Uint8Array(bytes)) as [Uint8Array, Uint8Array]
  const name = utf8('a name to be blinded')
  const fields = {
    name: 'row',
    masterKey: MASTER_KEY,
    indexKey: keys.index,
    recordKey: keys.record,
    table: ROW.table,
    scope: ROW.scope,
    position: ROW.position,
    key: place,
    row: value,
    nonce,
    value: stored,
    blinded: { of: name, bytes: store.blind(name) },
  }
  await store.close()
  return fields
}

async function badRows(row: Case) {
  const [place, value] = [row['key'] as Uint8Array, row['value'] as Uint8Array]
  const cases: [string, string, Uint8Array][] = [
    ['a bit', 'the row does not authenticate', flipped(value, -1)],
    ['version 2', 'the version is 1', concat(Uint8Array.of(2), value.slice(1))],
    ['key epoch 1', 'the epoch is 0', flipped(value, 4)],
    ['44 bytes', 'shorter than its head, nonce and tag', value.slice(0, 44)],
  ]
  const found = []
  for (const [name, reason, bytes] of cases) found.push(await badRow(name, reason, place, bytes, ROW))
  const moved = { ...ROW, position: Uint8Array.of(0, 0, 0, 8) }
  found.push(
    await badRow('under another key', 'the key is bound', concat(place.slice(0, -1), Uint8Array.of(8)), value, moved),
  )
  return found
}

async function badRow(name: string, reason: string, place: Uint8Array, value: Uint8Array, key: RowKey) {
  const level = emptyLevel()
  await level.put(place, value)
  const store = createRowStore(level, deriveStoreKeys(MASTER_KEY), { bytes: handingOut() })
  const error = await errorOf(store.get(key))
  await store.close()
  return { name: `row: ${name}`, reason, error, key: place, value }
}

function emptyLevel() {
  return new MemoryLevel<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
}
