import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { propertyNamesIn, withInherited } from '../../helpers/polluted-prototype.js';
import { exchange, rawDelivery, rawRequest } from '../../helpers/raw-deliveries.js';
import { portOf } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS } from '../../helpers/test-app.js';
import { start } from './pollution.app.js';

const STAGES = ['receive', 'verify', 'parse', 'dispatch', 'inbox', 'respond', 'events', 'errors'];
// With this one, Node's own HTTP server can no longer close its connections.
const NAMES = propertyNamesIn(...STAGES).filter((name) => name !== 'destroy');

const anEvent = (changes = {}) => ({
  ...createScalekitEvent('user.created'),
  environment_id: 'env_1',
  ...changes,
});

describe.each(ADAPTERS)('a delivery is answered as always, on %s', (_name, adapter) => {
  const answered: readonly (readonly [number, () => Buffer])[] = [
    [201, () => rawDelivery(anEvent())],
    [401, () => rawDelivery(anEvent(), { timestamp: 1 })],
  ];

  /** The statuses while all plain objects inherit a property. Undefined if not even a route of the application works. */
  async function statusesWith(app: INestApplication, name: string, value: unknown) {
    const port = portOf(app);
    const control = rawRequest('control', '');
    const requests = answered.map(([, create]) => create());
    return withInherited(name, value, async () => {
      const works = await exchange(port, control, 500).catch(() => '');
      if (!works.startsWith('HTTP/1.1 201')) return undefined;
      const statuses: number[] = [];
      for (const bytes of requests) statuses.push(Number((await exchange(port, bytes)).split(' ')[1]));
      return statuses;
    });
  }

  const EXPECTED_STATUSES = answered.map(([status]) => status);

  it('whatever plain objects inherit', async () => {
    const app = await run(...start(adapter, {}));
    let compared = 0;
    const failed: string[] = [];
    for (const name of NAMES) {
      const statuses = await statusesWith(app, name, () => true);
      if (!statuses) continue;
      compared += 1;
      if (String(statuses) !== String(EXPECTED_STATUSES)) failed.push([name, ...statuses].join(' '));
    }
    expect(failed).toEqual([]);
    expect(compared).toBeGreaterThan(NAMES.length * 0.95);
  }, 120_000);

  it.each([
    'now',
    'refusal',
    'verifier',
    'verified',
    'environmentIds',
    'toleranceSeconds',
    'rawBody',
    'error',
    'accepts',
  ])('whatever plain objects inherit as %s', async (name) => {
    const app = await run(...start(adapter, {}));
    for (const value of [
      true,
      1,
      1000,
      'body_too_large',
      new Date(1000),
      {},
      [],
      Buffer.from('{}'),
      () => false,
    ]) {
      expect(await statusesWith(app, name, value)).toEqual(EXPECTED_STATUSES);
    }
  });
});
