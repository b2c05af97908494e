import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { Scalekit } from '@scalekit-sdk/node';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { verifyWebhookSignature } from '../../lib/index.js';
import { parseSigningSecret } from '../../lib/verify/signing-secret.js';
import { SECRET } from '../helpers/secrets.js';
import { headersFor } from './events.js';
import { type Contender, compare, ratio, type Thoroughness, timingOf } from './rounds.js';
import type { Goal, Section } from './section.js';
import { microseconds, spread, times } from './text.js';

const SIZES_KB = [1, 16, 256];
const RIVALS = [
  { name: '@scalekit-sdk/node', atLeast: 1.4 },
  { name: 'standardwebhooks', atLeast: 6 },
  { name: 'svix', atLeast: 6 },
  { name: 'stripe', atLeast: 2.5 },
] as const;

/** From the bytes and headers of a delivery to a verdict. */
export const VERIFY: Section = {
  name: 'verify',
  async run(thoroughness) {
    const rows: string[][] = [];
    const goals: Goal[] = [];
    for (const kilobytes of SIZES_KB) {
      const { ours, limit, rivals, all } = await measure(kilobytes, thoroughness);
      const size = `${kilobytes} KB`;
      goals.push({ figure: `verify ${size}, against the limit`, measured: ratio(ours, limit), atMost: 1.15 });
      for (const { timing, name, atLeast } of rivals) {
        goals.push({
          figure: `verify ${size}, ${name} against ours`,
          measured: ratio(timing, ours),
          atLeast,
        });
      }
      for (const timing of all) {
        rows.push([size, timing.name, microseconds(timing), spread(timing), times(ratio(timing, limit))]);
      }
    }
    const columns = ['body', 'verifier', 'µs', 'spread', 'times the limit'];
    return { tables: [{ title: 'Verify a signature', columns, rows }], goals };
  },
};

async function measure(kilobytes: number, thoroughness: Thoroughness) {
  const all = await compare(contenders(kilobytes * 1024), thoroughness);
  return {
    all,
    ours: timingOf(all, 'ours'),
    limit: timingOf(all, 'the limit'),
    rivals: RIVALS.map((rival) => ({ ...rival, timing: timingOf(all, rival.name) })),
  };
}

function contenders(bytes: number): Contender[] {
  const payload = bodyOfSize(bytes);
  const headers = headersFor(payload);
  const key = createSecretKey(Buffer.from(SECRET.slice('whsec_'.length), 'base64'));
  const signed = Buffer.concat([
    Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`),
    payload,
  ]);
  const expected = createHmac('sha256', key).update(signed).digest();

  const secrets = parseSigningSecret(SECRET);
  const sdk = new Scalekit('https://example.scalekit.dev', 'skc_1', 'none');
  const standard = new StandardWebhook(SECRET);
  const svix = new SvixWebhook(SECRET);
  const stripe = Stripe.webhooks;
  const stripeHeader = stripe.generateTestHeaderString({ payload: payload.toString(), secret: SECRET });
  return [
    {
      name: 'the limit',
      run: () => timingSafeEqual(createHmac('sha256', key).update(signed).digest(), expected),
    },
    { name: 'ours', run: () => verifyWebhookSignature({ payload, headers, secrets }) },
    {
      name: '@scalekit-sdk/node',
      run: () => sdk.verifyWebhookPayload(SECRET, headers, payload.toString()),
    },
    { name: 'standardwebhooks', run: () => standard.verify(payload, headers, { jsonParse: false }) },
    // It always parses the payload; a text without structure makes that cheap.
    { name: 'svix', run: () => svix.verify(payload, headers) },
    {
      name: 'stripe',
      run: () => stripe.signature?.verifyHeader(payload, stripeHeader, SECRET, 300),
    },
  ];
}

function bodyOfSize(bytes: number): Buffer {
  return Buffer.from(JSON.stringify('x'.repeat(bytes - 2)));
}
