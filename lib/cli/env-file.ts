import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { Command } from 'commander';
import { isMissing, readTextFile } from './input-files.js';

const DEFAULT_FILE = '.env';

/** Adds `--env-file` to every command. The variables of the file are added to `env` before a command runs. */
export function addEnvFileOption(
  program: Command,
  env: Record<string, string | undefined>,
  cwd: () => string,
): void {
  program
    .option('--env-file <file>', 'file with environment variables (default: .env, if there is one)')
    .hook('preAction', async () => {
      const { envFile }: { envFile?: string } = program.opts();
      for (const [name, value] of Object.entries(await readEnvFile(envFile, cwd()))) {
        // As in ConfigModule, the environment of the process comes first.
        if (!Object.hasOwn(env, name)) env[name] = value;
      }
    });
}

/** Only a file that was asked for has to exist. */
async function readEnvFile(asked: string | undefined, folder: string): Promise<NodeJS.Dict<string>> {
  try {
    return parseEnv(await readTextFile(asked ?? join(folder, DEFAULT_FILE)));
  } catch (error) {
    if (asked === undefined && isMissing(error)) return {};
    throw error;
  }
}
