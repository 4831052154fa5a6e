/** What the steps of a plan do to its world. */
import { utf8 } from '../../../node/crypto/bytes.ts'
import { idToText } from '../../../node/identity/root.ts'
import { allTopics } from '../../../node/mailbox/buckets.ts'
import { BUCKET_BITS } from '../../../node/node.ts'
import { TABLE } from '../../../node/ports.ts'
import { DAY, MINUTE, SECOND } from '../engine.ts'
import { NO_FAULTS } from '../faults.ts'
import type { DiskImage } from '../sim-disk.ts'
import { friendsAmong, otherRelay, type Flood, PLANTED, type Step } from './plan.ts'
import type { Swarm } from './swarm.ts'

/** Does a step of the plan. @returns whether there was something to do */
export function takeStep(swarm: Swarm, step: Step): boolean {
  const { world, plan } = swarm
  const { net, rates } = world
  const other = otherRelay(plan)
  switch (step.act) {
    case 'send':
      return send(swarm, step.from, step.to, step.texts)
    case 'crash':
      if (!swarm.nodeOf(step.who).isUp) return false
      world.crash(step.who)
      return true
    case 'crash at a call': {
      const node = swarm.nodeOf(step.who)
      if (!node.isUp) return false
      world.crashAt(step.who, node.calls + step.calls, step.side)
      return true
    }
    case 'start':
      // a node does not start on a disk that takes nothing
      if (swarm.nodeOf(step.who).isUp || world.disk(step.who).refusing !== undefined) return false
      if (swarm.isLost && step.who === plan.lost) return false
      world.revive(step.who)
      return true
    case 'offline':
      net.offline(step.who)
      return true
    case 'online':
      net.online(step.who)
      return true
    case 'move':
      net.move(step.who)
      return true
    case 'partition':
      net.partition(step.left, step.right)
      return true
    case 'heal':
      net.heal()
      return true
    case 'calm':
      Object.assign(rates, NO_FAULTS)
      return true
    case 'loss':
      rates.dropRate = step.rate
      return true
    case 'duplication':
      rates.duplicateRate = step.rate
      return true
    case 'breaks':
      rates.breakRate = step.rate
      return true
    case 'reordering':
      rates.delayMs = [5, step.upTo]
      return true
    case 'slow disks':
      rates.syncMs = [1, step.upTo]
      return true
    case 'full disk':
      if (!swarm.nodeOf(step.who).isBooted) return false
      world.disk(step.who).refusing = step.code
      world.schedule(step.forMs, () => {
        world.disk(step.who).refusing = undefined
      })
      return true
    case 'clock':
      swarm.setClock(step.who, step.ahead)
      return true
    case 'cheat':
      swarm.relayWatches.get(other)!.cheat = step.how
      return true
    case 'lie':
      net.dht.liars.add(other).add(plan.people.at(-1)!)
      return true
    case 'tell the truth':
      net.dht.liars.clear()
      return true
    case 'image':
      swarm.image = world.disk(other).image()
      return true
    case 'forget everything':
      replaceDisk(swarm, other, undefined)
      return true
    case 'restore the image':
      if (swarm.image === undefined) return false
      replaceDisk(swarm, other, swarm.image)
      return true
    case 'vanish':
      world.crash(other)
      net.offline(other)
      return true
    case 'flood':
      flood(swarm, step.with)
      return true
    case 'copy the home':
      swarm.copyHome()
      return true
    case 'put the home back': {
      const home = swarm.homes[Math.floor(step.which * swarm.homes.length)]
      if (home) swarm.putHomeBack(home, step.isNoticed)
      return home !== undefined
    }
    case 'lose the sessions':
      swarm.loseSessions(step.with)
      return true
    case 'weeks':
      return swarm.age(step.weeks * 7 * DAY)
    case 'direct':
      if (world.disk(step.who).refusing !== undefined) return false
      swarm.setDirect(step.who, step.mode)
      return true
    case 'knock':
      return knock(swarm, step.from, step.to)
    default:
      return unfriend(swarm, step.from, step.to)
  }
}

function send(swarm: Swarm, from: string, to: string, texts: number): boolean {
  const person = swarm.people.get(from)!
  // who was left does not know, and writes on
  if (!person.isBooted || swarm.left.has(`${from} ${to}`)) return false
  for (let i = 0; i < texts; i++) {
    const text = `${PLANTED} ${swarm.plan.seed}.${swarm.said.length}`
    const after = swarm.personWatches.get(from)!.knownWith(to)
    const asked = person.it
    const sending = swarm.world.begin(() => person.it.send(idOf(swarm, to), text))
    swarm.said.push({ from, to, text, after, asked, sending })
  }
  return true
}

/** Somebody's ID: who answers a request by somebody they were a friend of may give them another petname. */
function idOf({ fixture }: Swarm, name: string): string {
  return idToText(fixture.ids.get(name)!)
}

function unfriend(swarm: Swarm, from: string, to: string): boolean {
  const person = swarm.people.get(from)!
  if (!person.isBooted || swarm.ended.has(`${from} ${to}`)) return false
  swarm.left.add(`${from} ${to}`)
  swarm.ended.add(`${from} ${to}`).add(`${to} ${from}`)
  swarm.world.begin(() => person.it.unfriend(idOf(swarm, to)))
  return true
}

/** Somebody who is no friend, or none any more, asks to be one and gets no answer. */
function knock(swarm: Swarm, from: string, to: string): boolean {
  const { world, people, ended, plan } = swarm
  const [asking, asked] = [people.get(from)!, people.get(to)!]
  const areFriends = friendsAmong(plan.people).some((pair) => pair.includes(from) && pair.includes(to))
  if (!asking.isBooted || !asked.isBooted || (areFriends && !ended.has(`${from} ${to}`))) return false
  world.begin(async () => {
    const { invite } = await asked.it.createInvite({ lifetimeSeconds: DAY / SECOND, uses: 1 })
    world.begin(() => asking.it.add({ target: invite, petname: `${to} again` }))
  })
  return true
}

/** A relay's operator begins anew, on an empty disk or on a copy of an older one, and gives it a new store ID. */
function replaceDisk(swarm: Swarm, name: string, image: DiskImage | undefined): void {
  const { world } = swarm
  const disk = world.disk(name)
  world.crash(name)
  swarm.relayWatches.get(name)!.newStore()
  if (image === undefined) {
    disk.wipe()
  } else {
    const rows = image.rows.copy()
    const key = { table: TABLE.meta, scope: new Uint8Array(0), position: utf8('custody') }
    rows.apply([{ key, value: undefined }])
    disk.restore({ ...image, rows })
  }
  disk.refusing = undefined
  world.revive(name)
}

/** Somebody without a friend here sends what they made up, and what they overheard. */
function flood(swarm: Swarm, kind: Flood): void {
  const { world, fixture } = swarm
  const stranger = swarm.stranger!
  const random = world.random.fork(`flood at ${world.now}`)
  const { network } = stranger.it
  if (kind === 'envelopes') {
    for (const topic of allTopics(BUCKET_BITS)) {
      world.begin(() => network.publish(topic, random.bytes(4096)))
      for (const { envelope } of random.shuffle(swarm.overheard).slice(0, 4)) {
        world.begin(() => network.publish(topic, envelope))
      }
    }
  } else if (kind === 'records') {
    for (let i = 0; i < 8; i++) world.begin(() => network.putRecord(random.bytes(40), random.bytes(400)))
  } else {
    for (const address of fixture.addresses) {
      world.begin(async () => {
        const link = await network.connect(address)
        await Promise.allSettled(Array.from({ length: 20 }, () => link.call(random.bytes(200), MINUTE)))
        link.close()
      })
    }
  }
}
