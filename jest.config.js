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
  roots: ['<rootDir>/test', '<rootDir>/sample'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/consumer/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform,
  resolver: '<rootDir>/test/helpers/jest-resolver.cjs',
  moduleNameMapper: {
    '^nestjs-scalekit-webhooks$': '<rootDir>/lib/index.ts',
    '^nestjs-scalekit-webhooks/testing$': '<rootDir>/lib/testing/index.ts',
  },
  collectCoverageFrom: ['lib/{verify,parse,respond,inbox,dispatch}/**/*.ts'],
  coverageProvider: 'v8',
};
