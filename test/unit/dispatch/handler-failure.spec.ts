import { describe, expect, it } from '@jest/globals';
import { NonRetryableEventError } from 'nestjs-scalekit-webhooks';
import { isFinalFailure, toRunError } from '../../../lib/dispatch/handler-failure.js';

describe('toRunError', () => {
  it('keeps only the name and the message of an error', () => {
    const error = Object.assign(new TypeError('broken', { cause: 'secret' }), { event: 'payload' });

    expect(toRunError(error)).toEqual({ name: 'TypeError', message: 'broken' });
  });

  it.each([
    ['a string', 'jane@example.com'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a function', () => 'jane@example.com'],
    ['an object', { email: 'jane@example.com' }],
  ])('keeps only the type of a thrown value that is no error: %s', (type, thrown) => {
    expect(toRunError(thrown)).toEqual({ name: 'NonErrorThrown', message: `${type} was thrown` });
  });

  it('recognizes errors of another realm, such as that of an aborted signal', () => {
    expect(toRunError(AbortSignal.abort().reason)).toMatchObject({ name: 'AbortError' });
  });

  it('truncates long names and messages', () => {
    const error = Object.assign(new Error('m'.repeat(10_000)), { name: 'n'.repeat(10_000) });

    expect(toRunError(error)).toEqual({ name: 'n'.repeat(500), message: 'm'.repeat(500) });
  });

  it('does not split a character', () => {
    expect(toRunError(new Error(`${'m'.repeat(499)}🦊`)).message.isWellFormed()).toBe(true);
  });

  it('converts a name or a message that is not a string', () => {
    const error = Object.assign(new Error(), { name: undefined, message: 404 });

    expect(toRunError(error)).toEqual({ name: 'undefined', message: '404' });
  });
});

describe('isFinalFailure', () => {
  it('recognizes a NonRetryableEventError of another copy of this library by its code', () => {
    expect(isFinalFailure(Object.assign(new Error('no tenant'), { code: 'non_retryable' }))).toBe(true);
  });

  it('recognizes a subclass of NonRetryableEventError', () => {
    class TenantMissingError extends NonRetryableEventError {}

    expect(isFinalFailure(new TenantMissingError('no tenant'))).toBe(true);
  });

  it.each([
    ['an error', new Error('broken')],
    ['an error with another code', Object.assign(new Error('broken'), { code: 'ECONNREFUSED' })],
    ['a string', 'non_retryable'],
    ['undefined', undefined],
  ])('treats %s as a failure that can be retried', (_, thrown) => {
    expect(isFinalFailure(thrown)).toBe(false);
  });
});

describe('an error that cannot be read', () => {
  const unreadable = new Proxy(new Error('broken'), {
    get() {
      throw new TypeError('no');
    },
    getPrototypeOf() {
      throw new TypeError('no');
    },
  });
  const withGetter = Object.defineProperty(new Error(), 'message', {
    get() {
      throw new TypeError('no');
    },
  });

  it.each([
    ['a proxy', unreadable],
    ['an error whose message getter throws', withGetter],
  ])('is kept without its text and retried: %s', (_name, error) => {
    expect(toRunError(error)).toEqual({
      name: 'UnreadableError',
      message: 'the thrown value could not be read',
    });
    expect(isFinalFailure(error)).toBe(false);
  });
});

describe('the retryable option', () => {
  it('decides instead of the error', () => {
    expect(isFinalFailure(new NonRetryableEventError('no'), () => true)).toBe(false);
    expect(isFinalFailure(new Error('no'), () => false)).toBe(true);
  });

  it('means a retry when it throws', () => {
    const broken = () => {
      throw new Error('broken');
    };
    expect(isFinalFailure(new NonRetryableEventError('no'), broken)).toBe(false);
  });
});
