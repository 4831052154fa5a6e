/**
 * The settings of a home as faces list and change them: what the config file, the environment and flags say together, each
 * time read anew, and the file written whole with one key changed. A node that runs takes them at its next start.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import type { SettingRow, SettingsService } from '../node/api/service.ts'
import {
  type Config,
  CONFIG_KEYS,
  type ConfigSources,
  configSchema,
  FACE_KEYS,
  resolveConfig,
  setConfigValue,
} from '../node/config.ts'
import { readConfigFile } from './configuration.ts'

export interface HomeSettingsInit extends Pick<ConfigSources, 'role' | 'flags' | 'env'> {
  /** The config file; it need not be there. */
  path: string
}

export class HomeSettings implements SettingsService {
  readonly #init: HomeSettingsInit
  /** One change at a time: the file is read, changed and written whole. */
  #writing: Promise<void> = Promise.resolve()

  constructor(init: HomeSettingsInit) {
    this.#init = init
  }

  async list(): Promise<SettingRow[]> {
    const { path, ...sources } = this.#init
    const file = await readConfigFile(path, false)
    const { values, origins } = resolveConfig({ ...sources, ...(file && { file }) })
    return CONFIG_KEYS.map((key) => ({
      key,
      value: textOf(values[key]),
      origin: origins[key].from,
      description: configSchema.shape[key].description ?? '',
      restart: !FACE_KEYS.has(key),
    }))
  }

  async set(name: string, value: string | null): Promise<SettingRow> {
    const change = this.#writing.then(() => this.#write(name, value ?? undefined))
    this.#writing = change.catch(() => undefined)
    await change
    return (await this.list()).find(({ key }) => key === name)!
  }

  async #write(name: string, value: string | undefined): Promise<void> {
    const { path } = this.#init
    const file = await readConfigFile(path, false)
    const text = setConfigValue(file?.text ?? '', name, value)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFileAtomic(path, text, { mode: 0o600 })
  }
}

/** As `kith config set` takes it: lists are separated by commas. */
function textOf(value: Config[keyof Config]): string | null {
  if (value === undefined) return null
  return Array.isArray(value) ? value.join(',') : String(value)
}
