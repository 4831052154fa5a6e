/**
 * Two people for whom every peer of the DHT is hostile (T4): it takes what they publish and shows it to nobody, and answers with
 * garbage, other people's records and old ones of the right people. Their relays have the records too.
 */
import { expect } from 'chai'
import { equal } from '../../../node/crypto/bytes.ts'
import { loadContacts } from '../../../node/friendship/contact.ts'
import type { KithNode } from '../../../node/node.ts'
import { HOUR, MINUTE } from '../../simulation/engine.ts'
import { type Hooks, phraseOf } from '../../simulation/people.ts'
import { testPerson } from '../../support/identity-fixtures.ts'
import {
  codeOf,
  createVillage,
  diskOf,
  expectWholeTalk,
  passDays,
  sayOnce,
  settle,
  untilRest,
  type Village,
} from './village.ts'

/** A DHT that remembers the first of each record that it was given, and asked how often it lied. */
class HostileDht {
  readonly #first: { key: Uint8Array; value: Uint8Array }[] = []
  lies = 0

  /** For a node that has no other way into the DHT. */
  readonly hooks: Hooks<KithNode> = {
    ports: (ports) => {
      const { network } = ports
      const own: Partial<typeof network> = {
        putRecord: async (key, value) => {
          if (!this.#first.some((one) => equal(one.key, key))) this.#first.push({ key, value })
          return 20
        },
        getRecord: async (key) => {
          this.lies++
          const old = this.#first.filter((one) => equal(one.key, key)).map(({ value }) => value)
          const others = this.#first.filter((one) => !equal(one.key, key)).map(({ value }) => value)
          return [ports.random.bytes(300), testPerson(99).record().bytes, ...others, ...old]
        },
      }
      const get = (target: typeof network, name: string | symbol): unknown =>
        Reflect.get(own, name) ?? Reflect.get(target, name)
      return { ...ports, network: new Proxy(network, { get }) }
    },
  }
}

/** alice and bob, at two relays, whom nobody of the DHT serves. */
async function surrounded(seed: number): Promise<{ village: Village; dht: HostileDht; change: () => void }> {
  const dht = new HostileDht()
  const village = await createVillage(seed, { friends: false, relays: 2 })
  const { world } = village
  let isHomeChanged = false
  // they were there before anything became hostile
  for (const name of ['alice', 'bob']) world.crash(name)
  const alice = await settle(village, 'anna', {}, dht.hooks)
  const bob = await settle(
    village,
    'ben',
    {
      get isHomeChanged() {
        return isHomeChanged
      },
    },
    dht.hooks,
  )
  const change = (): void => void (isHomeChanged = !isHomeChanged)
  return { village: { ...village, alice, bob }, dht, change }
}

describe('people for whom every peer of the DHT is hostile', function () {
  this.timeout(60_000)

  it('T4 become friends by an invite, and stay so: keys are renewed and replaced, sessions heal, all mail comes', async () => {
    const { village, dht, change } = await surrounded(440)
    const { world, alice, bob } = village
    const { invite } = await alice.do((it) => it.createInvite({ lifetimeSeconds: 86_400, uses: 1 }))
    await bob.do((it) => it.add({ target: invite, petname: 'anna' }))
    await world.eventually(async () => (await alice.it.requests()).length === 1, 10 * MINUTE)
    await alice.do((it) => it.accept('ben', 'ben'))
    await world.eventually(async () => (await bob.it.friends())[0]!.state === 'friend', 10 * MINUTE)
    const sent = [await sayOnce(village, alice, bob, 'hello'), await sayOnce(village, bob, alice, 'hi')]
    await untilRest(village, HOUR)

    // a home that was put back needs a prekey of today: all that the DHT shows is the first, which is over
    for (const name of ['anna', 'ben']) world.crash(name)
    await passDays(village, 31)
    change()
    for (const name of ['anna', 'ben']) await world.restart(name)
    change()
    await world.pass(2 * HOUR)
    sent.push(await sayOnce(village, bob, alice, 'I was put back'))
    await untilRest(village, 3 * HOUR)

    await alice.do((it) => it.rotateIdentity(phraseOf(world, alice)))
    await sayOnce(village, alice, bob, 'new keys').then((one) => sent.push(one))
    const eventsOf = async (): Promise<number> => (await loadContacts(diskOf(village, bob)))[0]!.pin!.events
    await world.eventually(async () => (await eventsOf()) === 1, 3 * HOUR)
    expect(await codeOf(bob.do((it) => it.send('anna', 'are you?')))).to.equal('KEY_CHANGED')
    await bob.do((it) => it.trust('anna'))
    sent.push(await sayOnce(village, bob, alice, 'good'))
    await untilRest(village, 3 * HOUR)
    await expectWholeTalk(village, sent)
    expect(dht.lies, 'how often the DHT was asked').to.be.above(10)
  })
})
