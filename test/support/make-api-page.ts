/** Writes docs/API.md anew, after a change of the method table. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { API_VERSION, METHODS } from '../../node/api/methods.ts'
import { describeApi } from '../../node/api/openrpc.ts'
import { apiPage } from './api-page.ts'

await writeFile(join(import.meta.dirname, '../../docs/API.md'), apiPage(describeApi(METHODS, API_VERSION)))
