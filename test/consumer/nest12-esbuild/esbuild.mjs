import { build } from 'esbuild';

const common = {
  entryPoints: ['dist/src/bundle.js'],
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20',
  // As in docs/recipes.md: packages that Nest looks for, and that this application does not have.
  external: ['@nestjs/microservices', '@nestjs/websockets'],
  logLevel: 'error',
};

await build({
  ...common,
  format: 'esm',
  outfile: 'bundles/esm.mjs',
  // Express is CommonJS.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});
await build({ ...common, format: 'cjs', outfile: 'bundles/cjs.cjs' });
await build({ ...common, format: 'cjs', keepNames: true, outfile: 'bundles/names.cjs' });
