/** The demo where the loopback interface is all there is: no address of this machine, no route, no name server. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect } from 'chai'
import { ownNetwork, titled } from './machine.ts'

const CHECKOUT = resolve(import.meta.dirname, '../..')
const way = ownNetwork()

describe(titled('a machine without a network', way !== undefined, 'unshare, ip, and the right to use them'), () => {
  before(function () {
    if (way === undefined) this.skip()
  })

  function inside(script: string): { status: number | null; stdout: string; stderr: string } {
    const [command, ...args] = way!
    return spawnSync(command!, [...args, 'bash', '-c', `ip link set lo up && ${script}`], {
      cwd: CHECKOUT,
      encoding: 'utf8',
      env: { ...process.env, NODE: process.execPath },
    })
  }

  it('has loopback and nothing else', () => {
    const { stdout } = inside(`"$NODE" -p 'Object.keys(os.networkInterfaces()).join()'`)
    expect(stdout.trim()).to.equal('lo')
    expect(inside('ip route').stdout.trim()).to.equal('')
  })

  it('tells the demo to its end', () => {
    const { status, stdout, stderr } = inside('"$NODE" test/demo/main.ts')
    expect(status, stdout + stderr).to.equal(0)
    expect(stdout).to.include('All of it worked')
  })
})
