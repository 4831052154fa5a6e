/** The schedule is a pure function of options and seed, and keeps to its bounds for every seed. */
import { expect } from 'chai'
import { DEFAULT_OPTIONS, type SwarmOptions } from '../../../../cli/swarm/options.ts'
import { createSchedule, describeFault, type Schedule } from '../../../../cli/swarm/schedule.ts'
import { UsageError } from '../../../../node/errors.ts'

const OPTIONS: SwarmOptions = {
  ...DEFAULT_OPTIONS,
  nodes: 20,
  relays: 3,
  messages: 300,
  duration: 120_000,
  churn: 0.3,
  partitions: [
    { at: 30_000, lasts: 20_000 },
    { at: 45_000, lasts: 10_000 },
  ],
  kills: [
    { role: 'relay', at: 45_000, away: 10_000 },
    { role: 'node', number: 4, at: 50_000 },
  ],
}
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed)

describe('the schedule of a swarm', () => {
  it('is the same for the same seed, and another for another', () => {
    for (const seed of SEEDS) {
      const again = { ...OPTIONS, seed, partitions: [...OPTIONS.partitions], kills: [...OPTIONS.kills] }
      expect(createSchedule({ ...OPTIONS, seed })).to.deep.equal(createSchedule(again))
      expect(createSchedule({ ...OPTIONS, seed })).not.to.deep.equal(createSchedule({ ...OPTIONS, seed: seed + 1 }))
    }
  })

  it('is the same on every machine', () => {
    const { friendships, messages, faults } = createSchedule({
      ...DEFAULT_OPTIONS,
      nodes: 4,
      messages: 2,
      churn: 0.3,
      duration: 120_000,
      partitions: [{ at: 30_000, lasts: 20_000 }],
      seed: 7,
    })
    expect(friendships.slice(4)).to.deep.equal([
      ['n4', 'n2'],
      ['n3', 'n1'],
    ])
    expect(messages.map(({ at, text }) => [at, text])).to.deep.equal([
      [78_284, 'message 1 of n1 to n3'],
      [91_246, 'message 2 of n3 to n2'],
    ])
    expect(faults.slice(0, 2)).to.deep.equal([
      { kind: 'churn', at: 10_281, until: 18_605, who: 'n4', signal: 'SIGTERM' },
      {
        kind: 'partition',
        at: 30_000,
        until: 50_000,
        groups: [
          ['n1', 'n2', 'n4'],
          ['r2', 'n3', 'r1'],
        ],
      },
    ])
  })

  it('joins everybody, with no more friends than were asked for', () => {
    for (const seed of SEEDS) {
      for (const [nodes, friends] of [
        [20, 3],
        [2, 1],
        [3, 2],
        [7, 16],
      ] as const) {
        const schedule = createSchedule({ ...DEFAULT_OPTIONS, nodes, friends, seed })
        const pairs = schedule.friendships.map((pair) => pair.toSorted().join(' '))
        expect(new Set(pairs).size, 'each pair once').to.equal(pairs.length)
        for (const node of schedule.nodes) {
          const degree = schedule.friendships.filter((pair) => pair.includes(node)).length
          expect(degree, `friends of ${node}`).to.be.within(1, friends)
        }
        expect(reached(schedule).size, 'everybody is reached').to.equal(nodes)
      }
    }
  })

  it('writes as many messages as were asked for, between friends, in time', () => {
    for (const seed of SEEDS) {
      const { messages, friendships } = createSchedule({ ...OPTIONS, seed })
      expect(messages).to.have.length(OPTIONS.messages)
      expect(new Set(messages.map(({ text }) => text)).size).to.equal(messages.length)
      expect(messages.map(({ at }) => at)).to.deep.equal(messages.map(({ at }) => at).toSorted((a, b) => a - b))
      for (const { at, from, to } of messages) {
        expect(at).to.be.within(0, OPTIONS.duration - 1)
        expect(friendships.some((pair) => pair.includes(from) && pair.includes(to))).to.equal(true)
      }
    }
  })

  it('ends what it begins, and lets nobody leave who is away', () => {
    for (const seed of SEEDS) {
      const { faults } = createSchedule({ ...OPTIONS, seed })
      for (const { until } of faults) if (until !== undefined) expect(until).to.be.at.most(OPTIONS.duration)
      const absences = faults.filter(({ who }) => who !== undefined)
      for (const [index, one] of absences.entries()) {
        for (const other of absences.slice(index + 1)) {
          if (one.who === other.who) expect(other.at).to.be.above(one.until ?? Number.POSITIVE_INFINITY)
        }
      }
      for (const { groups } of faults.filter(({ kind }) => kind === 'partition')) {
        expect(groups!.flat().toSorted()).to.have.length(OPTIONS.nodes + OPTIONS.relays)
        expect(Math.min(...groups!.map((group) => group.length))).to.be.above(0)
      }
    }
  })

  it('churns about as many nodes as were asked for', () => {
    const counts = SEEDS.map((seed) =>
      createSchedule({ ...OPTIONS, seed }).faults.filter(({ kind }) => kind === 'churn'),
    )
    const mean = counts.flat().length / SEEDS.length
    // 20 nodes at 30 % a minute for two minutes are twelve, less those that would not be back in time
    expect(mean).to.be.within(9, 12)
  })

  it('does not move the messages when a fault is added', () => {
    const without = createSchedule({ ...OPTIONS, churn: 0, kills: [] })
    expect(createSchedule(OPTIONS).messages).to.deep.equal(without.messages)
  })

  it('says of partitions whether they are silent, and of bad links when and how bad they are', () => {
    const { faults } = createSchedule({
      ...DEFAULT_OPTIONS,
      partitions: [{ at: 1000, lasts: 2000, silent: true }],
      loss: [{ rate: 0.02 }],
      stalls: [{ rate: 0.001, window: { at: 500, lasts: 9000 } }],
    })
    expect(faults.map(describeFault)).to.deep.equal([
      'loss 2%',
      'stalls 0.1%',
      `silent partition ${faults[2]!.groups![0].join(' ')}`,
    ])
    const { duration } = DEFAULT_OPTIONS
    expect(faults.map(({ at, until }) => [at, until])).to.deep.equal([
      [0, duration],
      [500, 9500],
      [1000, 3000],
    ])
  })

  it('refuses to kill who is away', () => {
    const kills = [1, 2].map((at): SwarmOptions['kills'][number] => ({ role: 'relay', number: 1, at, away: 5000 }))
    expect(() => createSchedule({ ...OPTIONS, kills })).to.throw(UsageError, 'r1')
  })
})

function reached({ nodes, friendships }: Schedule): Set<string> {
  const found = new Set([nodes[0]!])
  for (const one of found)
    for (const pair of friendships) if (pair.includes(one)) for (const name of pair) found.add(name)
  return found
}
