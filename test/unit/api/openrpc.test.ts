/** `rpc.discover` is an OpenRPC document: what its meta-schema requires, and each example a call that the table takes. */
import { expect } from 'chai'
import { API_VERSION, findMethod, METHODS } from '../../../node/api/methods.ts'
import { describeApi, type OpenRpcDocument } from '../../../node/api/openrpc.ts'
import { SCOPES } from '../../../node/api/caller.ts'

/** Of OpenRPC 1.3's meta-schema: the fields of each kind of object; those that begin with `x-` are free. */
const FIELDS = {
  document: { required: ['openrpc', 'info', 'methods'], allowed: ['servers', 'components', 'externalDocs', '$schema'] },
  info: { required: ['title', 'version'], allowed: ['description', 'termsOfService', 'contact', 'license'] },
  method: {
    required: ['name', 'params'],
    allowed: [
      'summary',
      'description',
      'tags',
      'paramStructure',
      'errors',
      'links',
      'examples',
      'result',
      'deprecated',
    ],
  },
  descriptor: { required: ['name', 'schema'], allowed: ['description', 'summary', 'required', 'deprecated'] },
  pairing: { required: ['name', 'params'], allowed: ['description', 'summary', 'result'] },
  example: { required: ['name', 'value'], allowed: ['summary', 'description', 'externalValue'] },
}

function check(kind: keyof typeof FIELDS, value: object): void {
  const { required, allowed } = FIELDS[kind]
  const names = Object.keys(value)
  expect(names, kind).to.include.members(required)
  for (const name of names) if (!name.startsWith('x-')) expect([...required, ...allowed], kind).to.include(name)
}

describe('the OpenRPC document', () => {
  const document = describeApi(METHODS, API_VERSION)

  it('has what the specification requires, and nothing that it does not know', () => {
    check('document', document)
    expect(document.openrpc).to.match(/^1\.\d+\.\d+$/)
    check('info', document.info)
    for (const method of document.methods) {
      check('method', method)
      expect(method.paramStructure).to.be.oneOf(['by-name', 'by-position', 'either'])
      for (const param of method.params) check('descriptor', param)
      check('descriptor', method.result)
      for (const pairing of method.examples) {
        check('pairing', pairing)
        for (const example of pairing.params) check('example', example)
      }
    }
  })

  it('names every method once, with scope and summary', () => {
    expect(document.methods.map(({ name }) => name)).to.deep.equal(Object.keys(METHODS))
    for (const method of document.methods) {
      expect(method.summary, method.name).to.match(/^[A-Z].*\.$/)
      expect([...SCOPES, 'none']).to.include(method['x-scope'])
    }
  })

  it('has its schemas whole: no reference leads out of one', () => {
    expect(JSON.stringify(document)).to.not.include('$ref')
  })

  for (const { name, params, examples } of document.methods) {
    it(`shows a call of ${name} that is taken`, () => {
      const given = examples[0]!.params
      expect(params.map((param) => param.name)).to.include.members(given.map((param) => param.name))
      for (const { name: param, required } of params) {
        if (required) expect(given.map((one) => one.name)).to.include(param)
      }
      const call = Object.fromEntries(given.map(({ name: key, value }) => [key, value]))
      expect(findMethod(name)!.params.safeParse(call).success).to.equal(true)
    })
  }

  it('is what rpc.discover answers', async () => {
    const discovered = METHODS['rpc.discover'].result.parse(await findMethod('rpc.discover')!.run(undefined!, {}))
    expect(discovered).to.deep.equal(JSON.parse(JSON.stringify(document)) as OpenRpcDocument)
  })
})
