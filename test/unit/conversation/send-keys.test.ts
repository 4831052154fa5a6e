/** Idempotency keys: one message a key, kept for a week, and no more of them than the bound. */
import { expect } from 'chai'
import { SendKeys } from '../../../node/conversation/send-keys.ts'
import { toHex } from '../../../node/crypto/bytes.ts'
import { Transaction } from '../../../node/delivery/journal.ts'
import { MAX_SEND_KEYS, SEND_KEY_DAYS } from '../../../node/limits.ts'
import { DAY } from '../../simulation/engine.ts'
import { createWorld, type SimNode, type SimPorts, type World } from '../../simulation/world.ts'

const BOB: Uint8Array = new Uint8Array(32).fill(2)
const CAROL: Uint8Array = new Uint8Array(32).fill(3)

describe('idempotency keys', () => {
  let world: World
  let node: SimNode<{ ports: SimPorts; keys: SendKeys }>
  let sent: string[]

  beforeEach(async () => {
    sent = []
    world = createWorld(1)
    node = await world.start('node', async (ports) => {
      const keys = new SendKeys({ ...ports, max: 5 })
      return { ports, keys }
    })
  })

  async function send(key: string, content = 'hello', friend = BOB): Promise<string> {
    return await node.do(async ({ ports, keys }) => {
      const message = await keys.once({ key, friend, content }, async (remember) => {
        const id = ports.random.bytes(16)
        const tx = new Transaction()
        remember(tx, id)
        await ports.store.write(tx.changes)
        sent.push(content)
        return id
      })
      return toHex(message)
    })
  }

  async function codeOf(key: string, content?: string, friend?: Uint8Array): Promise<string> {
    return await send(key, content, friend).then(
      () => 'sent',
      (error: unknown) => (error as { code: string }).code,
    )
  }

  it('name one message, over restarts', async () => {
    const first = await send('a')
    expect(await send('a')).to.equal(first)
    expect(await send('b')).to.not.equal(first)
    world.crash('node')
    await world.restart('node')
    expect(await send('a')).to.equal(first)
    expect(sent).to.have.length(2)
  })

  it('name one message when asked twice at once', async () => {
    const [first, second] = await Promise.all([send('a'), send('a')])
    expect(second).to.equal(first)
    expect(sent).to.have.length(1)
  })

  it('are not taken for another text or friend', async () => {
    await send('a')
    expect(await codeOf('a', 'other')).to.equal('IDEMPOTENCY_CONFLICT')
    expect(await codeOf('a', 'hello', CAROL)).to.equal('IDEMPOTENCY_CONFLICT')
  })

  it('that were not written are free', async () => {
    const failing = node.do(({ keys }) =>
      keys.once({ key: 'a', friend: BOB, content: 'hello' }, () => Promise.reject(new Error('no'))),
    )
    expect(await failing.catch((error: Error) => error.message)).to.equal('no')
    await send('a')
    expect(sent).to.have.length(1)
  })

  it('are only so many, and go after a week', async () => {
    expect(MAX_SEND_KEYS).to.be.at.least(10_000)
    const first = await send('1')
    for (const key of ['2', '3', '4', '5']) await send(key)
    expect(await codeOf('6')).to.equal('TOO_MANY')
    expect(await send('1')).to.equal(first)
    for (let half = 0; half < 2 * SEND_KEY_DAYS; half++) await world.pass(DAY / 2)
    expect(await codeOf('6')).to.equal('sent')
    expect(await send('1')).to.not.equal(first)
    world.crash('node')
    await world.restart('node')
    for (const key of ['7', '8', '9']) expect(await codeOf(key)).to.equal('sent')
    expect(await codeOf('10')).to.equal('TOO_MANY')
  })
})
