import { availableParallelism } from 'node:os';

const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    },
  ],
};

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Each test file loads Nest again, and ES modules stay in memory until their process exits, so a single process would
  // get slower and slower. Use at least two workers, and replace them when they use too much memory.
  maxWorkers: Math.max(2, availableParallelism()),
  workerIdleMemoryLimit: '800MB',
  // On a busy machine, dropping a database or starting a server takes longer than Jest's 5 seconds.
  testTimeout: 20_000,
  roots: ['<rootDir>/test', '<rootDir>/sample'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/consumer/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform,
  resolver: '<rootDir>/test/helpers/jest-resolver.cjs',
  moduleNameMapper: {
    '^nestjs-scalekit-webhooks$': '<rootDir>/lib/index.ts',
    '^nestjs-scalekit-webhooks/(\\w+)$': '<rootDir>/lib/$1/index.ts',
  },
  collectCoverageFrom: ['lib/{verify,parse,respond,inbox,dispatch}/**/*.ts'],
  coverageReporters: ['text'],
  coverageThreshold: Object.fromEntries(
    ['verify', 'parse', 'respond', 'inbox', 'dispatch'].map((stage) => [`./lib/${stage}/`, { branches: 95 }]),
  ),
};
