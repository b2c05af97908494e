import { runCliCaptured } from '../helpers/run-cli-captured.js';

/** What `--help` says of a command. */
export interface CliHelp {
  /** The commands below it. */
  readonly commands: readonly string[];
  /** Its long options, `--help` aside. */
  readonly options: readonly string[];
}

/**
 * Asks the command line for help, as `scalekit-webhooks inbox list --help` would.
 * @throws Error when there is no such command
 */
export async function cliHelp(...path: readonly string[]): Promise<CliHelp> {
  const { stdout } = await runCliCaptured([...path, '--help']);
  if (!stdout.startsWith(`Usage: ${['scalekit-webhooks', ...path].join(' ')} `)) {
    throw new Error(`there is no command "${path.join(' ')}"`);
  }
  return {
    commands: namesIn(stdout, 'Commands', /^ {2}([a-z]+) /gm).filter((name) => name !== 'help'),
    options: namesIn(stdout, 'Options', /^ {2}(?:-\w, )?(--[\w-]+)/gm).filter(
      (name) => name !== '--help' && name !== '--version',
    ),
  };
}

/** Every command that does something itself, such as `inbox list`. */
export async function cliCommands(path: readonly string[] = []): Promise<string[]> {
  const { commands } = await cliHelp(...path);
  if (commands.length === 0) return [path.join(' ')];
  const found: string[] = [];
  for (const name of commands) found.push(...(await cliCommands([...path, name])));
  return found;
}

function namesIn(help: string, title: string, name: RegExp): string[] {
  const section = help.split(`\n${title}:\n`)[1]?.split('\n\n')[0] ?? '';
  return [...section.matchAll(name)].map(([, found = '']) => found);
}
