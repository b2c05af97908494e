import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { anchors, linkTargets, MARKDOWN_FILES, ROOT, readMarkdown } from './markdown.js';

const EXTERNAL = /^(?:https?:|mailto:)/;

/** Why a link leads nowhere, or undefined. */
function problemOf(file: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const linked = path === '' ? file : join(dirname(file), decodeURIComponent(path));
  if (!existsSync(join(ROOT, linked))) return `${target}: there is no ${linked}`;
  if (anchor === undefined) return undefined;
  if (!linked.endsWith('.md') || statSync(join(ROOT, linked)).isDirectory()) {
    return `${target}: only Markdown files have anchors`;
  }
  return anchors(linked).has(anchor) ? undefined : `${target}: ${linked} has no such heading`;
}

describe('links', () => {
  it.each(MARKDOWN_FILES)('of %s lead somewhere', (file) => {
    const relative = linkTargets(file).filter((target) => !EXTERNAL.test(target));

    expect(relative.map((target) => problemOf(file, target)).filter(Boolean)).toEqual([]);
  });
});

describe('the documentation', () => {
  const pages = MARKDOWN_FILES.filter((file) => /^docs\/(?!README)/.test(file));

  it.each(['README.md', 'docs/README.md'])('has every page listed in %s', (index) => {
    const linked = linkTargets(index).map((target) => join(dirname(index), target));

    expect(pages.length).toBeGreaterThan(10);
    expect(linked).toEqual(expect.arrayContaining(pages));
  });

  it('has a README of at most 200 lines', () => {
    expect(readMarkdown('README.md').split('\n').length).toBeLessThanOrEqual(200);
  });
});
