/** The settings of a home: what holds and why, and the file that a change is written to. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { HomeSettings } from '../../../cli/home-settings.ts'
import { CONFIG_KEYS } from '../../../node/config.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('the settings of a home', () => {
  const directory = temporaryDirectories()

  it('lists every key as text, with where it came from', async () => {
    const path = join(await directory(), 'config.toml')
    await writeFile(path, 'logLevel = "debug"\nlisten = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"]\n')
    const env = { KITH_TRUST: 'notify' }
    const settings = new HomeSettings({ path, env, flags: { profile: 'light', relays: undefined } })
    const rows = await settings.list()
    expect(rows.map(({ key }) => key)).to.deep.equal(CONFIG_KEYS)
    const shown = Object.fromEntries(rows.map(({ key, value, origin }) => [key, [value, origin]]))
    expect(shown).to.deep.include({
      logLevel: ['debug', 'file'],
      listen: ['/ip4/127.0.0.1/tcp/1,/ip4/127.0.0.1/tcp/2', 'file'],
      trust: ['notify', 'environment'],
      profile: ['light', 'flag'],
      relays: ['', 'default'],
      name: [null, 'default'],
      relayMaxDays: ['30', 'default'],
    })
    const live = rows.filter(({ restart }) => !restart).map(({ key }) => key)
    expect(live).to.deep.equal(['notify', 'symbols', 'keys'])
    for (const { description } of rows) expect(description).to.match(/^[a-z]/)
  })

  it('writes a value and takes it out again, and leaves the rest as it was', async () => {
    const path = join(await directory(), 'home', 'config.toml')
    const settings = new HomeSettings({ path })
    expect(await settings.set('logLevel', 'debug')).to.include({ key: 'logLevel', value: 'debug', origin: 'file' })
    await writeFile(path, `# mine\n${await readFile(path, 'utf8')}`)
    await Promise.all([settings.set('trust', 'notify'), settings.set('relayMaxDays', '7')])
    expect(await readFile(path, 'utf8')).to.equal('# mine\nlogLevel = "debug"\ntrust = "notify"\nrelayMaxDays = 7\n')
    expect(await settings.set('logLevel', null)).to.include({ value: 'info', origin: 'default' })
    expect(await readFile(path, 'utf8')).to.equal('# mine\ntrust = "notify"\nrelayMaxDays = 7\n')
  })

  it('refuses what does not fit, and goes on', async () => {
    const settings = new HomeSettings({ path: join(await directory(), 'config.toml') })
    for (const [key, value] of [
      ['logLevel', 'loud'],
      ['nothing', 'x'],
      ['relays', '/ip4/192.0.2.1/tcp/1'],
    ] as const) {
      const code = await settings.set(key, value).catch((error: unknown) => (error as { code: string }).code)
      expect(code).to.equal('CONFIG')
    }
    expect(await settings.set('logLevel', 'warn')).to.include({ value: 'warn' })
  })

  it('says when something stronger holds', async () => {
    const path = join(await directory(), 'config.toml')
    const settings = new HomeSettings({ path, env: { KITH_LOG_LEVEL: 'trace' } })
    expect(await settings.set('logLevel', 'warn')).to.include({ value: 'trace', origin: 'environment' })
  })
})
