import { expect } from 'chai'
import { FairTurns } from '../../../node/delivery/fair-turns.ts'
import { settle } from '../../support/manual-clock.ts'
import { rejection } from '../../support/rejection.ts'

/** Work that ends when it is told to. */
function createDesk(places: number) {
  const turns = new FairTurns(places)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const work = (group: string, name: string): Promise<void> =>
    turns.run(group, async () => {
      begun.push(name)
      await new Promise<void>((resolve) => {
        ends.push(resolve)
      })
    })
  const finish = async (): Promise<void> => {
    ends.shift()?.()
    await settle()
  }
  return { turns, begun, work, finish }
}

describe('fair turns', () => {
  it('serve one of each group after the other, however much one of them has to do', async () => {
    const { begun, work, finish } = createDesk(2)
    for (let i = 0; i < 100; i++) void work('much', `much ${i}`)
    void work('little', 'little 0')
    void work('other', 'other 0')
    await settle()
    expect(begun).to.deep.equal(['much 0', 'much 1'])
    for (let i = 0; i < 4; i++) await finish()
    expect(begun.slice(2)).to.deep.equal(['much 2', 'little 0', 'other 0', 'much 3'])
  })

  it('never run more than there are places, and give a place back after a failure', async () => {
    const { turns, begun, work, finish } = createDesk(1)
    expect(await rejection(turns.run('a', () => Promise.reject(new Error('no'))))).to.be.an('error')
    void work('a', 'first')
    void work('a', 'second')
    await settle()
    expect(begun).to.deep.equal(['first'])
    await finish()
    await finish()
    void work('b', 'third')
    await settle()
    expect(begun).to.deep.equal(['first', 'second', 'third'])
  })
})
