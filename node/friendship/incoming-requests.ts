/**
 * Being asked (PROTOCOL 7): opens what comes through an invite or the open box, keeps it until the person decides, and consents. Nothing that
 * a stranger claims is shown before both ciphertexts of the request opened, or believed before the person accepted.
 */
import { equal, toHex } from '../crypto/bytes.ts'
import { Transaction } from '../delivery/journal.ts'
import { UsageError } from '../errors.ts'
import { compareHeads, equivocates, readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import * as limits from '../limits.ts'
import { type RowKey, TABLE } from '../ports.ts'
import { drawFrom } from '../session/draw.ts'
import { acceptRequest } from '../session/leg2.ts'
import type { IncomingRequest } from '../session/pending-request.ts'
import { decode } from '../wire/schema.ts'
import { type Contact, isFriend, newContact, withAcceptedKeys, withReach } from './contact.ts'
import type { ContactBook } from './contact-book.ts'
import type { FriendshipInit } from './contract.ts'
import type { Invites, OwnInvite } from './invites.ts'
import { markReplay, openedLeg1, replayKey, replayRow } from './leg-opening.ts'
import { behindAtFirst, followKeys, isDeviceOf, isHeld } from './key-changes.ts'
import type { Replies } from './replies.ts'
import { legFromBox, legFromInvite } from './request-door.ts'

const NO_SCOPE = new Uint8Array(0)
/** Who knocks at the open box again sooner than this, in milliseconds, replaces nothing: the answer to the first still counts. */
const REPLACE_MS = 3_600_000

interface IncomingRequestsInit extends FriendshipInit {
  book: ContactBook
  replies: Replies
  invites: Invites
  /** Reads what lies in the open box once more. */
  readBoxAgain: () => void
}

export class IncomingRequests {
  readonly #init: IncomingRequestsInit
  /** Something lies in the open box for want of room here. */
  #hasLeft = false
  #stopped = false

  constructor(init: IncomingRequestsInit) {
    this.#init = init
  }

  stop(): void {
    this.#stopped = true
  }

  /** A request that waited was answered, one way or the other. */
  roomMade(): void {
    if (!this.#hasLeft) return
    this.#hasLeft = false
    this.#init.readBoxAgain()
  }

  /** Forgets requests whose prekeys are gone. */
  async sweep(): Promise<void> {
    const { store, journal, protocolTime } = this.#init
    const now = protocolTime()
    const rows = await store.list({ table: TABLE.replay, scope: NO_SCOPE, limit: 5000 })
    const tx = new Transaction()
    for (const { position, value } of rows) {
      if (decode(replayRow, value, 64).until < now) tx.delete(TABLE.replay, NO_SCOPE, position)
    }
    await journal.commit(tx)
  }

  /**
   * A leg came through an invite, or the open box; true when it is on the disk, or can never be a request. In the box it is
   * left where it is while too many wait for the person.
   */
  async receive(own: OwnInvite | undefined, left: Uint8Array): Promise<boolean> {
    const opened = openedLeg1(this.#init, () => (own ? legFromInvite(own.invite, left) : legFromBox(left)))
    if (opened === undefined || opened === 'early' || equal(opened.incoming.id, this.#init.self.id)) return true
    const { incoming, replayTag } = opened
    const { store, delivery } = this.#init
    const replay = replayKey(store, replayTag)
    return await delivery.exclusively(incoming.id, async () => {
      if (this.#stopped) return false
      if ((await store.get(replay)) || !this.#isCredible(incoming)) return true
      const contact = this.#init.book.get(incoming.id) ?? newContact(incoming.id)
      if (!own && this.#isTooSoon(contact, incoming)) return true
      if (!own && contact.state !== 'blocked' && !this.#hasRoom(own, contact)) {
        this.#hasLeft = true
        return false
      }
      await this.#take(own, contact, { incoming, replay })
      return true
    })
  }

  async #take(
    own: OwnInvite | undefined,
    contact: Contact,
    { incoming, replay }: { incoming: IncomingRequest; replay: RowKey },
  ): Promise<void> {
    const { book, invites, journal, clock, protocolTime } = this.#init
    const tx = new Transaction()
    markReplay(tx, replay, protocolTime())
    if (contact.state !== 'blocked' && this.#hasRoom(own, contact) && !this.#isOvertaken(incoming, own, contact)) {
      if (own) invites.countRequest(tx, own.inviteId)
      const asking = { request: incoming, inviteId: own?.inviteId, receivedAt: clock.now() }
      const changed = { ...contact, name: incoming.request.name, asking }
      // we asked them, or accepted them before: their request is consent, and so was ours
      if (contact.asked || contact.state === 'accepted') {
        this.#consent(tx, changed)
      } else {
        const state = contact.state === 'friend' ? 'friend' : 'incoming'
        book.put(tx, { ...changed, state, reason: undefined })
        const { name, note } = incoming.request
        tx.event('request', { id: idToText(incoming.id), name, note })
      }
    }
    await journal.commit(tx)
  }

  /** Whether a request fits what is known of this ID: no record below the one that was believed, no absurd numbers. */
  #isCredible({ id, record, request }: IncomingRequest): boolean {
    const contact = this.#init.book.get(id)
    if (request.rekey > (contact?.rekey ?? 0) + limits.MAX_REKEY_STEP) return false
    if (!contact?.pin) return true
    const view = readIdentityRecord(record)
    if (this.#init.alarms.isDisowned(view.hash)) return false
    if (equal(view.hash, contact.pin.hash)) return true
    if (compareHeads(view.head, contact.pin) > 0 && !equivocates(view.head, contact.pin)) return true
    this.#init.logger.warn('a request came with a record that is older than the one believed, or contradicts it')
    return false
  }

  /** Whether somebody whose request waits asks once more within the hour, by no newer root key. */
  #isTooSoon({ asking }: Contact, { record }: IncomingRequest): boolean {
    const since = asking ? this.#init.clock.now() - asking.receivedAt : REPLACE_MS
    if (!asking || since < 0 || since >= REPLACE_MS) return false
    return readIdentityRecord(record).head.events <= readIdentityRecord(asking.request.record).head.events
  }

  #hasRoom(own: OwnInvite | undefined, contact: Contact): boolean {
    if (contact.asking || contact.asked || contact.state === 'accepted') return true
    const asking = this.#init.book.all().flatMap((one) => (one.asking ? [one.asking] : []))
    const name = own ? toHex(own.inviteId) : undefined
    const through = asking.filter(({ inviteId }) => (inviteId && toHex(inviteId)) === name).length
    const most = own ? limits.MAX_REQUESTS_PER_INVITE : limits.MAX_REQUESTS_THROUGH_BOX
    return asking.length < limits.MAX_INCOMING_REQUESTS && through < most
  }

  /**
   * Consents to the request of a contact that has one, in one durable step. The caller holds the contact's queue.
   * @throws UsageError `WRONG_STATE`, `TOO_LONG` for a petname that cannot be
   */
  async accept(contact: Contact, petname: string | undefined): Promise<Contact> {
    const tx = new Transaction()
    const changed = this.#consent(tx, contact, { petname })
    tx.event('contact', { id: idToText(contact.id), state: changed.state })
    await this.#init.journal.commit(tx)
    return changed
  }

  /**
   * Writes consent: leg 2, the session, and the state that waits for their first message.
   * @param said what the person says now; undefined when they consented before, to the keys that were known then
   */
  #consent(tx: Transaction, contact: Contact, said?: { petname: string | undefined }): Contact {
    const { book, replies, invites, delivery, directory, self, random, relays } = this.#init
    const { request, inviteId } = contact.asking!
    const identitySecret = self.identitySecretOf(request.ownDevice)
    if (!identitySecret) throw new UsageError('WRONG_STATE', 'the keys that this request was made for are gone')
    const rekey = 1 + Math.max(contact.rekey, request.request.rekey)
    const { leg, session, secrets } = acceptRequest({
      random: drawFrom(random),
      incoming: request,
      identitySecret,
      accept: { head: self.head, relays: [...relays()], ...this.#init.direct.told(), rekey, name: self.name },
    })
    const record = readIdentityRecord(request.record)
    // a newer one may have been seen while the request waited for the person
    const isBest = !contact.pin || compareHeads(record.head, contact.pin) >= 0
    const followed = isBest ? followKeys(this.#init, tx, contact, record) : contact
    // the person accepts the keys with the request
    const believed = isBest && said ? withAcceptedKeys(followed) : followed
    const devices = { own: equal(request.ownDevice, self.device), theirs: isDeviceOf(believed, request.device) }
    // a new session with somebody who was accepted before makes no new friendship
    const isUse = inviteId !== undefined && (!isFriend(contact) || contact.reply?.inviteId !== undefined)
    const wanted = said?.petname ?? (contact.petname === '' ? undefined : contact.petname)
    const changed: Contact = {
      ...believed,
      state: contact.state === 'friend' ? 'friend' : 'accepted',
      petname:
        wanted === undefined
          ? book.freePetname(request.request.name, contact.id)
          : book.checkPetname(wanted, contact.id),
      name: request.request.name,
      rekey,
      reach: withReach(contact, secrets),
      asking: undefined,
      // a request of ours that nobody can have seen is not needed any more
      asked: contact.asked?.leg || contact.asked?.earlier.length ? contact.asked : undefined,
      reply: {
        leg,
        secret: request.request.replySecret,
        relays: request.request.relays,
        direct: this.#init.direct.serverOf(request.request),
        storedAt: [],
        // who knows that this device is new by now asks once more, through the same invite
        ...(isUse && !devices.own && { inviteId }),
      },
    }
    book.put(tx, changed)
    if (!isHeld(this.#init, changed)) delivery.release(tx, contact.id)
    const { peerId, addresses } = request.request
    delivery.openChannel(tx, contact.id, {
      session,
      secrets,
      relays: request.request.relays,
      reach: { peerId, addresses },
      behind: behindAtFirst(this.#init, changed, devices),
    })
    if (isUse && devices.own) invites.useUp(tx, inviteId)
    tx.afterCommit(() => {
      if (isBest) directory.pin(contact.id, record.head, record.bytes)
      replies.dispatch(changed)
    })
    return changed
  }

  /**
   * Whether a request came too late: made after its invite, if it came by one, had ended, or by a friend before both were sure, when two
   * requests crossed.
   */
  #isOvertaken({ request, device }: IncomingRequest, own: OwnInvite | undefined, contact: Contact): boolean {
    if (own && request.created > own.invite.expires) return true
    const { id, state, since, rekey, record, keyChange } = contact
    if (state !== 'friend' || since === undefined || record === undefined) return false
    // a device that has no session of ours can have crossed none: the friend lost the old one
    const isNew = keyChange?.device === true || this.#init.delivery.status.behind(id) === 'device'
    if (isNew || !readIdentityRecord(record).record.devices.some(({ signing }) => equal(signing, device))) return false
    // their clock and ours may differ by what records are allowed to
    return request.rekey < rekey && request.created <= since + limits.MAX_RECORD_AHEAD_SECONDS
  }
}

/** What a request says of the one who asks, as they claim it. */
export function claimOf(request: IncomingRequest): { name: string; note: string } {
  return { name: request.request.name, note: request.request.note }
}
