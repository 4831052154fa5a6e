/** Where the built page lies: beside the compiled program, in a checkout in the folder of the build. */
import { join } from 'node:path'

export function pageFolder(): string {
  // dist/cli/page-folder.js, or cli/page-folder.ts
  const root = import.meta.filename.endsWith('.ts')
    ? join(import.meta.dirname, '..', 'dist')
    : join(import.meta.dirname, '..')
  return join(root, 'web')
}
