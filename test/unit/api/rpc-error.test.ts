import { expect } from 'chai'
import { fromRpcError, RPC_ERROR, toRpcError } from '../../../node/api/rpc-error.ts'
import {
  ConfigError,
  ForgedError,
  InternalError,
  KithError,
  NetworkError,
  PeerError,
  StoreError,
  UsageError,
} from '../../../node/errors.ts'

describe('errors on the API', () => {
  for (const Type of [UsageError, ConfigError, PeerError, StoreError, NetworkError, InternalError]) {
    it(`${Type.name} comes back as itself`, () => {
      const back = fromRpcError(toRpcError(new Type('SOME_CODE', 'some text', { hint: 'do this' })))
      expect(back).to.be.instanceOf(Type)
      expect([back.code, back.message, back.hint]).to.deep.equal(['SOME_CODE', 'some text', 'do this'])
    })
  }

  it('a failed decryption stays indistinct', () => {
    expect(fromRpcError(toRpcError(new ForgedError()))).to.be.instanceOf(ForgedError)
  })

  it('a bug of ours tells nothing about itself', () => {
    expect(JSON.stringify(toRpcError(new Error('secret')))).to.not.include('secret')
  })

  it('what the protocol itself refuses is the fault of the caller', () => {
    expect(fromRpcError({ code: RPC_ERROR.unknownMethod, message: 'no' })).to.be.instanceOf(UsageError)
    expect(fromRpcError({ code: RPC_ERROR.invalidParams, message: 'no' }).code).to.equal('INVALID_PARAMS')
    expect(fromRpcError({ code: 1, message: 'no' })).to.be.instanceOf(KithError)
  })
})
