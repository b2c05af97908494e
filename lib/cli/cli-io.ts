/** The streams and environment that the CLI uses, so that tests can run it in their own process. */
export interface CliIo {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  cwd(): string;
}

/** Only a terminal gets a progress bar. */
type CliStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What every command gets. It sets the exit code: 0 for success, 1 for failure. Wrong usage, 2, is an error. */
export interface CliContext {
  readonly io: CliIo;
  exitCode: number;
}
