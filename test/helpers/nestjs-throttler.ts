import { jest } from '@jest/globals';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';

// The throttler is CommonJS. Jest on Node 20 cannot `require` Nest 12, which is ESM.
jest.doMock('@nestjs/common', () => common);
jest.doMock('@nestjs/core', () => core);

/** The real throttler. */
export const { SkipThrottle, ThrottlerGuard, ThrottlerModule } = await import('@nestjs/throttler');
