/** A stream that the tool writes to. Only a terminal gets a progress bar. */
type CliStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What the tool sees of the world, so that tests can run it in their own process. */
export interface CliIo {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What a command is given, and where it leaves its exit code: 0 for yes, 1 for no, 2 for wrong usage. */
export interface CliContext {
  readonly io: CliIo;
  exitCode: number;
}
