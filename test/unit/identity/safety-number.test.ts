import { expect } from 'chai'
import { typeKey } from '../../../node/crypto/key-type.ts'
import { createDevice, deviceEntry } from '../../../node/identity/device-keys.ts'
import { createKeyEvent } from '../../../node/identity/root.ts'
import { formatSafetyNumber, matchesSafetyNumber, safetyNumber } from '../../../node/identity/safety-number.ts'
import { codeOf, seededRandom, testPerson } from '../../support/identity-fixtures.ts'

describe('identity/safety-number', () => {
  const alice = testPerson(1)
  const bob = testPerson(2)
  const number = safetyNumber(alice.record(), bob.record())

  it('has 60 digits and is the same on both sides', () => {
    expect(number).to.match(/^\d{60}$/)
    expect(safetyNumber(bob.record(), alice.record())).to.equal(number)
  })

  it('T7 does not change with devices, relays, versions or the sequence', () => {
    const changed = alice.record({
      seq: alice.record().record.seq + 5,
      devices: [deviceEntry(alice.device), deviceEntry(createDevice(seededRandom(9), 0))],
      revoked: [deviceEntry(createDevice(seededRandom(10), 0)).signing],
      maxVersion: 2,
    })
    expect(safetyNumber(changed, bob.record())).to.equal(number)
  })

  it('T7 changes with the root key, with the ID, and with nothing else that could stand in for them', () => {
    const rotated = alice.record({ events: [createKeyEvent(alice.entropy, [])] })
    expect(safetyNumber(rotated, bob.record())).not.to.equal(number)
    expect(safetyNumber({ root: alice.record().root, id: bob.id }, bob.record())).not.to.equal(number)
    const device = { root: deviceEntry(alice.device).signing, id: alice.id }
    expect(safetyNumber(device, bob.record())).not.to.equal(number)
  })

  it('T7 takes a typed root key and an ID, and nothing that has another form', () => {
    const { root, id } = alice.record()
    const device = deviceEntry(alice.device)
    const wrong: [Uint8Array, Uint8Array][] = [
      [root.subarray(1), id],
      [device.identity, id],
      [typeKey('x25519', root.subarray(1)), id],
      [new Uint8Array(33), id],
      [id, root],
      [root, device.signing],
      [root, device.identity],
      [root, id.subarray(1)],
    ]
    for (const [key, identifier] of wrong) {
      expect(codeOf(() => safetyNumber({ root: key, id: identifier }, bob.record()))).not.to.equal(undefined)
      expect(codeOf(() => safetyNumber(bob.record(), { root: key, id: identifier }))).not.to.equal(undefined)
    }
  })

  it('is shown in groups of five and recognised however it is typed', () => {
    const shown = formatSafetyNumber(number)
    expect(shown).to.match(/^(\d{5} ){11}\d{5}$/)
    expect(matchesSafetyNumber(number, shown)).to.equal(true)
    expect(matchesSafetyNumber(number, `${shown.slice(0, 30)}\n${shown.slice(30)}`)).to.equal(true)
    expect(matchesSafetyNumber(number, number.slice(1))).to.equal(false)
    expect(matchesSafetyNumber(number, '')).to.equal(false)
  })
})
