// Runs a TypeScript file in a process of its own: node sqlite-worker.mjs <file.ts> [argument …]
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

const HOOKS = `
  import { readFile } from 'node:fs/promises';
  import { existsSync } from 'node:fs';
  import { fileURLToPath } from 'node:url';
  import { transform } from '${import.meta.resolve('@swc/core')}';

  export async function resolve(specifier, context, next) {
    const source = specifier.startsWith('.') && new URL(specifier.replace(/\\.js$/, '.ts'), context.parentURL);
    return source && existsSync(source) ? { url: source.href, shortCircuit: true } : next(specifier, context);
  }

  export async function load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), {
      configFile: false,
      swcrc: false,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  }
`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
await import(pathToFileURL(process.argv[2]).href);
