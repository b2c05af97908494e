/** The folders of lib/ by layer, lowest first. A folder imports only from layers below its own; type imports count. */
const LAYERS = [
  ['errors', 'events'],
  ['verify', 'parse', 'respond', 'inbox'],
  ['postgres', 'sqlite', 'redis', 'samples'],
  ['dispatch'],
  ['bullmq', 'background', 'replay'],
  ['recovery'],
  ['receive'],
  ['scalekit-webhooks', 'index'],
  ['cli', 'testing', 'terminus', 'opentelemetry', 'dashboard'],
];
const WITHOUT_NEST = [
  'errors',
  'events',
  'verify',
  'parse',
  'respond',
  'inbox',
  'postgres',
  'sqlite',
  'redis',
  'samples',
  'cli',
];

/** Matches files in these folders. `scalekit-webhooks` stands for the module's own files next to the folders. */
const inFolders = (folders) => `^lib/(${folders.join('|')})[/.]`;

const layerRules = LAYERS.map((folders, layer) => ({
  name: `layer-${layer}-imports-from-below`,
  comment: `${folders.join(', ')} may import only from ${LAYERS.slice(0, layer).flat().join(', ') || 'no other folder'}.`,
  severity: 'error',
  from: { path: inFolders(folders), pathNot: '^lib/index.ts$' },
  to: {
    path: '^lib/',
    pathNot: [...(layer > 0 ? [inFolders(LAYERS.slice(0, layer).flat())] : []), '^lib/$1[/.]'],
  },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Files that import each other can only be understood together.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { circular: true },
    },
    ...layerRules,
    {
      name: 'known-folder',
      comment: 'A new folder of lib/ needs a layer in .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: '^lib/[^/]+/', pathNot: inFolders(LAYERS.flat()) },
      to: {},
    },
    {
      name: 'pure-without-nest',
      comment: 'These folders must work without Nest.',
      severity: 'error',
      from: { path: inFolders(WITHOUT_NEST) },
      to: { path: '^node_modules/@nestjs/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['import', 'types'] },
  },
};
