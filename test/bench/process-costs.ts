/** What the system says of other processes: memory and processor time, from /proc; undefined where there is none. */
import { readFile } from 'node:fs/promises'

const KIB_PER_MB = 1000 / 1.024
/** Linux counts processor time for programs in hundredths of a second, whatever the kernel's own clock is. */
const MS_PER_TICK = 10

/** Resident memory in megabytes. */
export async function residentOf(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status)
  return found ? Number(found[1]) / KIB_PER_MB : undefined
}

/** Milliseconds that the processor worked for all threads of a process since its start. */
export async function processorTimeOf(pid: number | undefined): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  if (stat === '') return undefined
  // the name may hold spaces and parentheses: the fields are counted behind it
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [fields[11], fields[12]].map(Number)
  return (user! + system!) * MS_PER_TICK
}
