import { describe, expect, it } from '@jest/globals';
import { NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { isFinalFailure, toRunError } from '../../../lib/dispatch/handler-failure.js';

describe('toRunError', () => {
  it('keeps the name and the message of an error, and nothing else of it', () => {
    const error = Object.assign(new TypeError('broken', { cause: 'secret' }), { event: 'payload' });

    expect(toRunError(error)).toEqual({ name: 'TypeError', message: 'broken' });
  });

  it.each([
    ['a string', 'jane@example.com'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a function', () => 'jane@example.com'],
    ['an object that is no error', { email: 'jane@example.com' }],
  ])('keeps only the kind of what was thrown where that is %s', (_, thrown) => {
    expect(toRunError(thrown)).toEqual({
      name: 'NonErrorThrown',
      message: `a ${typeof thrown} was thrown`,
    });
  });

  it('knows the errors of another realm, such as an aborted signal', () => {
    expect(toRunError(AbortSignal.abort().reason)).toMatchObject({ name: 'AbortError' });
  });

  it('cuts long names and messages', () => {
    const error = Object.assign(new Error('m'.repeat(10_000)), { name: 'n'.repeat(10_000) });

    expect(toRunError(error)).toEqual({ name: 'n'.repeat(500), message: 'm'.repeat(500) });
  });

  it('cuts no character in two', () => {
    expect(toRunError(new Error(`${'m'.repeat(499)}🦊`)).message.isWellFormed()).toBe(true);
  });

  it('makes text of a name or a message that is none', () => {
    const error = Object.assign(new Error(), { name: undefined, message: 404 });

    expect(toRunError(error)).toEqual({ name: 'undefined', message: '404' });
  });
});

describe('isFinalFailure', () => {
  it('knows a NonRetryableEventError of another copy of this library by its code', () => {
    expect(isFinalFailure(Object.assign(new Error('no tenant'), { code: 'non_retryable' }))).toBe(true);
  });

  it('knows a class derived from NonRetryableEventError', () => {
    class TenantMissingError extends NonRetryableEventError {}

    expect(isFinalFailure(new TenantMissingError('no tenant'))).toBe(true);
  });

  it.each([
    ['an error', new Error('broken')],
    ['an error with another code', Object.assign(new Error('broken'), { code: 'ECONNREFUSED' })],
    ['a text', 'non_retryable'],
    ['nothing', undefined],
  ])('takes %s for a failure that a retry may mend', (_, thrown) => {
    expect(isFinalFailure(thrown)).toBe(false);
  });
});
