import { Writable } from 'node:stream';
import { runCli } from '../../lib/cli/run-cli.js';

/** A stream that keeps what is written to it. */
class CapturedStream extends Writable {
  text = '';

  constructor(readonly isTTY: boolean) {
    super();
  }

  override _write(chunk: Buffer | string, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  // cli-progress needs the width of the terminal.
  readonly columns = 80;
}

/** Runs the CLI in this process, and returns its exit code and output. */
export async function runCliCaptured(
  argv: readonly string[],
  {
    env = {},
    isTTY = false,
    cwd = process.cwd(),
  }: { env?: Record<string, string>; isTTY?: boolean; cwd?: string } = {},
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const stdout = new CapturedStream(isTTY);
  const stderr = new CapturedStream(isTTY);
  const exitCode = await runCli(argv, { stdout, stderr, env, cwd: () => cwd });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}
