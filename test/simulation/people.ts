/**
 * Whole nodes in a simulated world, for scenarios:
 *
 *     const world = createWorld(seed)
 *     const relay = await startRelay(world, 'relay')
 *     const relays = [await addressOf(relay)]
 *     const alice = await startPerson(world, 'alice', { relays })
 *     const bob = await startPerson(world, 'bob', { relays })
 *     await befriend(world, alice, bob)
 *     await say(alice, bob, 'hello')
 *     await world.eventually(async () => (await textsOf(bob, alice)).includes('hello'))
 */
import { sha256 } from '../../node/crypto/hash.ts'
import { utf8 } from '../../node/crypto/bytes.ts'
import { KithError } from '../../node/errors.ts'
import { createSelf } from '../../node/friendship/self.ts'
import { wordsOf } from '../../node/identity/phrase.ts'
import { KithNode, type NodeOptions } from '../../node/node.ts'
import type { Ports } from '../../node/ports.ts'
import { KithRelay, type RelayOptions } from '../../node/relay.ts'
import type { SimNode, SimPorts, World } from './world.ts'

const CHEAP_CLAIM_BITS = 4
const INVITE_SECONDS = 7 * 86_400

export type Person = SimNode<KithNode>
export type Relay = SimNode<KithRelay>

/** Starts a relay; claims cost little there, as minting takes real time, unless `options.policy` says otherwise. */
export function startRelay(
  world: World,
  name: string,
  options: Partial<RelayOptions> = {},
  hooks: Hooks<KithRelay> = {},
): Promise<Relay> {
  const signingSeed = options.signingSeed ?? sha256(utf8(`relay ${name} in world ${world.seed}`))
  return world.start(name, async (ports) => {
    const network = ports.createNetwork(signingSeed)
    const policy = { claimBits: CHEAP_CLAIM_BITS, ...options.policy }
    const dressed = hooks.ports?.({ ...ports, network }) ?? { ...ports, network }
    const relay = await KithRelay.open(dressed, { ...options, signingSeed, policy })
    hooks.opened?.(relay)
    await relay.start()
    return relay
  })
}

/** What a test does to a node in each of its lives. */
export interface Hooks<T> {
  /** The ports that the node gets in place of the simulated ones. */
  ports?: (ports: SimPorts) => SimPorts
  /** Called when it has read its disk and does nothing yet. */
  opened?: (node: T) => void
}

/** Starts a person's node, which makes its identity in its first life. Its name is also what the person is called. */
export function startPerson(
  world: World,
  name: string,
  options: NodeOptions,
  hooks: Hooks<KithNode> = {},
): Promise<Person> {
  return world.start(name, async (ports) => {
    const node = await openOrCreate(hooks.ports?.(ports) ?? ports, name, options, (entropy) => {
      const known = phrases.get(world) ?? new Map<string, string>()
      phrases.set(world, known.set(name, wordsOf(entropy).join(' ')))
    })
    hooks.opened?.(node)
    await node.start()
    return node
  })
}

/** Multiaddr of a relay that runs. */
export async function addressOf(relay: Relay): Promise<string> {
  const { addresses } = await relay.do((it) => it.status())
  return addresses[0]!
}

/** Makes friends of two people: `a` invites, `b` asks, `a` accepts. Each calls the other by the name of the node. */
export async function befriend(world: World, a: Person, b: Person): Promise<void> {
  const { invite } = await a.do((it) => it.createInvite({ lifetimeSeconds: INVITE_SECONDS, uses: 1 }))
  await b.do((it) => it.add({ target: invite, petname: a.name }))
  await world.eventually(async () => (await a.it.requests()).some(({ name }) => name === b.name))
  await a.do((it) => it.accept(b.name, b.name))
  await world.eventually(async () => (await areFriends(a, b)) && areFriends(b, a))
}

/** Sends a text; the message's ID once it is on the sender's disk. */
export async function say(from: Person, to: Person, text: string): Promise<string> {
  return from.do(async (it) => (await it.send(to.name, text)).messageId)
}

/** The texts that `reader` has of `writer`, in the order of the history. Must be asked while the world runs (`eventually`, `do`). */
export async function textsOf(reader: Person, writer: Person): Promise<string[]> {
  const history = await reader.it.history({ who: writer.name, limit: 1000 })
  return history.filter(({ direction }) => direction === 'in').map(({ text }) => text)
}

async function areFriends(a: Person, b: Person): Promise<boolean> {
  return (await a.it.friends()).some(({ petname, state }) => petname === b.name && state === 'friend')
}

const phrases = new WeakMap<World, Map<string, string>>()

/** The 24 words that a person got at their first start. */
export function phraseOf(world: World, person: Person): string {
  return phrases.get(world)!.get(person.name)!
}

async function openOrCreate(
  ports: Ports,
  name: string,
  options: NodeOptions,
  onCreated: (entropy: Uint8Array) => void,
): Promise<KithNode> {
  try {
    return await KithNode.open(ports, options)
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== 'NO_IDENTITY') throw error
  }
  const { clock, random, store } = ports
  const entropy = random.bytes(32)
  onCreated(entropy)
  const { tx } = createSelf({ entropy, name, random, now: Math.floor(clock.now() / 1000) })
  await store.write(tx.changes)
  return KithNode.open(ports, options)
}
