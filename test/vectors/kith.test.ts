/**
 * test/vectors/kith/*.json are what the code makes today, so that a change of bytes on the wire or on disk is seen; what is
 * written down for a second implementation names the sections of the document that it shows.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { PROTOCOL_VERSION } from '../../node/limits.ts'
import { MAKERS, VECTORS_FOLDER } from './make.ts'
import { NOW, rendered, VECTORS_VERSION } from './makers/vector-file.ts'

interface WrittenFile {
  protocol: number
  vectors: number
  shows: string[]
  time: number
  cases: { name: string }[]
  refused: { name: string; reason: string; error: string }[]
}

function written(file: string): WrittenFile {
  return JSON.parse(readFileSync(join(VECTORS_FOLDER, file), 'utf8')) as WrittenFile
}

describe('vectors for a second implementation', () => {
  const files = readdirSync(VECTORS_FOLDER)

  it('are one file for each maker', () => {
    expect(files.toSorted()).to.deep.equal(
      Object.keys(MAKERS)
        .map((name) => `${name}.json`)
        .toSorted(),
    )
  })

  for (const [name, make] of Object.entries(MAKERS)) {
    it(`${name}: the code makes these bytes`, async () => {
      const today = JSON.parse(rendered(await make())) as WrittenFile
      const file = written(`${name}.json`)
      for (const part of ['cases', 'refused'] as const) {
        expect(file[part].map((one) => one.name)).to.deep.equal(today[part].map((one) => one.name))
        for (const [i, one] of today[part].entries()) expect(file[part][i], one.name).to.deep.equal(one)
      }
      expect(file).to.deep.equal(today)
    })
  }

  it('state their versions, and sections that the document has', () => {
    const document = readFileSync(join(import.meta.dirname, '../../docs/PROTOCOL.md'), 'utf8')
    const headings = [...document.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading)
    for (const file of files) {
      const { protocol, vectors, shows, time } = written(file)
      expect({ protocol, vectors, time }, file).to.deep.equal({
        protocol: PROTOCOL_VERSION,
        vectors: VECTORS_VERSION,
        time: NOW,
      })
      expect(shows, file).to.have.length.above(0)
      for (const heading of shows) expect(headings, file).to.include(heading)
    }
  })

  it('show each format, and what is refused of it with a reason', () => {
    for (const file of files) {
      const { cases, refused } = written(file)
      expect(cases, file).to.have.length.above(0)
      expect(refused, file).to.have.length.above(0)
      const names = [...cases, ...refused].map(({ name }) => name)
      expect(new Set(names).size, `${file}: names`).to.equal(names.length)
      for (const { name, reason, error } of refused) expect(reason && error, `${file}: ${name}`).to.not.equal('')
    }
  })
})
