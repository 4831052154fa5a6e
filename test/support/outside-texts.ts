/** Every reader of text from people or files, with texts that it takes; as bytes of UTF-8, so that they are fuzzed like bytes. */
import { parseDuration } from '../../cli/duration.ts'
import { parseAssertion } from '../../cli/swarm/assertion.ts'
import { parseChurn, parseKill, parseMilliseconds, parsePartition } from '../../cli/swarm/options.ts'
import { LineSplitter } from '../../node/api/line-splitter.ts'
import { resolveConfig, setConfigValue } from '../../node/config.ts'
import { utf8 } from '../../node/crypto/bytes.ts'
import { UsageError } from '../../node/errors.ts'
import { createInvite, decodeInvite, encodeInvite } from '../../node/identity/invite.ts'
import { entropyOf, wordsOf } from '../../node/identity/phrase.ts'
import { idFromText, idToText } from '../../node/identity/root.ts'
import { formatSafetyNumber, matchesSafetyNumber } from '../../node/identity/safety-number.ts'
import { parseServerAddress } from '../../node/network/server-address.ts'
import { peerIdOf, peerIdText } from '../../node/wire/peer-id.ts'
import { NOW, seededRandom, testPerson } from './identity-fixtures.ts'
import type { OutsideDecoder } from './outside-decoders.ts'

const person = testPerson(1)
const random = seededRandom(5)
const { invite } = createInvite(random, {
  id: person.id,
  pin: { events: 0, seq: NOW, hash: random.bytes(32) },
  relays: ['/ip4/192.0.2.1/tcp/4001', '/dns4/relay.example/tcp/443'],
  expires: NOW + 86_400,
})
const link = encodeInvite(invite)
const server = `/ip4/192.0.2.1/tcp/4001/p2p/${peerIdText(peerIdOf(person.deviceKeys.public))}`
const digits = '012345678901234567890123456789012345678901234567890123456789'

const CONFIG = `# a comment
relays = [
  "${server}", # with one of its own
]
direct = "lan"
logLevel = 'info'
`

/** A reader that says no without an error. */
function yes(taken: boolean): void {
  if (!taken) throw new UsageError('NOT_TAKEN', 'not taken')
}

function reader(name: string, read: (text: string) => unknown, ...valid: string[]): OutsideDecoder {
  return { name, read: (bytes) => read(new TextDecoder().decode(bytes)), valid: valid.map(utf8) }
}

/** All of them. */
export const OUTSIDE_TEXTS: readonly OutsideDecoder[] = [
  reader('invite', decodeInvite, link, link.toUpperCase(), link.replaceAll(/.{40}/g, '$&\n')),
  reader('words', entropyOf, wordsOf(person.entropy).join(' '), wordsOf(person.entropy).join('\n').toUpperCase()),
  reader('ID', idFromText, idToText(person.id)),
  reader(
    'safety number',
    (text) => yes(matchesSafetyNumber(digits, text)),
    digits,
    formatSafetyNumber(digits),
    formatSafetyNumber(digits).replaceAll(' ', '-'),
  ),
  reader('address of a server', parseServerAddress, server),
  reader('config file', (text) => resolveConfig({ file: { path: 'config.toml', text } }), CONFIG, ''),
  reader('change of a config file', (text) => setConfigValue(text, 'direct', 'never'), CONFIG),
  reader('variable of the config', (text) => resolveConfig({ env: { KITH_RELAYS: text } }), server),
  reader('duration', (text) => yes(parseDuration(text) !== undefined), '30s', '14d'),
  {
    name: 'lines of the API',
    read: (bytes) => new LineSplitter(200).push(bytes),
    valid: [utf8('{"jsonrpc":"2.0","method":"status","id":1}\n\n{}\n')],
  },
  reader('milliseconds of the swarm', (text) => parseMilliseconds(text, 'duration'), '40ms', '2s'),
  reader('churn of the swarm', parseChurn, '10%/min'),
  reader('partition of the swarm', parsePartition, '20s@30s'),
  reader('kill of the swarm', parseKill, 'node3@50s+20s'),
  reader('assertion of the swarm', parseAssertion, 'lost=0'),
]
