// Runs a TypeScript file of the tests in a process of its own: node run-typescript.mjs <file.ts> [argument …]
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';

const HOOKS = `
  import { readFile } from 'node:fs/promises';
  import { existsSync } from 'node:fs';
  import { fileURLToPath } from 'node:url';
  import { transform } from '${import.meta.resolve('@swc/core')}';

  const LIB = '${new URL('../../lib/', import.meta.url)}';

  export async function resolve(specifier, context, next) {
    const [, entry] = /^nestjs-scalekit-webhooks(?:\\/(\\w+))?$/.exec(specifier) ?? [specifier, null];
    if (entry !== null) return { url: new URL(\`\${entry ? \`\${entry}/\` : ''}index.ts\`, LIB).href, shortCircuit: true };
    const source = specifier.startsWith('.') && new URL(specifier.replace(/\\.js$/, '.ts'), context.parentURL);
    return source && existsSync(source) ? { url: source.href, shortCircuit: true } : next(specifier, context);
  }

  export async function load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), {
      configFile: false,
      swcrc: false,
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  }
`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
await import(pathToFileURL(process.argv[2]).href);
