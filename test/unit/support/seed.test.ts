/** A failing seed is printed in a way that replays it. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { seedsFor, withReplay } from '../../support/seed.ts'

const MOCHA = new URL('../../../node_modules/mocha/bin/mocha.js', import.meta.url).pathname
const SEED = new URL('../../support/seed.ts', import.meta.url).href

/** What mocha prints of a seeded test that fails at seed 3. */
async function outputOfFailure(environment: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kith-seed-'))
  try {
    const file = join(folder, 'sample.mjs')
    await writeFile(
      file,
      `import { seeded } from '${SEED}'
       describe('sample (of one)', () => seeded('fails', 5, (seed) => { if (seed === 3) throw new Error('bad luck') }))`,
    )
    const { KITH_SEED: _one, KITH_SEEDS: _many, ...rest } = process.env
    return await new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [MOCHA, '--no-config', file],
        { env: { ...rest, ...environment } },
        (_, stdout, stderr) => resolve(stdout + stderr),
      )
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('seeds of tests', () => {
  it('prints the seed that failed and the command that replays it', async () => {
    const output = await outputOfFailure({})
    expect(output).to.include('bad luck')
    expect(output).to.include(String.raw`replay: KITH_SEED=3 npx mocha --grep 'sample \(of one\) fails'`)
  })

  it('runs the seed that is named, or as many as are wanted', async () => {
    expect(await outputOfFailure({ KITH_SEED: '2' })).to.include('1 passing')
    expect(await outputOfFailure({ KITH_SEED: '3' })).to.include('1 failing')
    expect(await outputOfFailure({ KITH_SEEDS: '2' })).to.include('1 passing')
  })

  it('makes an error of whatever was thrown', () => {
    expect(withReplay('text', 4, "it's").message).to.equal("text\n  replay: KITH_SEED=4 npx mocha --grep 'it.s'")
    expect(seedsFor(0)).to.be.an('array')
  })
})
