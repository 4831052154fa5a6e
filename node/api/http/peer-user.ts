/** Whose process is at the other end of a connection on the loopback, as Linux tells it. */
import { readFile } from 'node:fs/promises'

const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']
/** `0100007F:1F90`: an address and a port in hexadecimal. */
const PORT = /:([0-9A-F]{4})$/
/** Columns of a row, parted by spaces. */
const LOCAL = 1
const REMOTE = 2
const USER = 7

/** The two ports of a connection, seen from the other end. */
export interface PeerPorts {
  own: number
  other: number
}

/** User IDs of the sockets that a table of the kernel lists with these ports. */
export function usersIn(table: string, { own, other }: PeerPorts): number[] {
  return table
    .split('\n')
    .slice(1)
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => portOf(columns[LOCAL]) === own && portOf(columns[REMOTE]) === other)
    .map((columns) => Number(columns[USER]))
}

/**
 * Whether a process of this user, or of root, is at the other end.
 * @returns undefined where the system does not tell
 */
export async function isOwnUser(ports: PeerPorts, user = process.getuid?.()): Promise<boolean | undefined> {
  if (process.platform !== 'linux' || user === undefined) return undefined
  const tables = await Promise.all(TABLES.map((path) => readFile(path, 'latin1').catch(() => undefined)))
  if (tables.every((table) => table === undefined)) return undefined
  const users = tables.flatMap((table) => (table === undefined ? [] : usersIn(table, ports)))
  return users.length > 0 && users.every((one) => one === user || one === 0)
}

function portOf(address: string | undefined): number | undefined {
  const port = PORT.exec(address ?? '')?.[1]
  return port === undefined ? undefined : Number.parseInt(port, 16)
}
