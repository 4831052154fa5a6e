/** From the start of a process to its ready line: a node, a relay, bare libp2p with the same services, Node.js alone. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { argon2id } from '../../node/crypto/argon2.ts'
import { PASSPHRASE_COST } from '../../node/store/vault.ts'
import type { KithProcess } from '../support/kith-process.ts'
import { startBare } from './bare-peer.ts'
import type { Bench } from './bench.ts'
import { median, timed } from './measure.ts'
import { Group } from './report.ts'

const NO_CACHE = 'NODE_DISABLE_COMPILE_CACHE'

export async function benchStart(bench: Bench): Promise<Group> {
  const group = new Group('Start of a process to ready')
  const nodes = await bench.nodes()
  const [person, relay] = [nodes.node('person', 'up'), nodes.node('relay', 'relay')]
  await person.ask('init', '--name', 'Alice')
  const times: Record<'node' | 'bare' | 'argon' | 'up' | 'cached' | 'relay', number[]> = {
    node: [],
    bare: [],
    argon: [],
    up: [],
    cached: [],
    relay: [],
  }
  for (let i = 0; i < bench.amount(11, 2); i++) {
    times.node.push(await nothing())
    times.bare.push(await bare(bench))
    times.argon.push((await timed(() => argon2id(randomBytes(20), randomBytes(16), PASSPHRASE_COST))).ms)
    times.cached.push(await start(person))
    process.env[NO_CACHE] = '1'
    times.up.push(await start(person))
    times.relay.push(await start(relay))
    delete process.env[NO_CACHE]
  }
  const base = group.times('node -e 0, to its end', times.node)
  const stack = group.times('bare libp2p with the same services', times.bare, base)
  const argon = group.times("the vault's Argon2id (64 MiB, 3 passes), in this process", times.argon)
  const up = group.times('kith up', times.up, stack)
  group.times('kith up, compiled code of an earlier start at hand', times.cached, stack)
  group.times('kith relay, which has no vault', times.relay, stack)
  const part = (100 * argon.p50!) / median(times.up)
  group.note(
    `Argon2id is ${part.toFixed(0)} % of the start of kith up; without it that is ${rest(up.p50!, argon.p50!)}`,
  )
  group.note('TypeScript is stripped at each start of a checkout; a package carries compiled files')
  return group
}

function rest(up: number, argon: number): string {
  return `${(up - argon).toFixed(0)} ms`
}

async function nothing(): Promise<number> {
  return (await timed(() => once(spawn(process.execPath, ['-e', '0']), 'close'))).ms
}

async function bare(bench: Bench): Promise<number> {
  const { ms, result } = await timed(() => startBare(bench, 'libp2p'))
  await result.process.stop()
  return ms
}

async function start(node: KithProcess): Promise<number> {
  const { ms } = await timed(() => node.start())
  await node.stop()
  return ms
}
