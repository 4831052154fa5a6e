/** The log: what never stands in it, what stands there only for debugging, and that its file has a bound. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ComponentLogger as Libp2pComponentLogger } from '@libp2p/interface'
import { expect } from 'chai'
import { scrubText, scrubValue } from '../../node/log-scrubber.ts'
import { createLogger, type LogLevel, openLogFile } from '../../node/logger.ts'
import { temporaryDirectories } from '../support/temporary-directories.ts'

const PEER = '12D3KooWJn3mGhWkzzMYqJpmL3JWtiPgN9XcBZrJgm4K4oSoEEHf'
const ID = 'kith1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce6mua7l'

function recorder(level?: LogLevel) {
  const lines: string[] = []
  const logger = createLogger({ level, sink: { write: (line) => lines.push(line) } })
  return { logger, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

/** Levels that are written by a log of `level`. */
function written(level: LogLevel): unknown[] {
  const { logger, records } = recorder(level)
  for (const severity of ['debug', 'info', 'warn', 'error'] as const) logger[severity]('x')
  return records().map((record) => record['level'])
}

describe('log', () => {
  const temporaryDirectory = temporaryDirectories()

  it('is a JSON object a line, with level, time, message and detail, and nothing of the machine', () => {
    const { logger, lines, records } = recorder()
    logger.warn('disk is slow', { milliseconds: 300, table: 'outbox' })
    expect(lines).to.have.length(1)
    expect(lines[0]!.endsWith('\n')).to.equal(true)
    const [record] = records()
    expect(record).to.have.all.keys('level', 'time', 'msg', 'detail')
    expect(record).to.deep.include({
      level: 'warn',
      msg: 'disk is slow',
      detail: { milliseconds: 300, table: 'outbox' },
    })
    expect(record!['time']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('lets no detail pass for the message, and formats nothing in a message', () => {
    const { logger, records } = recorder()
    logger.info('100%s %o of it', { msg: 'forged', level: 'error', time: 0 })
    expect(records()[0]).to.deep.include({ msg: '100%s %o of it', level: 'info' })
  })

  it('logs from the level on', () => {
    expect(written('error')).to.deep.equal(['error'])
    expect(written('info')).to.deep.equal(['info', 'warn', 'error'])
    expect(written('trace')).to.deep.equal(['debug', 'info', 'warn', 'error'])
  })

  describe('T40 scrubbing', () => {
    const always = [ID, ID.toUpperCase(), `kithinvite1${'q'.repeat(80)}`, 'ab'.repeat(32), 'A1b2'.repeat(11)]
    it('T40 never shows an identity, an invite, a key or a signature in full', () => {
      for (const secret of always) {
        for (const debugging of [false, true]) {
          const scrubbed = scrubText(`before ${secret} after`, debugging)
          expect(scrubbed).not.to.contain(secret.slice(0, 12))
          expect(scrubbed).to.match(/^before \S*… ?\S{4} after$/)
        }
      }
    })

    it('T40 shows addresses and peer IDs only when debugging', () => {
      const text = `dial /ip4/203.0.113.9/tcp/4301/p2p/${PEER} and /ip6/2001:db8::7/tcp/1 and /dns4/relay.example/tcp/1, [2001:db8::8]:80, ::1`
      expect(scrubText(text, true)).to.equal(text)
      const scrubbed = scrubText(text, false)
      for (const address of ['203.0.113', '2001:db8', 'relay.example', '::1', PEER.slice(0, 12)]) {
        expect(scrubbed).not.to.contain(address)
      }
      expect(scrubbed).to.contain('12D3…EEHf')
    })

    it('leaves times, versions and words alone', () => {
      const text = 'at 12:34:56 version 1.2.3 took 3.5 s: kith relay, 10:00'
      expect(scrubText(text, false)).to.equal(text)
    })

    it('hides private fields, bytes and what lies deep, and bounds everything', () => {
      const detail = {
        text: 'hello',
        nested: { petname: 'bob', passphraseFile: '/x' },
        key: new Uint8Array(32),
        count: 3n,
      }
      expect(scrubValue(detail, true)).to.deep.equal({
        text: '[private]',
        nested: { petname: '[private]', passphraseFile: '[private]' },
        key: '[32 bytes]',
        count: '3',
      })
      const loop: Record<string, unknown> = {}
      loop['loop'] = loop
      expect(JSON.stringify(scrubValue(loop, true)).length).to.be.lessThan(100)
      expect(
        scrubValue(
          Array.from({ length: 1000 }, () => 1),
          true,
        ),
      ).to.have.length(32)
      expect(scrubText('word '.repeat(10_000), true).length).to.be.lessThan(2100)
    })

    it('shows an error with code and cause, scrubbed', () => {
      const error = Object.assign(new Error(`no way to 203.0.113.9`, { cause: new Error(ID) }), { code: 'UNREACHABLE' })
      const { logger, lines } = recorder()
      logger.warn('dial failed', { error })
      expect(lines[0]).to.contain('UNREACHABLE').and.contain('no way to [ip]')
      expect(lines[0]).not.to.contain('203.0.113.9').and.not.contain(ID)
    })

    it('passes no control characters or bidi marks on to a terminal', () => {
      const { logger, lines } = recorder()
      logger.info('a\u001b[31m\u009b31m\u202eb\r\nc')
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      expect(lines[0]!.trimEnd()).not.to.match(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    })
  })

  describe('for libp2p', () => {
    it('is a ComponentLogger of libp2p, quiet at the default level', () => {
      const { logger, lines } = recorder()
      const components: Libp2pComponentLogger = logger
      const log = components.forComponent('libp2p:dialer')
      expect(log.enabled).to.equal(false)
      log('dialing %s', 'x')
      log.error('failed %e', new Error('x'))
      log.trace('x')
      expect(lines).to.deep.equal([])
    })

    it('fills in its format letters, and calls its errors debug: they are the network’s', () => {
      const { logger, records } = recorder('trace')
      const log = logger.forComponent('libp2p')
      expect(log.enabled).to.equal(true)
      const peer = { toString: () => PEER }
      log('dial %p took %d ms, 100%% of %o', peer, 12, { a: 1 })
      log.error('failed %e', new TypeError('bad'), 'and more')
      log.newScope('dht').trace('%b', new Uint8Array(3))
      log(new Error('alone'))
      expect(
        records().map(({ level, msg, detail }) => [level, msg, (detail as { component: string }).component]),
      ).to.deep.equal([
        ['debug', `dial ${PEER} took 12 ms, 100% of {"a":1}`, 'libp2p'],
        ['debug', 'failed TypeError: bad and more', 'libp2p'],
        ['trace', '[3 bytes]', 'libp2p:dht'],
        ['debug', 'Error: alone', 'libp2p'],
      ])
    })
  })

  describe('file', () => {
    it('is the owner’s alone, goes on where it stopped, and never grows above its bound', async () => {
      const path = join(await temporaryDirectory(), 'node.log')
      const first = openLogFile(path, 100)
      first.write(`${'a'.repeat(59)}\n`)
      first.close()
      expect((await stat(path)).mode & 0o777).to.equal(0o600)
      const second = openLogFile(path, 100)
      second.write(`${'b'.repeat(39)}\n`)
      expect((await stat(path)).size).to.equal(100)
      second.write(`${'c'.repeat(9)}\n`)
      expect(await readFile(path, 'utf8')).to.equal(`${'c'.repeat(9)}\n`)
      expect((await stat(`${path}.1`)).size).to.equal(100)
      for (let i = 0; i < 50; i++) second.write(`${'d'.repeat(29)}\n`)
      second.close()
      for (const each of [path, `${path}.1`]) expect((await stat(each)).size).to.be.at.most(100)
    })

    it('does not throw when the disk refuses, and says later how much was lost', async () => {
      const directory = join(await temporaryDirectory(), 'gone')
      await mkdir(directory)
      const path = join(directory, 'node.log')
      const log = openLogFile(path, 10)
      log.write('123456789\n')
      await rm(directory, { recursive: true })
      log.write('lost one\n')
      log.write('lost two\n')
      await mkdir(directory)
      log.write('back\n')
      log.close()
      const text = await readFile(path, 'utf8')
      expect(text).to.contain('2 lines were lost').and.contain('back')
    })
  })
})
