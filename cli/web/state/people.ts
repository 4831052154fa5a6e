/** What somebody does with friends, requests and invites: each asks the node, then the lists anew. */
import { call } from '../api/client.ts'
import type { Invite } from '../api/table.ts'
import { attempt, tell } from './failure.ts'
import { refreshLists, refreshStatus } from './session.ts'

async function changing(work: () => Promise<unknown>, done: string): Promise<boolean> {
  return await attempt(async () => {
    await work()
    tell(done)
    await Promise.all([refreshLists(), refreshStatus()])
  })
}

export async function accept(who: string, petname: string): Promise<boolean> {
  const params = petname === '' ? { who } : { who, petname }
  return await changing(() => call('request.accept', params), 'You are friends as soon as their node hears of it.')
}

export async function decline(who: string): Promise<boolean> {
  return await changing(() => call('request.decline', { who }), 'The request is dropped.')
}

export async function add(target: string, petname: string, note: string): Promise<boolean> {
  const params = { target, ...(petname === '' ? {} : { petname }), ...(note === '' ? {} : { note }) }
  return await changing(() => call('friend.add', params), 'The request is on its way.')
}

export async function rename(who: string, petname: string): Promise<boolean> {
  return await changing(() => call('friend.rename', { who, petname }), 'The name is changed, here alone.')
}

export async function block(who: string): Promise<boolean> {
  return await changing(() => call('friend.block', { who }), 'Blocked: nothing more is taken from them.')
}

export async function remove(who: string): Promise<boolean> {
  return await changing(() => call('friend.remove', { who }), 'The friendship has ended.')
}

export async function trustKeys(who: string): Promise<boolean> {
  return await changing(() => call('friend.trust', { who }), 'The new keys are accepted.')
}

export async function confirmNumber(who: string): Promise<boolean> {
  return await changing(() => call('friend.verify', { who, confirm: true }), 'Verified.')
}

export async function makeInvite(uses: number, expiresInSeconds: number): Promise<Invite> {
  return await call('invite.create', { uses, expiresInSeconds })
}
