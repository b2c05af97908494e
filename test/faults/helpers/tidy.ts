import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, jest } from '@jest/globals';

// Tests here start processes and services of their own, on machines that may be busy.
const TIMEOUT_MS = 60_000;
jest.setTimeout(TIMEOUT_MS);

type Step = () => unknown;

const afterTest: Step[] = [];
const afterSuite: Step[] = [];

/** Has something undone when the test ends; what was begun last comes first. */
export function undoAfterTest(step: Step): void {
  afterTest.push(step);
}

/** Has something undone when all tests of the file have ended; what was begun last comes first. */
export function undoAfterSuite(step: Step): void {
  afterSuite.push(step);
}

/** An empty directory, gone when all tests of the file have ended. */
export async function aDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'scalekit-faults-'));
  undoAfterSuite(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function undo(steps: Step[]): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}

afterEach(() => undo(afterTest), TIMEOUT_MS);
afterAll(() => undo(afterSuite), TIMEOUT_MS);
