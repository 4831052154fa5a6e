/** Keys of the page: once, for a minute, so many, and for whom; and whose process is at the other end. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect } from 'chai'
import { PageKeys } from '../../../../node/api/http/page-keys.ts'
import { isOwnUser, usersIn } from '../../../../node/api/http/peer-user.ts'
import { MAX_PAGE_KEYS, PAGE_KEY_SECONDS } from '../../../../node/limits.ts'

describe('the keys of the page', () => {
  let now: number
  let keys: PageKeys

  beforeEach(() => {
    now = 0
    keys = new PageKeys(() => now)
  })

  it('T46 a key is good once, and for a minute', () => {
    const [first, second] = [keys.make(false), keys.make(false)]
    expect([keys.use(first, true), keys.use(first, true), keys.use('', true)]).to.deep.equal([true, false, false])
    now = PAGE_KEY_SECONDS * 1000
    expect(keys.use(second, true)).to.equal(false)
  })

  it('T46 so many wait, and the oldest gives way', () => {
    const made = Array.from({ length: MAX_PAGE_KEYS + 1 }, () => keys.make(false))
    expect(made.map((key) => keys.use(key, true))).to.deep.equal([false, ...made.slice(1).map(() => true)])
  })

  it('T46 a key that others may have seen is good for this user alone, and stays so when another tries it', () => {
    const [seen, told] = [keys.make(true), keys.make(false)]
    expect([keys.use(seen, false), keys.use(seen, true)]).to.deep.equal([false, true])
    expect(keys.use(told, false)).to.equal(true)
    // where the system does not tell, a key is as good as any
    expect(keys.use(keys.make(true), undefined)).to.equal(true)
  })

  it('T46 the kernel tells whose connection it is', async function () {
    if (process.platform !== 'linux') this.skip()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port: other } = server.address() as AddressInfo
    const client = connect(other, '127.0.0.1')
    await once(client, 'connect')
    const ports = { own: client.localPort!, other }
    const user = process.getuid!()
    expect(await isOwnUser(ports)).to.equal(true)
    if (user !== 0) expect(await isOwnUser(ports, user + 1)).to.equal(false)
    expect(await isOwnUser({ ...ports, own: 1 })).to.equal(false)
    client.destroy()
    server.close()
  })

  it('reads the tables of the kernel, the newer addresses as well', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:996E 0100007F:111C 01 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 20 4 30 10 -1',
      '   1: 0000000000000000FFFF00000100007F:996E 0000000000000000FFFF00000100007F:111C 01 00000000:00000000 00:00000000 00000000  1001        0 1 1',
      '   2: 0100007F:111C 0100007F:996E 01 00000000:00000000 00:00000000 00000000  1002        0 1 1',
      '',
    ].join('\n')
    expect(usersIn(table, { own: 0x996e, other: 0x111c })).to.deep.equal([1000, 1001])
    expect(usersIn(table, { own: 0x996f, other: 0x111c })).to.deep.equal([])
  })
})
