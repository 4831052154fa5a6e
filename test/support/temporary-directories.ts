/** Directories for one test file that are gone when it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Call it inside `describe`, below the hook that stops what lives in the directories: hooks run in their order.
 * The function returned makes a new empty directory (0700), all are deleted after the suite.
 */
export function temporaryDirectories(): () => Promise<string> {
  const made: string[] = []
  after(async () => {
    await Promise.all(made.map((path) => rm(path, { recursive: true, force: true })))
  })
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'kith-test-'))
    made.push(path)
    return path
  }
}
