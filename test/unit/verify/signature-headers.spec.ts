import { describe, expect, it } from '@jest/globals';
import {
  collectSignatureHeaders,
  readReplayRequest,
  replayRequestId,
  schemesPresent,
} from '../../../lib/verify/signature-headers.js';
import { codeOf, failureOf } from './verify.fixtures.js';

const standard = { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,x' };

describe('collectSignatureHeaders', () => {
  it('finds headers whatever the case of their names', () => {
    const values = collectSignatureHeaders({
      'Webhook-Id': 'a',
      'WEBHOOK-TIMESTAMP': '1',
      'webhook-Signature': 'v1,x',
      'Scalekit-Signature': 't=1',
      'Content-Type': 'application/json',
    });
    expect(values).toEqual({
      'webhook-id': ['a'],
      'webhook-timestamp': ['1'],
      'webhook-signature': ['v1,x'],
      'scalekit-signature': ['t=1'],
    });
  });

  it('ignores inherited properties', () => {
    const inherited: Record<string, string> = { 'webhook-id': 'b' };
    const values = collectSignatureHeaders(Object.assign(Object.create(inherited), { 'Webhook-Id': 'a' }));
    expect(values['webhook-id']).toEqual(['a']);
  });

  it('reads a Headers object', () => {
    const headers = new Headers({ 'Webhook-Id': 'a' });
    headers.append('webhook-signature', 'v1,x');
    headers.append('webhook-signature', 'v1,y');
    const values = collectSignatureHeaders(headers);
    expect(values['webhook-id']).toEqual(['a']);
    expect(values['webhook-signature']).toEqual(['v1,x, v1,y']);
    expect(values['scalekit-signature']).toEqual([]);
  });

  it('keeps every value of a repeated header', () => {
    const headers = { 'webhook-id': ['a', 'b'], 'webhook-signature': 'v1,x', 'Webhook-Signature': ['v1,y'] };
    const values = collectSignatureHeaders(headers);
    expect(values['webhook-id']).toEqual(['a', 'b']);
    expect(values['webhook-signature']).toEqual(['v1,x', 'v1,y']);
  });

  it('treats an empty or undefined header as absent', () => {
    const values = collectSignatureHeaders({
      'webhook-id': '',
      'webhook-timestamp': undefined,
      'webhook-signature': ['', 'v1,x'],
    });
    expect(values['webhook-id']).toEqual([]);
    expect(values['webhook-timestamp']).toEqual([]);
    expect(values['webhook-signature']).toEqual(['v1,x']);
  });

  it.each(['__proto__', 'constructor', 'toString'])('ignores a header named %s', (name) => {
    const headers = Object.fromEntries([[name, 'x']]);
    expect(codeOf(() => schemesPresent(collectSignatureHeaders(headers)))).toBe('headers_missing');
  });
});

describe('schemesPresent', () => {
  const schemes = (headers: Record<string, string>) => schemesPresent(collectSignatureHeaders(headers));

  it('depends on the headers that are present', () => {
    expect(schemes(standard)).toEqual(['standard']);
    expect(schemes({ 'scalekit-signature': 't=1' })).toEqual(['scalekit']);
    expect(schemes({ ...standard, 'scalekit-signature': 't=1' })).toEqual(['standard', 'scalekit']);
  });

  it('ignores a scheme with incomplete headers', () => {
    expect(schemes({ 'webhook-id': 'a', 'scalekit-signature': 't=1' })).toEqual(['scalekit']);
  });

  it.each(Object.keys(standard))('names %s when only that is missing', (name) => {
    const { message, code } = failureOf(() => schemes({ ...standard, [name]: '' }));
    expect(code).toBe('headers_missing');
    for (const other of Object.keys(standard)) {
      if (other === name) expect(message).toContain(other);
      else expect(message).not.toContain(other);
    }
  });

  it('names all headers when none is present', () => {
    const { message } = failureOf(() => schemes({}));
    for (const name of [...Object.keys(standard), 'scalekit-signature']) expect(message).toContain(name);
  });
});

describe('readReplayRequest', () => {
  it('reads no handlers that the request does not name itself', () => {
    const id = replayRequestId({});
    Object.defineProperty(Object.prototype, 'handlers', { value: ['Users.sync'], configurable: true });
    try {
      expect(readReplayRequest(id)).toEqual({});
    } finally {
      Reflect.deleteProperty(Object.prototype, 'handlers');
    }
  });
});
