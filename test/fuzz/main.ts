// npm run fuzz
//   FUZZ_REQUESTS   how many requests to send to each platform
//   FUZZ_SEED       repeats a run
//   FUZZ_ONLY       sends only the request with this number
import { randomInt } from 'node:crypto';
import { bodyCase } from './bodies.js';
import { fuzzCase } from './cases.js';
import { FuzzClient } from './client.js';
import { FuzzedServer } from './fuzzed-server.js';
import { judge, judgeMalformed } from './judge.js';
import { malformedCase } from './malformed.js';
import { costOfWithheld, describe, judgeGrowth, measure, toMb, WITHHELD } from './memory.js';
import { Random } from './random.js';
import { Tally } from './tally.js';

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 100_000);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const ONLY = process.env.FUZZ_ONLY === undefined ? undefined : Number(process.env.FUZZ_ONLY);
const CONNECTIONS = 16;
const MALFORMED_SHARE = 0.02;
const BODY_SHARE = 0.03;
// Until then, the server compiles code and fills its inbox, so that its memory still grows.
const WARM_UP = 10_000;
const COST_OF_CONNECTION = 20_000;
const MAX_SHOWN_FAILURES = 20;

for (const adapter of ['express', 'fastify']) {
  const tally = new Tally(SEED);
  const start = performance.now();
  const memory = await fuzz(adapter, tally);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const total = ONLY === undefined ? REQUESTS : 1;
  console.log(
    `fuzz ${adapter}: ${total} requests in ${seconds} s, seed ${SEED} | ${tally.statuses} | ${tally.failed} failures`,
  );
  for (const line of memory) console.log(`  ${line}`);
  for (const failure of tally.failures.slice(0, MAX_SHOWN_FAILURES)) console.log(`  ${failure}`);
  if (tally.failed > 0) process.exitCode = 1;
}

/** @returns what is to be said of the server's memory */
async function fuzz(adapter: string, tally: Tally): Promise<string[]> {
  const server = await FuzzedServer.start(adapter, (code) => {
    if (code !== 0) tally.fail(`the server exited with code ${code}`);
  });
  const memory =
    ONLY === undefined
      ? await fuzzAll(server, adapter, tally)
      : await fuzzFrom(server, ONLY, ONLY + 1, tally);
  await close(server, tally);
  return memory ?? [];
}

async function fuzzAll(server: FuzzedServer, adapter: string, tally: Tally): Promise<string[]> {
  const warmUp = Math.min(WARM_UP, REQUESTS / 2);
  await fuzzFrom(server, 0, warmUp, tally);
  const before = await measure(server);
  await fuzzFrom(server, warmUp, REQUESTS, tally);
  const after = await measure(server);
  const growth = judgeGrowth(before, after);
  // A short run has not warmed up.
  if (growth && warmUp === WARM_UP) tally.fail(growth);

  const { notSigned, signed, parsedByNest } = await costOfWithheld(server);
  // Fastify's parser does not decompress either, so that there the connections alone make the difference.
  const allowed = Math.max(parsedByNest, WITHHELD * COST_OF_CONNECTION);
  if (Math.max(notSigned, signed) > allowed) tally.fail('requests that stop halfway take too much memory');
  return [
    `memory: ${describe(before)} before, ${describe(after)} after`,
    `${WITHHELD} compressed requests that stop halfway take ${toMb(notSigned)} MB if not signed, ${toMb(signed)} MB if ` +
      `they look signed, and ${toMb(parsedByNest)} MB on a route with the parser of ${adapter}`,
  ];
}

async function fuzzFrom(server: FuzzedServer, start: number, end: number, tally: Tally): Promise<undefined> {
  const client = new FuzzClient(server.port, CONNECTIONS);
  let index = start;
  const worker = async () => {
    while (index < end && !server.hasExited) await fuzzOnce(client, index++, tally);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  client.close();
}

function caseOf(index: number) {
  const random = new Random(SEED, index, 1);
  const share = random.next();
  if (share < MALFORMED_SHARE) return malformedCase(random);
  if (share < MALFORMED_SHARE + BODY_SHARE) return bodyCase(random);
  return fuzzCase(SEED, index);
}

async function fuzzOnce(client: FuzzClient, index: number, tally: Tally): Promise<void> {
  const given = caseOf(index);
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
async function close(server: FuzzedServer, tally: Tally): Promise<void> {
  if (server.hasExited) return;
  const report = await server.ask('close');
  if (!report) {
    tally.fail('the server did not close');
    server.kill();
    return;
  }
  for (const fault of report.faults) tally.fail(fault);
  if (ONLY === undefined && report.handled === 0) tally.fail('no event was handled');
}
