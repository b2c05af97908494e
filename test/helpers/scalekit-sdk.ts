import { jest } from '@jest/globals';

// Jest on Node 20 cannot `require` jose, which is ESM. The SDK needs it only for access tokens.
jest.mock('jose', () => ({}));

/** The real Scalekit SDK. */
export const { Scalekit } = await import('@scalekit-sdk/node');
