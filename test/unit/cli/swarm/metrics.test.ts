/** What is lost, twice, out of order and late is found in the records of a run. */
import { expect } from 'chai'
import { evaluate, type LoggedMessage, percentile, type Recording } from '../../../../cli/swarm/metrics.ts'

/** n1 writes a, n2 sees it and writes b, n1 sees that: nothing is wrong. */
function clean(): Recording {
  return {
    messages: [
      { from: 'n1', to: 'n2', text: 'text a', plannedAt: 0, sentAt: 10, outcome: 'accepted', messageId: 'a' },
      { from: 'n2', to: 'n1', text: 'text b', plannedAt: 50, sentAt: 60, outcome: 'accepted', messageId: 'b' },
    ],
    logs: {
      n1: [out('a', 11), state('a', 20, 'custody'), state('a', 40, 'delivered'), come('b', 80)],
      n2: [come('a', 30, 'n1'), out('b', 61, 'n1'), state('b', 95, 'delivered')],
    },
    histories: { n1: { n2: ['a', 'b'] }, n2: { n1: ['a', 'b'] } },
    strikes: [],
    relaysOf: { n1: ['r1'], n2: ['r1'] },
    usage: { n1: { memoryMaxBytes: 3 * 1024 ** 2, cpuMs: 1500, starts: 1 } },
    seconds: { start: 1, friends: 2, settle: 3 },
    held: 6,
    links: { opened: 4, refused: 5, swallowed: 7, broken: 8, lost: 9, stalled: 10 },
  }
}

function out(messageId: string, at: number, friend = 'n2'): LoggedMessage {
  return { at, messageId, kind: 'out', friend }
}

function come(messageId: string, at: number, friend = 'n2'): LoggedMessage {
  return { at, messageId, kind: 'in', friend }
}

function state(messageId: string, at: number, kind: 'custody' | 'delivered'): LoggedMessage {
  return { at, messageId, kind }
}

describe('the findings of a run', () => {
  it('are good when all arrived once and in order', () => {
    const { metrics, lost, duplicated, disordered } = evaluate(clean())
    expect({ lost, duplicated, disordered }).to.deep.equal({ lost: [], duplicated: [], disordered: [] })
    expect(metrics).to.include({
      planned: 2,
      accepted: 2,
      arrived: 2,
      acknowledged: 2,
      lost: 0,
      duplicated: 0,
      disordered: 0,
    })
    expect(metrics).to.include({
      arrivalP50Ms: 20,
      arrivalMaxMs: 20,
      custodyP99Ms: 10,
      deliveredP50Ms: 30,
      deliveredP99Ms: 35,
    })
    expect(metrics).to.include({ memoryMaxMiB: 3, cpuMaxSeconds: 1.5, connections: 4, refusedConnections: 5 })
    expect(metrics).to.include({ heldBack: 6, swallowedConnections: 7, brokenConnections: 8 })
    expect(metrics).to.include({ lostChunks: 9, stalledChunks: 10 })
    expect(metrics.recoveryMaxMs).to.equal(null)
  })

  it('call lost what was accepted and is not in the history of the friend, although the log told it', () => {
    const recording = clean()
    recording.histories.n2 = { n1: ['b'] }
    const { metrics, lost } = evaluate(recording)
    expect(metrics.lost).to.equal(1)
    expect(lost).to.deep.equal(['text a'])
  })

  it('call nothing lost that was not accepted, or whose end is gone for good', () => {
    const recording = clean()
    recording.messages[0]!.outcome = 'unanswered'
    delete recording.messages[0]!.messageId
    delete recording.histories.n1
    recording.histories.n2 = { n1: [] }
    const { metrics } = evaluate(recording)
    expect(metrics).to.include({ lost: 0, accepted: 1, unanswered: 1, undecided: 1 })
  })

  it('find what is shown twice, in a log and in a history', () => {
    const log = clean()
    log.logs.n2!.push(come('a', 99, 'n1'))
    expect(evaluate(log).duplicated).to.deep.equal(['a twice in the log of n2'])
    const history = clean()
    history.histories.n1 = { n2: ['a', 'b', 'a'] }
    expect(evaluate(history).metrics.duplicated).to.equal(1)
  })

  it('find an answer that is shown before what it answers', () => {
    const recording = clean()
    recording.histories.n1 = { n2: ['b', 'a'] }
    const { metrics, disordered } = evaluate(recording)
    expect(metrics.disordered).to.equal(1)
    expect(disordered[0]).to.include('n1 shows b of n2 before a')
  })

  it('let stand in any order what neither author knew of', () => {
    const recording = clean()
    recording.logs.n2 = [out('b', 61, 'n1'), come('a', 70, 'n1')]
    recording.histories = { n1: { n2: ['b', 'a'] }, n2: { n1: ['b', 'a'] } }
    // n1 wrote a before b came, n2 wrote b before a came
    expect(evaluate(recording).metrics.disordered).to.equal(0)
  })

  it('keep conversations apart', () => {
    const recording = clean()
    recording.logs.n1!.unshift(out('c', 1, 'n3'))
    recording.histories.n1 = { n2: ['a', 'b'], n3: ['c'] }
    expect(evaluate(recording).metrics.disordered).to.equal(0)
  })

  it('measure how long it takes after a partition until a message crosses it', () => {
    const recording = clean()
    const partition = {
      kind: 'partition' as const,
      at: 0,
      until: 25,
      groups: [['n1', 'r1'], ['n2']] as [string[], string[]],
    }
    const node = { kind: 'churn' as const, at: 0, until: 78, who: 'n1', signal: 'SIGTERM' as const }
    const relay = { kind: 'kill' as const, at: 50, who: 'r1', signal: 'SIGKILL' as const }
    const never = { ...node, until: 500 }
    const lossy = { kind: 'loss' as const, at: 0, until: 500, rate: 0.1 }
    recording.strikes = [
      { fault: partition, began: 0, ended: 25 },
      { fault: node, began: 0, ended: 78 },
      { fault: relay, began: 50 },
      { fault: never, began: 90, ended: 500 },
      { fault: lossy, began: 0, ended: 20 },
    ]
    const { recoveries, metrics } = evaluate(recording)
    expect(recoveries.map(({ recoveryMs }) => recoveryMs)).to.deep.equal([5, 2, 30, undefined, undefined])
    expect(metrics).to.include({ recoveryMaxMs: 30, unrecovered: 1 })
  })

  it('take percentiles by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([1, 50, 95, 99, 100].map((percent) => percentile(values, percent))).to.deep.equal([1, 50, 95, 99, 100])
    expect(percentile([7], 50)).to.equal(7)
    expect(percentile([], 50)).to.equal(null)
  })
})
