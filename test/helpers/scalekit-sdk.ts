import { jest } from '@jest/globals';

// Jest on Node 20 cannot `require` jose, which is ESM; the SDK needs it for access tokens, not for webhooks.
jest.mock('jose', () => ({}));

/** The real Scalekit SDK. */
export const { Scalekit } = await import('@scalekit-sdk/node');
