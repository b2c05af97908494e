import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository's root, with a slash at its end. */
export const ROOT = new URL('../..', import.meta.url).pathname;

// What is installed or generated.
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', 'docs/api']);
const FENCE = /^( *)```(\w*)\n([\s\S]*?)^\1```$/gm;

/** A fenced block, and where it stands. */
export interface CodeBlock {
  readonly file: string;
  readonly line: number;
  readonly heading: string;
  readonly code: string;
}

/** Every Markdown file of the repository, relative to its root. */
export const MARKDOWN_FILES: readonly string[] = find('');

function find(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (SKIPPED.has(entry.name) || SKIPPED.has(path)) return [];
    if (entry.isDirectory()) return find(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

export function readMarkdown(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** The blocks of a file in one of these languages. */
export function codeBlocks(file: string, ...languages: string[]): CodeBlock[] {
  const text = readMarkdown(file);
  return [...text.matchAll(FENCE)]
    .filter(([, , language = '']) => languages.includes(language))
    .map(({ index, 3: code = '' }) => {
      const before = text.slice(0, index);
      const heading =
        before
          .replace(FENCE, '')
          .match(/^#+ .*$/gm)
          ?.at(-1) ?? '';
      return { file, line: before.split('\n').length, heading, code };
    });
}

/** The targets of a file's links and images. */
export function linkTargets(file: string): string[] {
  const prose = withoutFences(file).replace(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g)];
  const references = [...prose.matchAll(/^\[[^\]]+\]:\s*<?([^>\s]+)>?/gm)];
  const html = [...prose.matchAll(/<(?:a|img)\s[^>]*(?:href|src)="([^"]+)"/g)];
  return [...inline, ...references, ...html].map(([, target = '']) => target);
}

/** The anchors that GitHub gives to a file's headings. */
export function anchors(file: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const headings = [...withoutFences(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) => {
    const text = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
  return new Set(headings);
}

/** The cells of the table between `<!-- name -->` and `<!-- /… -->`, without its head. */
export function tableCells(file: string, name: string): string[][] {
  const [, rest] = readMarkdown(file).split(`<!-- ${name} -->\n`);
  if (rest === undefined) throw new Error(`${file} has no table "${name}"`);
  const [table = ''] = rest.split('<!-- /');
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The texts between backticks. */
export function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

function withoutFences(file: string): string {
  return readMarkdown(file).replace(FENCE, '');
}
