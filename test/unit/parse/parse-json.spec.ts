import { describe, expect, it } from '@jest/globals';
import { InvalidEventError } from '../../../lib/errors/errors.js';
import { parseJson } from '../../../lib/parse/parse-event.js';

function refusal(bytes: Uint8Array): InvalidEventError {
  try {
    parseJson(bytes);
  } catch (error) {
    if (error instanceof InvalidEventError) return error;
    throw error;
  }
  throw new Error('the body was not refused');
}

describe('parseJson', () => {
  it('reads UTF-8, with or without a byte order mark', () => {
    expect(parseJson(Buffer.from('{"a":"é🙂"}'))).toEqual({ a: 'é🙂' });
    expect(parseJson(Buffer.from('\uFEFF{"a":1}'))).toEqual({ a: 1 });
    expect(parseJson(new TextEncoder().encode('[1]'))).toEqual([1]);
  });

  it.each([
    ['an empty body', Buffer.alloc(0)],
    ['a truncated object', Buffer.from('{"email":"private@example.com"')],
    ['plain text', Buffer.from('private@example.com')],
    ['two values', Buffer.from('{} {}')],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['half a surrogate pair in bytes', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
  ])('refuses %s', (_name, bytes) => {
    expect(refusal(bytes).code).toBe('not_json');
  });

  it('does not reveal the payload in the error', () => {
    const error = refusal(Buffer.from('{"email": private@example.com}'));
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('private');
    expect(error.cause).toBeUndefined();
  });
});
