/**
 * The invites of this node (PROTOCOL 3): each is a mailbox in which whoever holds the link may leave a request. Created,
 * read and given up here; what a request says is friendship's work.
 */
import { compare, toHex } from '../crypto/bytes.ts'
import { ed25519KeyPair } from '../crypto/ed25519.ts'
import { type Journal, Transaction } from '../delivery/journal.ts'
import type { MailReader } from '../delivery/mail-reader.ts'
import { UsageError } from '../errors.ts'
import { createInvite, encodeInvite } from '../identity/invite.ts'
import * as limits from '../limits.ts'
import { KIND } from '../mailbox/keys.ts'
import { type Clock, type Random, type Store, TABLE } from '../ports.ts'
import { type Invite, invite as inviteShape, MAX_INVITE_BYTES } from '../wire/invite.ts'
import type { Head } from '../wire/records.ts'
import { bytes, bytesBetween, decode, encode, struct, uint } from '../wire/schema.ts'

export interface OwnInvite {
  /** 8 random bytes: how it is called at home. */
  inviteId: Uint8Array
  invite: Invite
  readerSeed: Uint8Array
  /** Milliseconds. */
  createdAt: number
  /** Requests that came through it. */
  used: number
  /** Friends that may be made with it, and that were. */
  uses: number
  accepted: number
}

export interface InvitesInit {
  journal: Journal
  store: Store
  clock: Clock
  random: Random
  reader: MailReader
  /** Seconds. */
  protocolTime: () => number
  /** A request came: resolves with true when it is on the disk, or can never be one. */
  onRequest: (own: OwnInvite, leg: Uint8Array) => Promise<boolean>
}

const DAY = 86_400
/** Invites that are read, those included that have just ended. */
const MAX_KEPT_INVITES = 4 * limits.MAX_LIVE_INVITES
/** A relay that takes longer than this to answer is not waited for. */
const CLAIM_WAIT_MS = 5000
const NO_SCOPE = new Uint8Array(0)
const row = struct({
  inviteId: [1, bytes(8)],
  invite: [2, bytesBetween(1, MAX_INVITE_BYTES)],
  readerSeed: [3, bytes(32)],
  createdAt: [4, uint()],
  used: [5, uint()],
  uses: [6, uint(limits.MAX_REQUESTS_PER_INVITE)],
  accepted: [7, uint(limits.MAX_REQUESTS_PER_INVITE)],
})

export class Invites {
  readonly #init: InvitesInit
  readonly #own = new Map<string, OwnInvite>()

  constructor(init: InvitesInit) {
    this.#init = init
  }

  async start(): Promise<void> {
    const rows = await this.#init.store.list({ table: TABLE.invite, scope: NO_SCOPE })
    for (const { value } of rows) {
      const { invite, ...rest } = decode(row, value, 2048)
      this.#open({ ...rest, invite: decode(inviteShape, invite, MAX_INVITE_BYTES) })
    }
    await this.sweep()
  }

  /** All that are alive, oldest first. */
  list(): OwnInvite[] {
    const now = this.#init.protocolTime()
    const alive = [...this.#own.values()].filter(({ invite }) => invite.expires > now)
    return alive.toSorted((a, b) => a.createdAt - b.createdAt || compare(a.inviteId, b.inviteId))
  }

  link(own: OwnInvite): string {
    return encodeInvite(own.invite)
  }

  /** @throws UsageError `TOO_MANY` when 64 are alive */
  async create(init: {
    id: Uint8Array
    pin: Head
    relays: string[]
    lifetimeSeconds: number
    uses: number
  }): Promise<OwnInvite> {
    if (this.list().length >= limits.MAX_LIVE_INVITES) {
      throw new UsageError('TOO_MANY', `${limits.MAX_LIVE_INVITES} invites are alive already`, {
        hint: 'revoke one with `kith invite revoke`',
      })
    }
    const { random, clock } = this.#init
    const expires = Math.floor(this.#init.protocolTime()) + init.lifetimeSeconds
    const { invite, readerSeed } = createInvite(random, {
      id: init.id,
      pin: init.pin,
      relays: init.relays.slice(0, 2),
      expires,
    })
    const own = {
      inviteId: random.bytes(8),
      invite,
      readerSeed,
      createdAt: clock.now(),
      used: 0,
      uses: init.uses,
      accepted: 0,
    }
    const tx = new Transaction()
    this.#own.set(toHex(own.inviteId), own)
    tx.onRollback(() => this.#own.delete(toHex(own.inviteId)))
    this.#put(tx, own)
    await this.#init.journal.commit(tx)
    this.#open(own)
    await this.#claimed(own)
    return own
  }

  /** Waits a little until a relay knows the mailbox: who gets the link may knock although this node goes away now. */
  async #claimed({ inviteId }: OwnInvite): Promise<void> {
    const { reader, clock } = this.#init
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = clock.after(CLAIM_WAIT_MS, resolve)
    void reader.ready(watchName(inviteId)).then(() => resolve())
    await promise
    timer.cancel()
  }

  /** Writes an invite as it will be after the transaction. */
  #put(tx: Transaction, own: OwnInvite): void {
    const value = encode(row, { ...own, invite: encode(inviteShape, own.invite) })
    tx.put(TABLE.invite, NO_SCOPE, own.inviteId, value)
    // at once: what is written side by side for two people counts both
    const name = toHex(own.inviteId)
    const before = this.#own.get(name)
    this.#own.set(name, own)
    tx.onRollback(() => {
      if (before && this.#own.get(name) === own) this.#own.set(name, before)
    })
  }

  find(inviteId: Uint8Array): OwnInvite | undefined {
    return this.#own.get(toHex(inviteId))
  }

  /** A request came through it. */
  countRequest(tx: Transaction, inviteId: Uint8Array): void {
    const own = this.find(inviteId)
    if (own) this.#put(tx, { ...own, used: own.used + 1 })
  }

  /** A request that came through it was accepted: with the last use it ends. */
  useUp(tx: Transaction, inviteId: Uint8Array): void {
    const own = this.find(inviteId)
    if (!own) return
    if (own.accepted + 1 >= own.uses) this.remove(tx, inviteId)
    else this.#put(tx, { ...own, accepted: own.accepted + 1 })
  }

  /** Gives an invite up here, and at the relays once the transaction is committed. */
  remove(tx: Transaction, inviteId: Uint8Array): void {
    tx.delete(TABLE.invite, NO_SCOPE, inviteId)
    const own = this.find(inviteId)
    if (!own) return
    // at once: a request that is being written must not bring the row back
    this.#own.delete(toHex(inviteId))
    tx.onRollback(() => this.#own.set(toHex(inviteId), own))
    this.#init.reader.giveUp(tx, watchName(inviteId))
  }

  /** Drops what has expired so long ago that no request which was made in time can be opened any more. */
  async sweep(): Promise<void> {
    const horizon = this.#init.protocolTime() - limits.LEG1_DAYS * DAY
    const tx = new Transaction()
    const byEnd = [...this.#own.values()].toSorted((a, b) => b.invite.expires - a.invite.expires)
    for (const [place, { invite, inviteId }] of byEnd.entries()) {
      if (invite.expires <= horizon || place >= MAX_KEPT_INVITES) this.remove(tx, inviteId)
    }
    await this.#init.journal.commit(tx)
  }

  #open(own: OwnInvite): void {
    this.#own.set(toHex(own.inviteId), own)
    const writer = ed25519KeyPair(own.invite.writerSeed).public
    const reader = ed25519KeyPair(own.readerSeed)
    this.#init.reader.watch({
      name: watchName(own.inviteId),
      kind: KIND.invite,
      keysAt: () => ({ writer, reader }),
      receive: async (mail) => {
        const done: boolean[] = []
        for (const { copy } of mail) {
          const current = this.find(own.inviteId)
          done.push(current === undefined || (await this.#init.onRequest(current, copy)))
        }
        return done
      },
    })
  }
}

function watchName(inviteId: Uint8Array): string {
  return `invite/${toHex(inviteId)}`
}
