import { createHmac, createSecretKey } from 'node:crypto';
import { Scalekit } from '@scalekit-sdk/node';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { parseSigningSecret, verifyWebhookSignature } from '../../lib/index.js';
import { isSignedWith, parseSignature } from '../../lib/verify/signature.js';
import { collectSignatureHeaders } from '../../lib/verify/signature-headers.js';
import { headersFor } from './events.js';
import { SECRET } from './http/receiver.js';
import {
  type Contender,
  compare,
  microseconds,
  type RoundOptions,
  ratio,
  spread,
  times,
  timingOf,
} from './measure.js';
import type { Figure, SectionResult } from './section.js';

const SIZES_KB = [1, 16, 256];
const BARE_HMAC = 'a bare HMAC';
const OUR_HMAC = 'ours, without the headers';
/** Other libraries. The goals, by size in KB, say how many times as long as ours each takes. */
const OTHERS: readonly { readonly name: string; readonly atLeast: Readonly<Record<number, number>> }[] = [
  { name: '@scalekit-sdk/node', atLeast: { 16: 1.4, 256: 1.4 } },
  { name: 'standardwebhooks', atLeast: { 16: 6, 256: 6 } },
  { name: 'svix', atLeast: { 16: 6, 256: 6 } },
  { name: 'stripe', atLeast: { 256: 2.5 } },
];

/** From the bytes and headers of a delivery to whether they are authentic. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const rows: string[][] = [];
  const figures: Figure[] = [];
  for (const kilobytes of SIZES_KB) {
    const timings = await compare(contenders(kilobytes * 1024), options);
    const ours = timingOf(timings, 'ours');
    const bareHmac = timingOf(timings, BARE_HMAC);
    const size = `${kilobytes} KB`;
    figures.push(
      {
        name: `compute and compare a signature ${size}, relative to ${BARE_HMAC}`,
        measured: ratio(timingOf(timings, OUR_HMAC), bareHmac),
        atMost: 1.2,
      },
      {
        name: `verify ${size}, relative to ${BARE_HMAC}`,
        measured: ratio(ours, bareHmac),
        // Reading the headers of a small body takes as long as half of its HMAC.
        atMost: kilobytes === 1 ? undefined : 1.2,
      },
    );
    for (const { name, atLeast } of OTHERS) {
      const measured = ratio(timingOf(timings, name), ours);
      figures.push({
        name: `verify ${size}, ${name} relative to ours`,
        measured,
        atLeast: atLeast[kilobytes],
      });
    }
    for (const timing of timings) {
      const relative = times(ratio(timing, bareHmac));
      rows.push([size, timing.name, microseconds(timing), spread(timing.samples), relative]);
    }
  }
  const columns = ['body', 'verifier', 'µs', 'spread', `relative to ${BARE_HMAC}`];
  return { tables: [{ title: 'Verify a signature', columns, rows }], figures };
}

function contenders(bytes: number): Contender[] {
  const payload = Buffer.from(JSON.stringify('x'.repeat(bytes - 2)));
  const headers = headersFor(payload);
  const key = createSecretKey(Buffer.from(SECRET.slice('whsec_'.length), 'base64'));
  const signed = Buffer.concat([
    Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`),
    payload,
  ]);

  const secrets = parseSigningSecret(SECRET);
  const parsed = parseSignature('standard', collectSignatureHeaders(headers));
  const sdk = new Scalekit('https://example.scalekit.dev', 'skc_1', 'none');
  const standard = new StandardWebhook(SECRET);
  const svix = new SvixWebhook(SECRET);
  const stripe = Stripe.webhooks;
  const stripeHeader = stripe.generateTestHeaderString({ payload: payload.toString(), secret: SECRET });
  return [
    { name: BARE_HMAC, run: () => createHmac('sha256', key).update(signed).digest() },
    { name: OUR_HMAC, run: () => isSignedWith(key, parsed, payload) },
    { name: 'ours', run: () => verifyWebhookSignature({ payload, headers, secrets }) },
    {
      name: '@scalekit-sdk/node',
      run: () => sdk.verifyWebhookPayload(SECRET, headers, payload.toString()),
    },
    { name: 'standardwebhooks', run: () => standard.verify(payload, headers, { jsonParse: false }) },
    // svix always parses the payload, which is a plain JSON string here and so costs little.
    { name: 'svix', run: () => svix.verify(payload, headers) },
    {
      name: 'stripe',
      run: () => stripe.signature?.verifyHeader(payload, stripeHeader, SECRET, 300),
    },
  ];
}
