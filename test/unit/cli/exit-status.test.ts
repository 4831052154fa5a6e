import { expect } from 'chai'
import { EXIT_MEANINGS, exitStatusOf, InterruptedError, OutputClosedError } from '../../../cli/exit-status.ts'
import { ConfigError, NetworkError, PeerError, StoreError, UsageError } from '../../../node/errors.ts'

describe('exit statuses', () => {
  const cases: [unknown, number][] = [
    [new UsageError('UNKNOWN_FRIEND', 'x'), 1],
    [new PeerError('X', 'x'), 1],
    [new StoreError('STORE_DAMAGED', 'x'), 1],
    [new Error('x'), 1],
    [new UsageError('USAGE', 'x'), 2],
    [new ConfigError('CONFIG', 'x'), 2],
    [new StoreError('NO_VAULT', 'x'), 2],
    [new StoreError('HOME_IN_USE', 'x'), 3],
    [new NetworkError('NODE_GONE', 'x'), 3],
    [new UsageError('NOT_TRUSTED', 'x'), 4],
    [new NetworkError('TIMED_OUT', 'x'), 5],
    [new NetworkError('UNREACHABLE', 'x'), 5],
    [new UsageError('WRONG_PASSPHRASE', 'x'), 6],
    [new UsageError('PASSPHRASE_NEEDED', 'x'), 6],
    [new InterruptedError(), 130],
    [new OutputClosedError(), 0],
  ]
  for (const [error, status] of cases) {
    const name = error instanceof Error && 'code' in error ? String(error.code) : 'a bug'
    it(`${name} ends with ${status}`, () => expect(exitStatusOf(error)).to.equal(status))
  }

  it('every status of the contract has its meaning', () => {
    expect(EXIT_MEANINGS.map(([status]) => status)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 130])
  })
})
