/**
 * What follows when a contact's record names other keys than the one believed before (PROTOCOL 2): who was verified is not any
 * more when the root key is another one, sessions made with a device that is gone are sent in no more, and with
 * `trust = pin` nothing leaves before the person accepted the new keys. All of it in the step that believes the record, told as
 * an event and in the conversation.
 */
import { equal } from '../crypto/bytes.ts'
import type { Delivery } from '../delivery/delivery.ts'
import type { Transaction } from '../delivery/journal.ts'
import { type IdentityView, readIdentityRecord } from '../identity/records.ts'
import { idToText } from '../identity/root.ts'
import { type Contact, isFriend, isUnaccepted } from './contact.ts'

/** `pin`: nothing is sent to a friend whose keys changed until the person accepts them. `notify`: they are told. */
export type TrustMode = 'pin' | 'notify'

/** What a person reads in a conversation about keys. `own`: it is their own that were replaced. */
export const KEY_NOTICES = ['root', 'device', 'revoked', 'own'] as const
export type KeyNotice = (typeof KEY_NOTICES)[number]

/** For people. */
export const ACCEPT_HINT =
  'compare: `kith verify WHO`, then `kith verify WHO --confirm`; or accept them as they are: `kith trust WHO`'

export interface KeyChangesInit {
  delivery: Pick<Delivery, 'retire' | 'hold'>
  trust: TrustMode
  /** Writes a notice into the conversation with a friend. */
  notice: (tx: Transaction, friend: Uint8Array, notice: KeyNotice) => void
}

/** A contact whose record is this one from now on. */
function believe(contact: Contact, view: IdentityView): Contact {
  const { isNewRoot, isNewDevice } = differences(contact, view)
  const next = { ...contact, record: view.bytes, pin: view.head }
  if (!isNewRoot && !isNewDevice) return next
  const { root = false, device = false, wasVerified = false } = contact.keyChange ?? {}
  return {
    ...next,
    verified: contact.verified && !isNewRoot,
    keyChange: {
      root: root || isNewRoot,
      device: device || isNewDevice,
      wasVerified: wasVerified || (contact.verified && isNewRoot),
    },
  }
}

/** Believes a friend's record, in the transaction of the caller, who holds the friend's queue and writes the contact. */
export function followKeys(init: KeyChangesInit, tx: Transaction, contact: Contact, view: IdentityView): Contact {
  const { isNewRoot, isNewDevice, isDeviceGone } = differences(contact, view)
  const changed = believe(contact, view)
  if (!isNewRoot && !isNewDevice && !isDeviceGone) return changed
  const { id } = contact
  if (isFriend(contact)) {
    if (isDeviceGone) init.delivery.retire(tx, id)
    else if (init.trust === 'pin') init.delivery.hold(tx, id)
    const notice = isNewRoot ? 'root' : isNewDevice ? 'device' : 'revoked'
    init.notice(tx, id, notice)
  }
  tx.event('contact', {
    id: idToText(id),
    state: changed.state,
    verified: changed.verified,
    ...(isNewRoot && { keyChanged: true }),
    ...(isNewDevice && { newDevice: true }),
    ...(isDeviceGone && { deviceRevoked: true }),
    ...(contact.verified && !changed.verified && { wasVerified: true }),
  })
  return changed
}

/** Whether a session with this contact has to wait for the person's word. */
export function isHeld({ trust }: Pick<KeyChangesInit, 'trust'>, contact: Contact): boolean {
  return trust === 'pin' && isUnaccepted(contact)
}

/** Whether a device (typed signing key) speaks for a contact, as far as is known; of whom no record is known any does. */
export function isDeviceOf({ record }: Contact, device: Uint8Array): boolean {
  return !record || readIdentityRecord(record).record.devices.some(({ signing }) => equal(signing, device))
}

/**
 * Why nothing is sent in a session that a handshake brings.
 * @param devices whether both devices that made it speak for their owners still
 */
export function behindAtFirst(
  init: Pick<KeyChangesInit, 'trust'>,
  contact: Contact,
  devices: { own: boolean; theirs: boolean },
): 'device' | 'trust' | undefined {
  if (!devices.own || !devices.theirs) return 'device'
  return isHeld(init, contact) ? 'trust' : undefined
}

function differences(contact: Contact, view: IdentityView) {
  if (!contact.record) return { isNewRoot: false, isNewDevice: false, isDeviceGone: false }
  const before = readIdentityRecord(contact.record)
  const lacks = (one: IdentityView, other: IdentityView): boolean =>
    other.record.devices.some(({ signing }) => !one.record.devices.some((known) => equal(known.signing, signing)))
  return {
    isNewRoot: !equal(before.root, view.root),
    isNewDevice: lacks(before, view),
    isDeviceGone: lacks(view, before),
  }
}
