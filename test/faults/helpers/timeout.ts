import { jest } from '@jest/globals';

// These tests start servers and processes of their own, which takes a while on a busy machine.
jest.setTimeout(60_000);
