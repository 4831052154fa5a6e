/** What `kith swarm` refuses before anything is started, and what `kith swarm shell` says when there is nothing to join. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { Shell } from '../../support/shell.ts'
import { temporaryDirectories } from '../../support/temporary-directories.ts'

describe('kith swarm', () => {
  const temporaryDirectory = temporaryDirectories()

  const refused: [string, string[]][] = [
    ['one node', ['--nodes', '1']],
    ['no number', ['--messages', 'many']],
    ['a duration without a unit', ['--duration', '30']],
    ['a churn without a time', ['--churn', '10%']],
    ['half a partition', ['--partition', '20s']],
    ['a partition after the end', ['--duration', '30s', '--partition', '20s@20s']],
    ['a kill of nobody', ['--kill', 'everybody@5s']],
    ['a kill of a relay that is not there', ['--relays', '2', '--kill', 'relay3@5s']],
    ['a kill of who is away', ['--relays', '1', '--kill', 'relay@5s', '--kill', 'relay@9s']],
    ['a metric that is not measured', ['--assert', 'gain=0']],
    ['a demand without a number', ['--assert', 'lost=none']],
    ['an odd subnet', ['--subnet', '65']],
    ['a report that is not there', ['replay', '/nowhere/report.json']],
    ['a shell on no node', ['shell', 'alice']],
  ]
  for (const [name, args] of refused) {
    it(`refuses ${name}, with a hint`, async () => {
      const shell = await Shell.create(await temporaryDirectory())
      const { status, stderr, json } = await shell.run(['--json', 'swarm', ...args], { bare: true })
      expect(status, stderr).to.equal(2)
      expect(json[0]).to.have.nested.property('error.code', 'USAGE')
      expect(json[0]).to.have.nested.property('error.hint').that.is.a('string')
    })
  }

  it('shell: says that no swarm runs, also when one has left its directory', async () => {
    const directory = await temporaryDirectory()
    const left = join(directory, 'kith-swarm-left')
    await mkdir(left, { mode: 0o700 })
    await place(left, 2 ** 30)
    const shell = await Shell.create(directory)
    for (const args of [[], ['--in', left], ['--in', directory]]) {
      const { status, stderr } = await shell.run(['swarm', 'shell', '3', ...args], { bare: true })
      expect(status).to.equal(3)
      expect(stderr).to.include('no swarm runs').and.include('hint: ')
    }
  })

  it('shell: prints settings that a shell can read, for a node that is there', async () => {
    const directory = await temporaryDirectory()
    const left = join(directory, "kith-swarm-it's")
    await mkdir(left, { mode: 0o700 })
    await place(left, process.pid)
    const shell = await Shell.create(directory)
    const { stdout } = await shell.run(['swarm', 'shell', '3'], { bare: true })
    expect(stdout).to.equal(String.raw`export KITH_HOME='/it'\''s/n3' XDG_RUNTIME_DIR='/run'` + '\n')
    const { json } = await shell.run(['--json', 'swarm', 'shell', 'r1'], { bare: true })
    expect(json[0]).to.include({ home: '/r1', runtime: '/run' })
    const { status, stderr } = await shell.run(['swarm', 'shell', '4'], { bare: true })
    expect(status).to.equal(2)
    expect(stderr).to.include('no n4 in this swarm')
  })

  it('shell: does not believe a directory into which others can write', async () => {
    const directory = await temporaryDirectory()
    const open = join(directory, 'kith-swarm-open')
    await mkdir(open)
    await place(open, process.pid)
    await chmod(open, 0o777)
    const shell = await Shell.create(directory)
    expect((await shell.run(['swarm', 'shell', '3'], { bare: true })).status).to.equal(3)
  })
})

async function place(directory: string, pid: number): Promise<void> {
  const homes = { n3: "/it's/n3", r1: '/r1' }
  await writeFile(join(directory, 'swarm.json'), JSON.stringify({ v: 1, pid, homes, runtime: '/run' }))
}
