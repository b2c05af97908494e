import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

// Otherwise, the tests would pass without Nest 11 if a package were no longer replaced.
for (const name of ['common', 'core', 'platform-express', 'platform-fastify', 'testing']) {
  const { version } = require(`@nestjs/${name}/package.json`);
  if (!version.startsWith('11.')) throw new Error(`@nestjs/${name} must be version 11, but is ${version}.`);
}
