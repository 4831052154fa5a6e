/**
 * Wycheproof's vectors, which the repository does not contain: they are read from the folder named by KITH_VECTORS
 * (the one that holds `wycheproof/`), else from `../shared/vectors` beside the checkout, else the suite is skipped and
 * says so in its title. A folder that was named and does not exist is an error, not a skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface VectorFile<Case, Group> {
  numberOfTests: number
  testGroups: (Group & { tests: Case[] })[]
}

/** What every case of Wycheproof has. */
export interface VectorCase {
  tcId: number
  comment?: string
  flags?: string[]
  result: 'valid' | 'invalid' | 'acceptable'
}

function vectorFolder(): string | undefined {
  const named = process.env.KITH_VECTORS
  if (named) {
    if (!existsSync(named)) throw new Error(`KITH_VECTORS names a folder that does not exist: ${named}`)
    return named
  }
  const beside = join(import.meta.dirname, '..', '..', '..', 'shared', 'vectors')
  return existsSync(beside) ? beside : undefined
}

/**
 * One suite for one file of vectors: `judge` asserts the verdict on one case; that none is left out is checked against
 * the file's own count. `Group` is what the file says once for several cases.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the types of a JSON file, named by the caller
export function describeVectors<Case extends VectorCase, Group = object>(
  file: string,
  judge: (test: Case, group: Group) => void,
): void {
  const folder = vectorFolder()
  if (folder === undefined) {
    describe(`SKIPPED: no Wycheproof vectors for ${file} (set KITH_VECTORS)`, () => {
      it('is not checked on this machine', function () {
        this.skip()
      })
    })
    return
  }
  describe(`Wycheproof ${file}`, () => {
    it('gets the right verdict on every case', () => {
      const vectors = JSON.parse(readFileSync(join(folder, 'wycheproof', file), 'utf8')) as VectorFile<Case, Group>
      const seen = new Set<number>()
      for (const group of vectors.testGroups) {
        for (const test of group.tests) {
          judge(test, group)
          seen.add(test.tcId)
        }
      }
      if (seen.size !== vectors.numberOfTests || seen.size === 0) {
        throw new Error(`expected ${vectors.numberOfTests} cases, judged ${seen.size}`)
      }
    })
  })
}

/** Names a case in a failed assertion. */
export function caseName(test: VectorCase): string {
  return `tcId ${test.tcId} (${[test.comment, ...(test.flags ?? [])].filter(Boolean).join(', ')})`
}
