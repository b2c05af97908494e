import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A server that the storm starts for itself, on a free port, on a directory of its own. */
export interface OwnServer {
  /** Ends it as a crash would, and starts it again on what it had stored. */
  crashAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

/** Has a process ended when the storm itself ends, however it does. */
export function endWithStorm(child: ChildProcess, signal: NodeJS.Signals): void {
  const endChild = () => child.kill(signal);
  process.once('exit', endChild);
  child.once('exit', () => process.off('exit', endChild));
}

/** Ends a process that the storm has started. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
