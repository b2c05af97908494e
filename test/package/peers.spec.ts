import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';

async function manifestOf(directory: string) {
  return JSON.parse(await readFile(new URL(`../../${directory}package.json`, import.meta.url), 'utf8'));
}

it.each(['@nestjs/common', '@nestjs/core'])(
  'allows no older %s than the oldest one that is tested',
  async (name) => {
    const { peerDependencies } = await manifestOf('');
    const { dependencies } = await manifestOf('test/consumer/nest11-oldest/');

    expect(peerDependencies[name]).toBe(`^${dependencies[name]} || ^12.0.0`);
  },
);
