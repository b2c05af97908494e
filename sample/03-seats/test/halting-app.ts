import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach } from '@jest/globals';
import { signWebhook } from 'nestjs-scalekit-webhooks/testing';

export type HaltingPlace = 'before the commit' | 'after the commit';

const FILES = ['../../../test/helpers/run-typescript.mjs', './halting-app.main.ts'].map((file) =>
  fileURLToPath(new URL(file, import.meta.url)),
);

const running = new Set<ChildProcess>();

afterEach(async () => {
  await Promise.all([...running].map(kill));
});

/** Delivers an event to the sample in a separate process, and kills the process before it can respond. */
export async function crashDuring(event: object, place: HaltingPlace, secret: string): Promise<void> {
  const child = spawn(process.execPath, [...FILES, place], {
    env: { ...process.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: url } = await lines.next();
  const body = JSON.stringify(event);
  const headers = { 'content-type': 'application/json', ...signWebhook({ payload: body, secret }) };
  const answer = fetch(url, { method: 'POST', headers, body });
  const first = await Promise.race([lines.next().then(({ value }) => value), answer]);
  if (first !== 'halted') throw new Error('The sample did not halt.');
  await kill(child);
  await answer.then(
    () => Promise.reject(new Error('The sample answered.')),
    () => {},
  );
}

async function kill(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
