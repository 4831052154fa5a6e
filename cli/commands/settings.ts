/** `config show|check|set` and `passphrase change`: what a person sets on this machine. */
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import writeFileAtomic from 'write-file-atomic'
import { CONFIG_KEYS, resolveConfig, setConfigValue } from '../../node/config.ts'
import { configPath, loadConfig, readConfigFile, roleOfHome } from '../configuration.ts'
import { type Context, homeOf } from '../context.ts'
import { table } from '../layout.ts'
import { noIdentity } from '../node-session.ts'
import { readNewPassphrase, readPassphrase } from '../passphrase.ts'
import { sanitiseLine } from '../sanitise.ts'
import type { Runner } from './command.ts'

export function addSettingsCommands(program: Command, runner: Runner): void {
  const config = program.command('config').description('what is set, where it came from, and change it')
  config
    .command('show')
    .description('the configuration that holds')
    .option('--origin', 'say where each value came from')
    .action(runner.action(show))
  config
    .command('check')
    .description('check a configuration file and the environment')
    .argument('[file]', 'instead of config.toml in the home')
    .action(runner.action(check))
  config
    .command('set')
    .description('write a value into config.toml; lists are separated by commas')
    .argument('<key>')
    .argument('[value]', 'nothing takes the key out again')
    .action(runner.action(set))
  program
    .command('passphrase')
    .description('the passphrase of your identity')
    .command('change')
    .description('set another one')
    .option('--new-passphrase-file <file>', 'the new one; its first line counts')
    .action(runner.action(changePassphrase))
}

async function show(context: Context, options: { origin?: boolean }): Promise<void> {
  const { out } = context
  const { values, origins, warnings } = await loadConfig(context, await roleOfHome(context))
  for (const warning of warnings) out.note(`warning: ${warning}`)
  if (out.json) return out.object({ config: values, ...(options.origin === true ? { origin: origins } : {}) })
  const rows = CONFIG_KEYS.map((key) => [
    key,
    sanitiseLine(JSON.stringify(values[key] ?? null)),
    ...(options.origin === true ? [`(${sanitiseLine(origins[key].where)})`] : []),
  ])
  return out.lines(table(rows))
}

async function check(context: Context, named: string | undefined): Promise<void> {
  const { out } = context
  const path = named === undefined ? configPath(homeOf(context)) : resolve(named)
  const file = await readConfigFile(path, named !== undefined)
  const { warnings } = resolveConfig({ env: context.env, ...(file === undefined ? {} : { file }) })
  for (const warning of warnings) out.note(`warning: ${warning}`)
  if (out.json) return out.object({ ok: true, file: file === undefined ? null : path, warnings })
  return out.lines([file === undefined ? `no file ${sanitiseLine(path)}: defaults hold` : `${sanitiseLine(path)}: ok`])
}

async function set(context: Context, key: string, value: string | undefined): Promise<void> {
  const { out } = context
  const path = configPath(homeOf(context))
  const file = await readConfigFile(path, false)
  const text = setConfigValue(file?.text ?? '', key, value)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFileAtomic(path, text, { mode: 0o600 })
  for (const warning of resolveConfig({ file: { path, text } }).warnings) out.note(`warning: ${warning}`)
  if (out.json) return out.object({ key, value: value ?? null, file: path })
  await out.lines([`${sanitiseLine(path)}: ${sanitiseLine(key)} ${value === undefined ? 'taken out' : 'set'}`])
  out.hint('a node that runs takes it at its next start')
}

async function changePassphrase(context: Context, options: { newPassphraseFile?: string }): Promise<void> {
  const { out, runtime } = context
  const home = homeOf(context)
  if (!(await runtime.hasIdentity(home))) throw noIdentity(home)
  const old = await readPassphrase(context)
  const fresh = await readNewPassphrase(context, { file: options.newPassphraseFile })
  await runtime.changePassphrase({ home, old, new: fresh })
  if (out.json) return out.object({ changed: true })
  return out.lines(['the passphrase is changed'])
}
