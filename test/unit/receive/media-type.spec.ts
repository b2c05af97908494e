import { describe, expect, it } from '@jest/globals';
import { isJson } from '../../../lib/receive/raw-body.js';

describe('isJson', () => {
  it.each([
    'application/json',
    ' application/json ',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json ; charset=utf-8',
    'application/cloudevents+json',
    'application/vnd.a.b-c+json; v=1',
  ])('takes "%s"', (type) => {
    expect(isJson(type)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'json',
    'text/json',
    'application/jsonp',
    'application/json5',
    'application/+json',
    'application/x-json',
    'application/json, text/plain',
    'xapplication/json',
  ])('does not take "%s"', (type) => {
    expect(isJson(type)).toBe(false);
  });

  it('takes no longer for a hostile header', () => {
    const hostile = `application/${'+json'.repeat(3000)}x`;

    const start = performance.now();
    expect(isJson(hostile)).toBe(false);

    expect(performance.now() - start).toBeLessThan(1000);
  });
});
