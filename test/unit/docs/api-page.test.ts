/** docs/API.md is what the method table says today. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { API_VERSION, METHODS } from '../../../node/api/methods.ts'
import { describeApi } from '../../../node/api/openrpc.ts'
import { apiPage } from '../../support/api-page.ts'

describe('the reference page of the API', () => {
  it('is up to date: `node test/support/make-api-page.ts` writes it', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/API.md'), 'utf8')
    expect(page).to.equal(apiPage(describeApi(METHODS, API_VERSION)))
  })

  it('shows each method with a call that is JSON', () => {
    const page = apiPage(describeApi(METHODS, API_VERSION))
    const calls = [...page.matchAll(/```json\n(.*)\n```/g)].map(([, text]) => JSON.parse(text!) as { method: string })
    expect(calls.map(({ method }) => method).toSorted()).to.deep.equal(Object.keys(METHODS).toSorted())
  })
})
