import config from '../../jest.config.js';

const directory = process.env.NEST11_DIRECTORY;
if (!directory) throw new Error('NEST11_DIRECTORY is not set. Run npm run test:nest11.');

/** The tests run with the Nest 11 that run.mjs has installed, and its Express and Fastify. @type {import('jest').Config} */
export default {
  ...config,
  rootDir: '../..',
  moduleNameMapper: {
    ...config.moduleNameMapper,
    '^(@nestjs/(?:common|core|platform-express|platform-fastify|testing)(?:/.*)?)$': `${directory}/node_modules/$1`,
    '^(express|fastify)$': `${directory}/node_modules/$1`,
  },
  setupFilesAfterEnv: ['<rootDir>/test/nest11/require-nest11.js'],
};
