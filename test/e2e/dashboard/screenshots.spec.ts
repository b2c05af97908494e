import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { linkTargets, ROOT, readMarkdown } from '../../docs/markdown.js';
import { temporaryDirectory } from '../../helpers/cleanup.js';
import { describeWithChromium } from '../../helpers/services.js';
import { PICTURES, takeScreenshots } from '../../screenshots/take-screenshots.js';

const LARGEST_BYTES = 100 * 1024;
const TIMEOUT_MS = 60_000;
const FILES = PICTURES.map(([file]) => file);

describeWithChromium('npm run screenshots', (executablePath) => {
  it(
    'takes each picture of the dashboard, small enough for a page',
    async () => {
      const directory = await temporaryDirectory();

      await takeScreenshots(executablePath, directory);

      expect((await readdir(directory)).sort()).toEqual([...FILES].sort());
      for (const file of FILES) {
        const picture = await readFile(join(directory, file));
        expect(picture.subarray(1, 4).toString()).toBe('PNG');
        expect([file, picture.length < LARGEST_BYTES]).toEqual([file, true]);
      }
    },
    TIMEOUT_MS,
  );
});

describe('the pictures of the dashboard', () => {
  it('are in the documentation, each with a text for those who cannot see it', () => {
    const pictures = [...readMarkdown('docs/dashboard.md').matchAll(/!\[([^\]]{20,})\]\(images\/(\S+)\)/g)];

    expect(pictures.map(([, , file]) => file).sort()).toEqual([...FILES].sort());
    expect(linkTargets('docs/dashboard.md')).toEqual(
      expect.arrayContaining(FILES.map((file) => `images/${file}`)),
    );
    for (const file of FILES) expect(existsSync(join(ROOT, 'docs/images', file))).toBe(true);
  });
});
