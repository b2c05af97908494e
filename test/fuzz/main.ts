// npm run fuzz
//   FUZZ_REQUESTS   how many requests to send to each platform
//   FUZZ_SEED       repeats a run
//   FUZZ_ONLY       sends only the request with this number
import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fuzzCase } from './cases.js';
import { FuzzClient } from './client.js';
import { judge, judgeMalformed } from './judge.js';
import { malformedCase } from './malformed.js';
import { Random } from './random.js';
import type { ServerReport } from './server.js';

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const ONLY = process.env.FUZZ_ONLY === undefined ? undefined : Number(process.env.FUZZ_ONLY);
const CONNECTIONS = 16;
const MALFORMED_SHARE = 0.02;
const CLOSE_TIMEOUT_MS = 20_000;
const MAX_SHOWN_FAILURES = 20;

class Tally {
  readonly #statuses = new Map<string, number>();
  readonly #failures = new Map<string, { count: number; readonly first?: number }>();

  count(status: number | 'none'): void {
    this.#statuses.set(String(status), (this.#statuses.get(String(status)) ?? 0) + 1);
  }

  fail(problem: string, first?: number): void {
    const failure = this.#failures.get(problem);
    if (failure) failure.count += 1;
    else this.#failures.set(problem, { count: 1, ...(first !== undefined && { first }) });
  }

  get statuses(): string {
    return [...this.#statuses]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ');
  }

  get failed(): number {
    return [...this.#failures.values()].reduce((total, { count }) => total + count, 0);
  }

  /** One line for each problem. */
  get failures(): string[] {
    return Array.from(this.#failures, ([problem, { count, first }]) => {
      const repeat = first === undefined ? '' : `; to repeat it, use FUZZ_SEED=${SEED} FUZZ_ONLY=${first}`;
      return `${count} × ${problem}${repeat}`;
    });
  }
}

for (const adapter of ['express', 'fastify']) {
  const tally = new Tally();
  const start = performance.now();
  await fuzz(adapter, tally);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const total = ONLY === undefined ? REQUESTS : 1;
  console.log(
    `fuzz ${adapter}: ${total} requests in ${seconds} s, seed ${SEED} | ${tally.statuses} | ${tally.failed} failures`,
  );
  for (const failure of tally.failures.slice(0, MAX_SHOWN_FAILURES)) console.log(`  ${failure}`);
  if (tally.failed > 0) process.exitCode = 1;
}

async function fuzz(adapter: string, tally: Tally): Promise<void> {
  const server = fork(new URL('./server.js', import.meta.url), [adapter]);
  const [{ port = 0 }] = (await once(server, 'message')) as [ServerReport];
  server.once('exit', (code) => {
    if (code !== 0) tally.fail(`the server exited with code ${code}`);
  });
  const client = new FuzzClient(port, CONNECTIONS);
  let index = ONLY ?? 0;
  const end = ONLY === undefined ? REQUESTS : ONLY + 1;
  const worker = async () => {
    while (index < end && server.exitCode === null) await fuzzOnce(client, index++, tally);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  client.close();
  await close(server, tally);
}

async function fuzzOnce(client: FuzzClient, index: number, tally: Tally): Promise<void> {
  const random = new Random(SEED, index, 1);
  const malformed = random.chance(MALFORMED_SHARE) ? malformedCase(random) : undefined;
  const given = malformed ?? fuzzCase(SEED, index);
  try {
    let problem: string | undefined;
    if ('chunks' in given) {
      const statuses = await client.sendMalformed(given);
      for (const status of statuses.length > 0 ? statuses : ['none' as const]) tally.count(status);
      problem = judgeMalformed(given, statuses);
    } else {
      const answer = await client.send(given.request);
      tally.count(answer.status);
      problem = judge(given, answer);
    }
    if (problem) tally.fail(`${given.kind}: ${problem}`, index);
  } catch (error) {
    tally.count('none');
    tally.fail(`${given.kind}: ${error instanceof Error ? error.message : error}`, index);
  }
}

/** Asks the server to close, which works only if no request hangs, and reads its report. */
async function close(server: ChildProcess, tally: Tally): Promise<void> {
  if (server.exitCode !== null) return;
  server.send('close');
  const answer = await Promise.race([
    once(server, 'message'),
    sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false }),
  ]);
  if (answer) {
    const [{ handled, faults }] = answer as [ServerReport];
    for (const fault of faults) tally.fail(fault);
    if (ONLY === undefined && handled === 0) tally.fail('no event was handled');
  } else {
    tally.fail(`the server did not close within ${CLOSE_TIMEOUT_MS / 1000} s`);
    server.kill('SIGKILL');
  }
}
