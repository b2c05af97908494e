import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import '../../../test/helpers/scalekit-sdk.js';
import { sqliteFile } from '../../../test/helpers/sqlite-files.js';

const VARIABLES = [
  'SCALEKIT_WEBHOOK_SECRET',
  'SCALEKIT_ENVIRONMENT_URL',
  'SCALEKIT_CLIENT_ID',
  'SCALEKIT_CLIENT_SECRET',
  'HISTORY_FILE',
  'RECOVER_ON_START',
];
/** `RECOVERY_EVENTS=8000` makes it as large as a real outage. */
const EVENTS = Number(process.env.RECOVERY_EVENTS ?? 80);

describe('the recovery sample', () => {
  beforeEach(async () => {
    process.env.SCALEKIT_WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    process.env.HISTORY_FILE = await sqliteFile();
  });

  afterEach(() => {
    for (const name of VARIABLES) delete process.env[name];
  });

  it(
    'gets the events back that Scalekit gave up in an outage, each once and in order',
    async () => {
      const { rehearse } = await import('../src/rehearsal.js');

      expect(await rehearse(EVENTS)).toEqual({
        lost: (EVENTS * 5) / 8,
        before: EVENTS / 4,
        read: EVENTS,
        after: EVENTS,
        repeated: 0,
        outOfOrder: 0,
      });
    },
    60_000 + EVENTS * 50,
  );
});
