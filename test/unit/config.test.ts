/** The configuration: precedence with origins, mistakes with their place, and changes that leave the rest as it was. */
import { expect } from 'chai'
import {
  CONFIG_KEYS,
  configSchema,
  type ConfigSources,
  flagName,
  homeDirectory,
  isLocalOnly,
  resolveConfig,
  setConfigValue,
  variableName,
} from '../../node/config.ts'
import { ConfigError } from '../../node/errors.ts'

const PEER = '12D3KooWJn3mGhWkzzMYqJpmL3JWtiPgN9XcBZrJgm4K4oSoEEHf'
const RELAY = `/ip4/192.0.2.7/tcp/4301/p2p/${PEER}`
const file = (text: string): ConfigSources => ({ file: { path: 'config.toml', text } })

function network(listen?: string[], given?: string): string {
  return resolveConfig({ flags: { listen, network: given } }).values.network
}

function refusal(run: () => unknown): ConfigError {
  try {
    run()
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError).and.have.property('code', 'CONFIG')
    return error as ConfigError
  }
  throw new Error('expected a ConfigError')
}

describe('configuration', () => {
  describe('precedence', () => {
    it('is flag, environment, file, default, and every origin is told', () => {
      const flags = { logLevel: 'trace' }
      const env = { KITH_LOG_LEVEL: 'debug', KITH_PROFILE: 'light' }
      const text = 'logLevel = "warn"\nprofile = "privacy"\nname = "alice"\n'
      const { values, origins, warnings } = resolveConfig({ flags, env, ...file(text) })
      expect(values).to.include({ logLevel: 'trace', profile: 'light', name: 'alice', relayMaxDays: 30 })
      expect(origins.logLevel).to.deep.equal({ from: 'flag', where: '--log-level' })
      expect(origins.profile).to.deep.equal({ from: 'environment', where: 'KITH_PROFILE' })
      expect(origins.name).to.deep.equal({ from: 'file', where: 'config.toml:3' })
      expect(origins.relayMaxDays).to.deep.equal({ from: 'default', where: 'default' })
      expect(Object.keys(origins)).to.have.members(CONFIG_KEYS)
      expect(warnings).to.deep.equal(['config.toml:3: name is reserved and changes nothing yet'])
    })

    it('takes a flag that is undefined and a variable that is empty as not given', () => {
      const { values } = resolveConfig({
        flags: { name: undefined },
        env: { KITH_NAME: '' },
        ...file('name = "alice"'),
      })
      expect(values.name).to.equal('alice')
    })

    it('checks the weaker sources too', () => {
      const error = refusal(() => resolveConfig({ flags: { profile: 'light' }, env: { KITH_PROFILE: 'fast' } }))
      expect(error.message).to.match(/^KITH_PROFILE: profile: /)
    })

    it('reads lists and numbers from text', () => {
      const { values } = resolveConfig({
        env: { KITH_LISTEN: '/ip4/127.0.0.1/tcp/1, /ip6/::1/tcp/2', KITH_RELAY_MAX_BYTES: '1000000' },
        flags: { relays: RELAY },
      })
      expect(values.listen).to.deep.equal(['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/2'])
      expect(values.relayMaxBytes).to.equal(1_000_000)
      expect(values.relays).to.deep.equal([RELAY])
    })

    it('names every key as flag and as variable, each once', () => {
      expect(flagName('relayMaxDays')).to.equal('--relay-max-days')
      expect(variableName('relayMaxDays')).to.equal('KITH_RELAY_MAX_DAYS')
      expect(new Set(CONFIG_KEYS.map(variableName)).size).to.equal(CONFIG_KEYS.length)
      for (const key of CONFIG_KEYS) expect(configSchema.shape[key].description, key).to.be.a('string')
    })
  })

  describe('defaults', () => {
    it('fit the schema, for a node and for a relay', () => {
      for (const role of ['node', 'relay'] as const) {
        const { values } = resolveConfig({ role })
        expect(configSchema.parse(values)).to.deep.equal(values)
      }
      expect(resolveConfig({ role: 'relay' }).values.listen).not.to.deep.equal(resolveConfig({}).values.listen)
    })

    it('is lan by itself when every listen address given is loopback or private', () => {
      expect(network()).to.equal('public')
      expect(network(['/ip4/127.0.0.1/tcp/0'])).to.equal('lan')
      expect(network(['/ip4/127.0.0.1/tcp/0', '/ip4/0.0.0.0/tcp/0'])).to.equal('public')
      expect(network(['/ip4/127.0.0.1/tcp/0'], 'public')).to.equal('public')
      expect(network([])).to.equal('public')
    })

    it('knows local addresses from others', () => {
      const local = ['ip4/10.1.2.3', 'ip4/192.168.0.1', 'ip4/172.16.0.1', 'ip4/172.31.9.9', 'ip4/169.254.1.1']
      const local6 = ['ip6/::1', 'ip6/fe80::1', 'ip6/fd00::1', 'dns4/localhost']
      for (const each of [...local, ...local6]) expect(isLocalOnly([`/${each}/tcp/1`]), each).to.equal(true)
      const global = [
        'ip4/11.0.0.1',
        'ip4/172.32.0.1',
        'ip4/192.169.0.1',
        'ip6/2001:db8::1',
        'ip6/::',
        'dns4/example.org',
      ]
      for (const each of global) expect(isLocalOnly([`/${each}/tcp/1`]), each).to.equal(false)
    })

    it('tells no friend an address in the profile privacy, unless asked to', () => {
      expect(resolveConfig({}).values.direct).to.equal('lan')
      expect(resolveConfig({ flags: { direct: 'always' } }).warnings).to.deep.equal([])
      expect(resolveConfig({ flags: { profile: 'privacy' } }).values.direct).to.equal('never')
      expect(resolveConfig({ flags: { profile: 'privacy', direct: 'lan' } }).values.direct).to.equal('lan')
    })
  })

  describe('mistakes', () => {
    const wrong: [string, RegExp, RegExp | undefined][] = [
      ['nmae = "x"', /^config\.toml:1: unknown key "nmae"$/, /did you mean name\?/],
      ['# c\n\nlisten = []\nloglevel = "info"', /^config\.toml:4: unknown key "loglevel"$/, /did you mean logLevel\?/],
      ['zzzzzzzz = 1', /unknown key/, /known: name, listen/],
      ['passphrase = "hunter22"', /^config\.toml:1: unknown key "passphrase"$/, /secrets do not belong/],
      ['[relay]\nmaxDays = 3', /^config\.toml:1: unknown key "relay"$/, /did you mean relays\?/],
      ['name = 3', /^config\.toml:1: name: .*expected string/, /what friends see/],
      ['name = ""', /^config\.toml:1: name: /, undefined],
      [`name = "${'x'.repeat(65)}"`, /at most 64 bytes/, undefined],
      ['name = "a\\nb"', /one line/, undefined],
      [
        'listen = [\n  "/ip4/1.2.3.4/tcp/1",\n  "1.2.3.4:80",\n]',
        /^config\.toml:1: listen \(item 2\): expected a multiaddr/,
        undefined,
      ],
      ['listen = "/ip4/1.2.3.4/tcp/1"', /^config\.toml:1: listen/, undefined],
      ['relays = ["/ip4/1.2.3.4/tcp/1"]', /ends in \/p2p\//, undefined],
      [`relays = [${Array.from({ length: 5 }, () => JSON.stringify(RELAY)).join(',')}]`, /relays/, undefined],
      ['network = "wan"', /network: /, undefined],
      ['relayMaxDays = 1.5', /relayMaxDays: /, undefined],
      ['relayMaxDays = 0', /relayMaxDays: /, undefined],
      // more than any of our clients pays
      ['relayClaimBits = 25', /relayClaimBits: /, undefined],
      ['relayMaxClaims = "many"', /relayMaxClaims: /, undefined],
      ['name = "a"\nname = "b"', /^config\.toml:[12]: /, undefined],
      ['name = "a\n', /^config\.toml:1: /, undefined],
      ['__proto__ = 1', /^config\.toml:1: /, undefined],
    ]
    for (const [text, message, hint] of wrong) {
      it(`finds ${JSON.stringify(text.slice(0, 50))}`, () => {
        const error = refusal(() => resolveConfig(file(text)))
        expect(error.message).to.match(message)
        if (hint !== undefined) expect(error.hint).to.match(hint)
      })
    }

    it('never repeats a value: it may be a secret in the wrong place', () => {
      const texts = [
        'passphrase = "hunter22"',
        'profile = "hunter22"',
        'relayMaxDays = "hunter22"',
        'name = "hunter22',
        'hunter22',
      ]
      for (const text of texts) {
        const error = refusal(() => resolveConfig(file(text)))
        expect(`${error.message} ${error.hint}`).not.to.contain('hunter22')
      }
      expect(refusal(() => resolveConfig({ env: { KITH_RELAY_MAX_DAYS: 'hunter22' } })).message).not.to.contain(
        'hunter22',
      )
    })

    it('warns of variables that mean nothing, and refuses unknown flags', () => {
      const { warnings } = resolveConfig({
        env: { KITH_LISTN: 'x', KITH_HOME: '/h', KITH_SERVICE_HOST: 'y', PATH: '/' },
      })
      expect(warnings).to.have.length(2)
      expect(warnings[0]).to.contain('did you mean KITH_LISTEN?')
      expect(refusal(() => resolveConfig({ flags: { lisen: [] } as object })).hint).to.equal('did you mean listen?')
    })

    it('refuses a file above 64 KiB', () => {
      refusal(() => resolveConfig(file(`#${'x'.repeat(64 * 1024)}`)))
    })
  })

  describe('set', () => {
    const text =
      '# my node\nname = "al#ice" # that is me\n\nlisten = [ # here\n  "/ip4/1.2.3.4/tcp/1", # x\n] # end\nprofile = "light"\n'

    it('changes one entry and leaves the rest, comments too', () => {
      expect(setConfigValue(text, 'name', 'bob')).to.equal(text.replace('"al#ice"', '"bob"'))
      expect(setConfigValue(text, 'profile', 'normal')).to.equal(text.replace('light', 'normal'))
    })

    it('replaces a list of several lines', () => {
      const changed = setConfigValue(text, 'listen', '/ip4/1.2.3.4/tcp/2,/ip4/1.2.3.4/tcp/3')
      expect(changed).to.equal(
        '# my node\nname = "al#ice" # that is me\n\nlisten = [ "/ip4/1.2.3.4/tcp/2", "/ip4/1.2.3.4/tcp/3" ] # end\nprofile = "light"\n',
      )
    })

    it('adds what is missing, also behind a last line without an end', () => {
      expect(setConfigValue('', 'relayMaxDays', '7')).to.equal('relayMaxDays = 7\n')
      expect(setConfigValue('name = "a"', 'logLevel', 'debug')).to.equal('name = "a"\nlogLevel = "debug"\n')
    })

    it('removes', () => {
      expect(setConfigValue(text, 'listen', undefined)).to.equal(
        '# my node\nname = "al#ice" # that is me\n\nprofile = "light"\n',
      )
      expect(setConfigValue(text, 'relays', undefined)).to.equal(text)
    })

    it('keeps what a text may hold', () => {
      for (const name of ['"quoted"', 'back\\slash', 'ünï', "'", '#', '"""']) {
        const { values } = resolveConfig(file(setConfigValue(text, 'name', name)))
        expect(values.name).to.equal(name)
      }
    })

    it('refuses what resolve would refuse, and a file that is not TOML', () => {
      expect(refusal(() => setConfigValue(text, 'nmae', 'x')).hint).to.equal('did you mean name?')
      refusal(() => setConfigValue(text, 'relayMaxDays', '1e3'))
      refusal(() => setConfigValue('name = ', 'logLevel', 'info'))
    })
  })

  it('finds the home: flag, KITH_HOME, the place for data', () => {
    const env = { KITH_HOME: '/from/env', XDG_DATA_HOME: '/xdg' }
    expect(homeDirectory({ flag: '/from/flag', env })).to.equal('/from/flag')
    expect(homeDirectory({ env })).to.equal('/from/env')
    if (process.platform === 'linux') {
      expect(homeDirectory({ env: { XDG_DATA_HOME: '/xdg' } })).to.equal('/xdg/kith')
      expect(homeDirectory({ env: { XDG_DATA_HOME: '/xdg' }, role: 'relay' })).to.equal('/xdg/kith-relay')
    }
    refusal(() => homeDirectory({ flag: '' }))
  })
})
