/** What this machine lets a test do. A suite that may not run says why in its title, and is skipped. */
import { spawnSync } from 'node:child_process'

/** Whether a command ends with status 0. */
function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** How to run something in a network namespace of its own; undefined when this user may not make one. */
export function ownNetwork(): string[] | undefined {
  const ways = [
    ['unshare', '--net'],
    ['unshare', '--net', '--map-root-user'],
  ]
  return ways.find(([command, ...args]) => works(command!, ...args, 'ip', 'link', 'set', 'lo', 'up'))
}

export function hasTmux(): boolean {
  return works('tmux', '-V')
}

export function mayMount(): boolean {
  return process.getuid?.() === 0 && works('unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt')
}

/** The title of a suite, and why it is skipped when `possible` does not hold. */
export function titled(title: string, possible: boolean, needs: string): string {
  return possible ? title : `${title} (SKIPPED: needs ${needs})`
}
