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
  // Each test file loads Nest anew, and ES modules stay in memory as long as their process: one process for all files
  // would grow slower and slower. So at least two workers, replaced when they have grown.
  maxWorkers: Math.max(2, availableParallelism()),
  workerIdleMemoryLimit: '800MB',
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
