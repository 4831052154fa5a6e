/** What the API offers of invites: made, listed, taken back. */
import type { InviteView, NodeService } from '../api/service.ts'
import { toHex } from '../crypto/bytes.ts'
import { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import type { Friendship } from '../friendship/friendship.ts'
import type { Parts } from './parts.ts'

type InviteParts = Pick<Parts, 'self' | 'friendship' | 'ownRelays' | 'journal'>
type OwnInvite = ReturnType<Friendship['invites']['list']>[number]

export class InviteService implements Pick<NodeService, 'createInvite' | 'invites' | 'revokeInvite'> {
  readonly #parts: InviteParts

  constructor(parts: InviteParts) {
    this.#parts = parts
  }

  async createInvite({ lifetimeSeconds, uses }: { lifetimeSeconds: number; uses: number }): Promise<InviteView> {
    const { self, friendship, ownRelays } = this.#parts
    if (ownRelays.configured.length === 0) {
      throw new UsageError('NO_RELAY', 'without a relay nobody can knock', {
        hint: 'add one: `kith config set relays ADDRESS`, then start again',
      })
    }
    const own = await friendship.invites.create({
      id: self.id,
      pin: self.head,
      relays: [...ownRelays.current],
      lifetimeSeconds,
      uses,
    })
    return this.#view(own)
  }

  async invites(): Promise<InviteView[]> {
    const { invites } = this.#parts.friendship
    await invites.sweep()
    return invites.list().map((own) => this.#view(own))
  }

  async revokeInvite(inviteId: string): Promise<void> {
    const { friendship, journal } = this.#parts
    const own = friendship.invites.list().find((one) => toHex(one.inviteId) === inviteId)
    if (!own) throw new UsageError('UNKNOWN_INVITE', 'no invite has this ID', { hint: '`kith invites` lists them' })
    const tx = new Transaction()
    friendship.invites.remove(tx, own.inviteId)
    await journal.commit(tx)
  }

  #view(own: OwnInvite): InviteView {
    return {
      inviteId: toHex(own.inviteId),
      invite: this.#parts.friendship.invites.link(own),
      createdAt: own.createdAt,
      expiresAt: own.invite.expires * 1000,
      used: own.used,
    }
  }
}
