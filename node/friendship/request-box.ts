/**
 * The own open request box (PROTOCOL 3): read at the own relays while the person takes requests from anybody who knows the
 * ID, given up once the record says otherwise. A box that was given up is never claimed again, so each has an R of its own.
 */
import { utf8 } from '../crypto/bytes.ts'
import { ed25519KeyPair } from '../crypto/ed25519.ts'
import { typeKey } from '../crypto/key-type.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import type { MailReader } from '../delivery/mail-reader.ts'
import { KIND, openBox } from '../mailbox/keys.ts'
import { type Random, type RowKey, type Store, TABLE } from '../ports.ts'
import { REQUEST_POLICY } from '../wire/records.ts'
import { bytes, decode, encode, struct } from '../wire/schema.ts'
import type { RequestTerms } from './self.ts'

/** Who may ask to be a friend: who has an invite, or anybody who knows the ID. */
export type RequestPolicy = keyof typeof REQUEST_POLICY

export interface RequestBoxInit {
  journal: Journal
  store: Store
  random: Random
  reader: MailReader
  /** Own ID, 32 bytes. */
  id: Uint8Array
  policy: RequestPolicy
  /** Own relays, where friends write; they may change while the node runs. */
  relays: () => readonly string[]
  /** A leg lies in the box: resolves with true when it is on the disk, or can never be a request. */
  onRequest: (left: Uint8Array) => Promise<boolean>
}

const NAME = 'box'
const ROW: RowKey = { table: TABLE.identity, scope: new Uint8Array(0), position: utf8('box') }
/** Seed of R. */
const row = struct({ readerSeed: [1, bytes(32)] })

export class RequestBox {
  readonly #init: RequestBoxInit
  #readerSeed: Uint8Array | undefined

  constructor(init: RequestBoxInit) {
    this.#init = init
  }

  /** Reads on at the box of earlier runs, or opens one. */
  async start(): Promise<void> {
    const { store, random, policy } = this.#init
    const stored = await store.get(ROW)
    this.#readerSeed = stored && decode(row, stored, 64).readerSeed
    if (policy === 'invite') return
    if (!this.#readerSeed) {
      const readerSeed = random.bytes(32)
      await store.write([{ key: ROW, value: encode(row, { readerSeed }) }])
      this.#readerSeed = readerSeed
    }
    this.#watch(this.#readerSeed)
  }

  /** Reads what lies there once more: what was left for want of room, too. */
  readAgain(): void {
    if (this.#init.policy === 'open' && this.#readerSeed) this.#watch(this.#readerSeed)
  }

  /** What the identity record has to say of requests now. Without a relay there is no box. */
  terms(): RequestTerms {
    const { policy, relays } = this.#init
    if (policy === 'invite' || !this.#readerSeed || relays().length === 0) return { policy: REQUEST_POLICY.invite }
    const requestReader = typeKey('ed25519', ed25519KeyPair(this.#readerSeed).public)
    return { policy: REQUEST_POLICY.open, requestReader, relays: [...relays()] }
  }

  /** The record says what `terms` says: a box that it does not name any more is given up. */
  async settle(): Promise<void> {
    const { policy, journal, reader } = this.#init
    if (policy === 'open' || !this.#readerSeed) return
    const tx = new Transaction()
    this.#watch(this.#readerSeed)
    reader.giveUp(tx, NAME)
    tx.delete(ROW.table, ROW.scope, ROW.position)
    tx.afterCommit(() => (this.#readerSeed = undefined))
    await journal.commit(tx)
  }

  #watch(readerSeed: Uint8Array): void {
    const { reader, id, onRequest } = this.#init
    const keys = ed25519KeyPair(readerSeed)
    const writer = openBox(id, keys.public).writer.public
    reader.watch({
      name: NAME,
      kind: KIND.box,
      keysAt: () => ({ writer, reader: keys }),
      receive: async (mail) => {
        const done: boolean[] = []
        for (const { copy } of mail) done.push(await onRequest(copy))
        return done
      },
    })
  }
}
