import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from '@jest/globals';

type Step = () => unknown;

const afterTest: Step[] = [];
const afterFile: Step[] = [];
const TIMEOUT_MS = 60_000;

/** Runs a step when the test ends. Steps run in reverse order. */
export function cleanUpAfterTest(step: Step): void {
  afterTest.push(step);
}

/** Runs a step when all tests of the file have ended. Steps run in reverse order. */
export function cleanUpAfterFile(step: Step): void {
  afterFile.push(step);
}

/** Creates an empty directory, which is deleted when all tests of the file have ended. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'scalekit-test-'));
  cleanUpAfterFile(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function run(steps: Step[]): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}

afterEach(() => run(afterTest), TIMEOUT_MS);
afterAll(() => run(afterFile), TIMEOUT_MS);
