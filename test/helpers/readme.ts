import { readFileSync } from 'node:fs';

/** The README, and what its tests look at. */
export const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The TypeScript blocks in their order, each under the heading that it stands below. */
export function typescriptBlocks(): readonly { heading: string; code: string }[] {
  return [...README.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => ({
    heading:
      README.slice(0, match.index)
        .match(/^#+ .*$/gm)
        ?.at(-1) ?? '',
    code: match[1] ?? '',
  }));
}

/** The cells of the table between two comments that bear its name, without its head. */
export function tableCells(name: string): readonly (readonly string[])[] {
  const [, body = ''] = README.split(`<!-- ${name} -->`);
  const rows = body
    .slice(0, body.indexOf(`<!-- /${name} -->`))
    .trim()
    .split('\n')
    .slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
