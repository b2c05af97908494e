import { describe, expect, it } from '@jest/globals';
import { verifyWebhookSignature } from 'nestjs-scalekit-webhooks';
import {
  ScalekitDeliverySimulator,
  type ScalekitDeliverySimulatorOptions,
} from 'nestjs-scalekit-webhooks/testing';
import { SimulatedSecrets } from '../../lib/testing/tested-endpoint.js';
import { OTHER_SECRET as OTHER, SECRET } from '../helpers/secrets.js';

const VALID = { urls: 'http://127.0.0.1:1/', secrets: SECRET };

describe('The delivery simulator', () => {
  it.each<[string, ScalekitDeliverySimulatorOptions]>([
    ['urls', { secrets: SECRET }],
    ['urls', { urls: [], secrets: SECRET }],
    ['secrets', { urls: VALID.urls }],
    ['secrets', { ...VALID, secrets: [] }],
    ['secrets', { ...VALID, secrets: [{ secret: SECRET, until: 0.5 }] }],
    ['secrets', { ...VALID, secrets: [{ secret: SECRET, from: 0.1 }] }],
    ['secrets', { ...VALID, secrets: 'whsec_!' }],
    ['timeoutMs', { ...VALID, timeoutMs: 0 }],
    ['concurrency', { ...VALID, concurrency: 1.5 }],
    ['duplicates', { ...VALID, duplicates: 0 }],
    ['timeScale', { ...VALID, timeScale: 0 }],
    ['schedule', { ...VALID, schedule: [] }],
    ['schedule', { ...VALID, schedule: [0, -1] }],
    ['outage.from', { ...VALID, outage: { from: new Date(1), until: new Date(1) } }],
    ['outage.until', { ...VALID, outage: { from: new Date(1), until: new Date('tomorrow') } }],
  ])('rejects an invalid %s', (setting, options) => {
    expect(() => new ScalekitDeliverySimulator(options)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting }),
    );
  });
});

describe.each(['standard', 'scalekit'] as const)('Simulated secrets in the %s scheme', (scheme) => {
  const secrets = new SimulatedSecrets([
    { secret: SECRET, until: 0.6 },
    { secret: OTHER, from: 0.4 },
  ]);

  function accepts(share: number, secret: string): boolean {
    const headers = secrets.sign(share, { payload: '{}', id: 'msg_1', scheme });
    try {
      verifyWebhookSignature({ payload: '{}', headers, secrets: [secret] });
      return true;
    } catch {
      return false;
    }
  }

  it.each([
    [0, true, false],
    [0.39, true, false],
    [0.5, true, true],
    [0.6, false, true],
    [1, false, true],
  ])('sign at %d with the secrets that are in use', (share, withOld, withNew) => {
    expect([accepts(share, SECRET), accepts(share, OTHER)]).toEqual([withOld, withNew]);
  });
});
